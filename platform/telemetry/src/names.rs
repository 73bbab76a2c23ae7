//! Names of the spans' attributes, in one place. Those of the semantic conventions keep their names; the platform's
//! own begin with `annals.`.

pub use opentelemetry_semantic_conventions::attribute::{
    HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, MESSAGING_BATCH_MESSAGE_COUNT,
    MESSAGING_CONSUMER_GROUP_NAME, MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_ID,
    MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM, RPC_METHOD,
    RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME,
};

/// The value of [`MESSAGING_SYSTEM`].
pub const SYSTEM: &str = "annals";

/// Operation of a span that appends events to the log.
pub const APPEND: &str = "append";
/// Operation of a span that makes one event, to be appended together with others.
pub const CREATE: &str = "create";
/// Operation of a span that handles one event.
pub const PROCESS: &str = "process";

/// The event's sequence number.
pub const SEQUENCE: &str = "annals.sequence";
/// The event's stream.
pub const STREAM: &str = "annals.stream";
/// The event's type.
pub const EVENT_TYPE: &str = "annals.event_type";
/// Whether the event is handled in a replay.
pub const REPLAY: &str = "annals.replay";
/// The last sequence number of a batch.
pub const THROUGH: &str = "annals.through";
/// How many events or rows a batch wrote.
pub const BATCH_OUTPUTS: &str = "annals.batch.outputs";

/// The header, or metadata key, of a trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The header, or metadata key, of the vendors' part of a trace context.
pub const TRACESTATE: &str = "tracestate";
