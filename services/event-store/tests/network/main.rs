//! The log over the network: real servers, real sockets, and the client that services use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod by_url;
mod conformance;
mod errors;
mod floods;
mod http;
mod reactions;
mod restarts;
mod restores;
mod support;
mod tracing;
