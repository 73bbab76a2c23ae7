//! What an event is: ids, names, positions, expected versions, the envelope with its metadata, and the two
//! containers that cross every seam, [`Append`] (in) and [`EventBatch`] (out).
//!
//! This crate is pure: no clock, no I/O, no async. What always holds:
//!
//! * A name, a tag or a header that exists has been validated; [`limits`] is the only home of the numbers.
//! * An [`Append`] that passed [`Append::validate`] can be written by any adapter.
//! * An [`EventBatch`] that exists holds only complete, well-formed records, so that reading from it cannot
//!   fail or panic; metadata and tags are decoded when they are asked for.
//! * Names are data: never a path, an SQL identifier or HTML.

mod append;
mod batch;
mod domain;
mod envelope;
mod expected;
mod fingerprint;
mod ids;
pub mod json;
pub mod limits;
mod metadata;
mod name;
mod position;
pub mod record;
mod trace_context;
mod trace_state;

pub use append::{Append, Conflict, InvalidAppend, MarkUpdate, Receipt, Requirement, StreamWrite};
pub use batch::{EventBatch, EventBatchBuilder, EventRef};
pub use domain::{CodecError, Event, Recorded};
pub use envelope::{ContentType, NewEvent, RecordedEvent};
pub use expected::ExpectedVersion;
pub use fingerprint::Fingerprint;
pub use ids::{CorrelationId, EventId, LogId, Opening, RequestId};
pub use metadata::Metadata;
pub use name::{Category, EventType, InvalidName, MarkName, StreamName, Tag};
pub use position::{Sequence, SequenceRange, TimeOutOfReach, Timestamp, Version};
pub use record::DecodeError;
pub use trace_context::{InvalidTraceParent, TraceContext};

/// What the code names that `#[derive(Event)]` makes. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::{CodecError, Event, json};
    pub use bytes::Bytes;
    pub use serde;
    pub use std::{option::Option, result::Result};
}
