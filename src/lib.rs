//! Weft, a collaborative document server.
#![doc = ""]

pub mod ids;
