//! How large messages may be. Both ends enforce these limits, since neither trusts the other.

use annals_event::limits::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, APPEND_MARKS_MAX, APPEND_STREAMS_MAX, EVENT_TAGS_MAX,
    MARK_NAME_BYTES_MAX, METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_NAME_BYTES_MAX,
};

/// Bytes that a condition on a stream or a mark takes besides its name.
const CONDITION_BYTES: usize = 32;

/// The largest request: a legal append always fits. Events with many short headers take up to half as much
/// again as their records; conditions do not count towards the size of an append.
pub const REQUEST_BYTES_MAX: usize = APPEND_BYTES_MAX
    + APPEND_BYTES_MAX / 2
    + APPEND_STREAMS_MAX * (STREAM_NAME_BYTES_MAX + CONDITION_BYTES)
    + APPEND_MARKS_MAX * (MARK_NAME_BYTES_MAX + CONDITION_BYTES);

/// About how many bytes of events are sent in one message; a single event may be larger.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// The largest response: a page and one largest event.
pub const RESPONSE_BYTES_MAX: usize = 2 * PAGE_BYTES_MAX + 2 * (PAYLOAD_BYTES_MAX + METADATA_BYTES_MAX);

/// Most categories in one filter, and most event types.
pub const FILTER_NAMES_MAX: usize = 1_000;

/// Most tags on all events of one append together.
pub(crate) const APPEND_TAGS_MAX: usize = APPEND_EVENTS_MAX * EVENT_TAGS_MAX;
