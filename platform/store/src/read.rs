//! What a read asks for, and what it returns: a page, and where the next one begins.

use crate::Filter;
use annals_event::{EventBatch, LogId, Opening, Sequence, StreamName, Version};

/// Which way a stream is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From older to newer.
    #[default]
    Forward,
    /// From newer to older.
    Backward,
}

/// A request for a page of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadStream {
    /// The stream.
    pub stream: StreamName,
    /// The version to begin with, included. Backward, `Version::MAX` begins with the last event.
    pub from: Version,
    /// Which way.
    pub direction: Direction,
    /// At most this many events; 0 counts as 1. An adapter may return fewer, but at least one if there is one.
    pub events_max: usize,
}

impl ReadStream {
    /// How many events a page has by default.
    pub const EVENTS_MAX_DEFAULT: usize = 1_000;

    /// Forward from the stream's first event.
    pub fn forward(stream: StreamName) -> Self {
        let (from, direction) = (Version::FIRST, Direction::Forward);
        Self { stream, from, direction, events_max: Self::EVENTS_MAX_DEFAULT }
    }
    /// Backward from the stream's last event.
    pub fn backward(stream: StreamName) -> Self {
        let (from, direction) = (Version::MAX, Direction::Backward);
        Self { stream, from, direction, events_max: Self::EVENTS_MAX_DEFAULT }
    }
    /// The same from another version.
    #[must_use]
    pub fn from(self, from: Version) -> Self {
        Self { from, ..self }
    }
}

/// A page of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamPage {
    /// The events in the requested order.
    pub events: EventBatch,
    /// The version of the stream's last event when the page was read; `ZERO`: the stream has no events.
    pub version: Version,
    /// Where the next page begins; `None`: there was nothing more.
    pub next: Option<Version>,
}

/// A request for a page of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLog {
    /// The sequence number to begin with, included. `ZERO` and `FIRST` are the start of the log.
    pub from: Sequence,
    /// Only these events.
    pub filter: Filter,
    /// At most this many events; 0 counts as 1.
    pub events_max: usize,
    /// About how many bytes of records are looked at; at least one event is, if there is one.
    pub bytes_max: usize,
}

impl ReadLog {
    /// How many events a page has by default.
    pub const EVENTS_MAX_DEFAULT: usize = 10_000;
    /// How many bytes a page has by default (1 MiB).
    pub const BYTES_MAX_DEFAULT: usize = 1 << 20;

    /// All events from `from`.
    pub fn from(from: Sequence) -> Self {
        Self::filtered(from, Filter::all())
    }
    /// The events from `from` that `filter` accepts.
    pub fn filtered(from: Sequence, filter: Filter) -> Self {
        Self { from, filter, events_max: Self::EVENTS_MAX_DEFAULT, bytes_max: Self::BYTES_MAX_DEFAULT }
    }
}

/// A page of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The events that the filter accepted, in order. May be empty although there is more.
    pub events: EventBatch,
    /// Every event up to here is in this page, in an earlier one, or was not wanted: a checkpoint may move here.
    /// Never below `from.previous()`.
    pub through: Sequence,
    /// The log's last sequence number when the page was read.
    pub head: Sequence,
}

impl LogPage {
    /// Whether the page reaches the end of the log as it was when the page was read.
    pub fn is_last(&self) -> bool {
        self.through >= self.head
    }
}

/// Where the log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log it is.
    pub log_id: LogId,
    /// The first sequence number that is still there; if there is none, the next one to be given.
    pub first: Sequence,
    /// The last sequence number; `ZERO`: no event was ever appended.
    pub last: Sequence,
    /// Which opening of the log it is. If it is asked for before something is read, the decision based on that can be
    /// restricted to the same history: see [`Append::only_in`](annals_event::Append::only_in).
    pub opening: Opening,
}
