//! The shared log as a server: gRPC for services (`proto/annals/v1/event_store.proto`), and HTTP for health checks
//! and a first look, on one port.
//!
//! What always holds:
//!
//! * Everything about events is decided by the store. This crate, and `annals_service`, which enforces the limits of all
//!   servers, decide only how much, how long and how many at once ([`Limits`]).
//! * Every buffer is bounded: a message has a maximum size and counts against a budget of bytes for all connections, an
//!   answer is cut into pages, and a subscription is read from the store only as fast as its subscriber reads it.
//! * A shutdown ends each subscription with an error that tells the subscriber to retry, and waits for the requests under way.
//!
//! [`Service`] is a complete server; [`routes`] is for a process that serves more than the log on one port.

mod grpc;
mod http;
mod keys;
mod limits;
mod metrics;
mod operations;
mod page;
mod routes;
mod service;
mod subscription;

pub use keys::{KEYS, NAME, Settings};
pub use limits::{Limits, Subscriptions};
pub use metrics::metrics;
pub use operations::operations;
pub use routes::routes;
pub use service::{Options, ServeError, Service};
