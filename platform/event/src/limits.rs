//! Every limit of the platform's data, checked at the edge by [`Append::validate`](crate::Append::validate)
//! and by the constructors of the names.

/// Longest stream name, in bytes.
pub const STREAM_NAME_BYTES_MAX: usize = 255;
/// Longest event type, in bytes.
pub const EVENT_TYPE_BYTES_MAX: usize = 128;
/// Longest mark name, in bytes.
pub const MARK_NAME_BYTES_MAX: usize = 255;
/// Longest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 128;
/// Longest tag, in bytes.
pub const TAG_BYTES_MAX: usize = 255;
/// Most tags on one event.
pub const EVENT_TAGS_MAX: usize = 32;
/// Largest payload of one event, in bytes (1 MiB).
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Largest encoded metadata of one event, in bytes (16 KiB).
pub const METADATA_BYTES_MAX: usize = 16 << 10;
/// Largest encoded append, in bytes (4 MiB).
pub const APPEND_BYTES_MAX: usize = 4 << 20;
/// Most events in one append.
pub const APPEND_EVENTS_MAX: usize = 10_000;
/// Most streams that one append writes to or requires a version of.
pub const APPEND_STREAMS_MAX: usize = 10_000;
/// Most marks that one append sets.
pub const APPEND_MARKS_MAX: usize = 100;
/// Deepest nesting of objects and arrays in a JSON payload, in levels: what serde_json reads.
pub const JSON_DEPTH_MAX: usize = 127;
