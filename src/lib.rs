//! Weft, a collaborative document server.
#![doc = ""]

pub mod ids;
pub mod store;
