//! The shared log as a server: gRPC for services (`proto/annals/v1/event_store.proto`), and HTTP for health checks
//! and a first look, on one port.
//!
//! What always holds:
//!
//! * The store that is served decides everything about events; this crate and `annals_service`, which keeps the limits of every
//!   server, decide only how much, how long and how many at once ([`Limits`]).
//! * Nothing is buffered without bound: a message has a largest size and takes from a budget of bytes over all connections, an
//!   answer is cut into pages, and a subscription is read from the store only as fast as its subscriber takes it.
//! * Shutting down ends subscriptions with an error that tells the subscriber to come again, and waits for the
//!   answers that are under way.
//!
//! [`Service`] is a server of its own; [`routes`] are for a process that serves more than the log on one port.

mod grpc;
mod http;
mod limits;
mod operations;
mod page;
mod routes;
mod service;
mod subscription;

pub use limits::Limits;
pub use operations::operations;
pub use routes::routes;
pub use service::{Options, ServeError, Service};
