//! The suite that every adapter of [`EventStore`](crate::EventStore) passes.
