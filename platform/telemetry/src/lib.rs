//! OpenTelemetry for every part of the platform: set-up, trace context of events, the spans' names, and the export of metrics.
//!
//! What always holds:
//!
//! * Once [`init`] has been called, every span at level `INFO` has a valid trace and span id, even if nothing is
//!   exported or sampled: [`current_context`] always has something to store in an event.
//! * A consumer's span *links* to the context of the event that it handles and never has it as its parent, so a
//!   replay cannot stretch or re-parent an old trace.
//! * Log lines go to standard error, never to standard output.
//! * An empty `tracestate` is neither stored nor sent.
//!
//! HTTP and gRPC headers are read and set through closures, so that this crate needs neither.

mod context;
mod metrics;
pub mod names;
mod remote;
mod setup;
mod spans;

pub use context::{context_of, current_context, from_span_context, to_span_context};
pub use metrics::{Instrument, Observed, observe};
pub use remote::{
    client_span, extract, inject, inject_current, record_rpc_status, record_status, rpc_client_span,
    rpc_server_span, server_span,
};
pub use setup::{InitError, LogForm, Options, ShutdownError, Telemetry, init};
pub use spans::{BatchCounts, Run, Traced, append_span, batch_span, create_span, process_span, record_batch};
