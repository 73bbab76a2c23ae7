//! Reading: blocks of the log, and streams.

use annals_event::{EventBatch, Sequence, Version};

/// How much one read may return. The first event always fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBudget {
    /// Most bytes of records.
    pub bytes_max: usize,
    /// Most events.
    pub events_max: usize,
}

/// Consecutive events of the log.
#[derive(Clone, Debug)]
pub struct ReadBlock {
    /// The events; none when the log has nothing there yet.
    pub events: EventBatch,
    /// Where to read on.
    pub next: Sequence,
}

/// Which way to read a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From older events to newer ones.
    Forward,
    /// From newer events to older ones.
    Backward,
}

/// Which events of a stream to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRead {
    /// The first version to return. Beyond the end: forward returns nothing, backward begins at the end.
    pub from: Version,
    /// Which way to go from there.
    pub direction: Direction,
    /// Most events.
    pub events_max: usize,
}

/// Reads what is durable: a cheap handle with the reading half of [`Log`](crate::Log): `read`, `read_stream`,
/// `stream_version`, `mark`, `head`, `first`, `id`, `sequence_at`.
#[derive(Clone)]
pub struct Reader {}
