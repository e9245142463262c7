//! Weft, a collaborative document server.

pub mod auth;
pub mod config;
pub mod connection;
pub mod document;
pub mod http;
pub mod ids;
pub mod protocol;
pub mod server;
pub mod store;
pub mod telemetry;
