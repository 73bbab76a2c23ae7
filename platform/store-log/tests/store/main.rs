//! What the store over the embedded log guarantees beyond the conformance suite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod closing;
mod damage;
mod queue;
mod restart;
mod retention;
mod support;
