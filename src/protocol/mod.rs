//! Bytes to messages and back. Pure: no clock, no socket, no document.
//!
//! Everything that comes from outside is decoded here, completely and under limits, before any other part
//! sees it: [`wire`] reads the primitives, [`guard`] checks the structure of update bytes, each dialect
//! ([`ysync`]) turns frames into [`message::Message`]s and [`message::Outgoing`]s into frames.

pub mod close;
pub mod guard;
pub mod message;
pub mod wire;
pub mod ysync;
