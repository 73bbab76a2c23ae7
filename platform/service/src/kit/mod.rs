//! A whole service in one closure: [`Service`] is configured and its store is open; the closure adds read models, reactors, routes
//! and tasks; then all of it works, until it is told to stop.
//!
//! What always holds:
//!
//! * Configuration, store and telemetry exist before the closure runs, so nothing in it depends on order.
//! * Only public functions of other crates are used: each part can be used alone, without the others.
//! * Nothing is hidden in globals, but for what OpenTelemetry has once in a process; two services can run in one process. Each start
//!   registers the service's metrics with OpenTelemetry's global meter, which never lets go of them; they tell nothing once the
//!   service has ended.

mod app;
mod caller;
mod clock;
mod consumer;
mod content;
mod error;
mod failures;
mod gate;
mod leaving;
mod names;
mod parts;
mod platform;
mod refusals;
mod run;
mod running;
mod service;
mod supervise;
mod testing;

pub use app::{App, WAIT_TIME_MAX};
pub use caller::{Accepted, CORRELATION_ID, Caller, IDEMPOTENCY_KEY, TENANT, TOKEN, WaitFor};
pub use error::ServiceError;
pub use running::Running;
pub use service::Service;
pub use supervise::{BuildError, Failure, PartState, Parts, Supervisor};
pub use testing::{Answer, TestService};
