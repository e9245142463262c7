//! Weft as a whole: real servers, real sockets, people with names.
//!
//! One binary, one behaviour per file. [`support`] has the servers and the people; nothing here sleeps in the
//! hope that something has happened meanwhile, everything waits for what it wants to see, with a deadline.

#![allow(clippy::unwrap_used, reason = "in a test, what must not happen may panic where it happens")]

mod support;

mod access;
mod attachments;
mod bodies;
mod chat;
mod closing;
mod collab;
mod commands;
mod config;
mod convergence;
mod descriptors;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod disk;
mod door;
mod durability;
mod events;
mod eviction;
mod figures;
mod first_sync;
mod hocuspocus;
mod hostile;
mod hostile_texts;
mod http;
mod kill;
mod layering;
mod leaks;
mod limits;
mod names;
mod openapi;
mod poison;
mod presence;
mod shutdown;
mod slow;
mod states;
mod sync;
mod texts;
mod websocket;
mod work;
