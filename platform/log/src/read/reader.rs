//! Reading: blocks of the log, and streams.
//!
//! What always holds: everything that is returned was durable and verified by a checksum; damage is an error that
//! names its file and place, never wrong data.

use crate::error::{Corruption, ReadError};
use crate::files::read_error;
use crate::format::{FRAMES_AT, SegmentHeader, SegmentNumber, Waypoint};
use crate::num::{to_u64, to_usize};
use crate::read::blocks;
use crate::read::fingerprint;
use crate::read::rebuild;
use crate::read::room::Room;
use crate::read::sealed::SealedIndex;
use crate::read::shared::{Shared, State, footer_offset};
use crate::read::streams;
use crate::read::tail;
use annals_event::{
    EventBatch, Fingerprint, LogId, MarkName, Opening, Sequence, StreamName, Timestamp, Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// How much one read may return. The first event always fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBudget {
    /// Most bytes of records, about.
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
    /// Most events. One read returns at most 16 MiB or one event, so fewer may come: read on until none does.
    pub events_max: usize,
}

/// Reads what is durable: a cheap handle, to be cloned at will.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

/// A part of a segment that may be read.
#[derive(Clone, Copy)]
pub(crate) struct Readable {
    pub(crate) segment: SegmentHeader,
    /// Where its frames end in the file.
    pub(crate) end: u64,
    /// The header of the segment after it; `None`: it is the active one.
    pub(crate) next: Option<SegmentHeader>,
}

/// Where a frame begins.
pub(crate) struct Place {
    pub(crate) readable: Readable,
    pub(crate) offset: u64,
    /// What was read there already.
    pub(crate) ahead: Bytes,
}

/// Where to begin in the segments.
enum Start {
    /// Here.
    At(Place),
    /// Wherever the sealed segment's index says.
    InIndex(Readable),
}

impl Reader {
    /// Events from `from` on, as many as the budget allows, at least one if there is one.
    pub fn read(&self, from: Sequence, budget: ReadBudget) -> Result<ReadBlock, ReadError> {
        let from = from.max(Sequence::FIRST);
        if let Some(block) = self.read_recent(from, budget)? {
            return Ok(block);
        }
        if let Some(events) = self.shared.blocks.events(from) {
            return Ok(page(events, from, budget));
        }
        let Place { readable, offset, ahead } = self.locate(from)?;
        let block = blocks::read(self, &readable, (offset, ahead), from, budget)?;
        let page = page(block.events.clone(), from, budget);
        self.shared.blocks.put(block);
        Ok(page)
    }

    /// The same as far as it can be told from memory, without waiting for the disk; `None`: ask [`Self::read`].
    pub fn read_recent(&self, from: Sequence, budget: ReadBudget) -> Result<Option<ReadBlock>, ReadError> {
        let from = from.max(Sequence::FIRST);
        let state = self.shared.state.read();
        if from > state.head() {
            return match &state.corruption {
                Some(corruption) => Err(ReadError::Corrupted(corruption.clone())),
                None => Ok(Some(ReadBlock { events: EventBatch::empty(), next: from })),
            };
        }
        let first = first_of(&state);
        if from < first {
            return Err(ReadError::BelowStart { first });
        }
        let batches = state.tail.read(from, budget.bytes_max);
        drop(state);
        Ok(batches.map(|batches| page(tail::join(batches, budget.events_max.max(1)), from, budget)))
    }

    /// Events of one stream.
    pub fn read_stream(&self, stream: &StreamName, read: StreamRead) -> Result<EventBatch, ReadError> {
        streams::read(self, stream, read)
    }

    /// Where the stream is; `ZERO`: it has no events.
    pub fn stream_version(&self, stream: &StreamName) -> Version {
        self.shared.heads.version(self.shared.hasher.hash_name(stream))
    }

    /// Where the mark is; `None`: it was never set.
    pub fn mark(&self, mark: &MarkName) -> Option<Sequence> {
        self.shared.state.read().decided.marks.get(mark).copied()
    }

    /// What tells this history of the log up to `at` from another; `None`: the log does not reach so far.
    pub fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        fingerprint::of(self, at)
    }

    /// The same for the newest events, without waiting for the disk; `None`: ask [`Self::fingerprint`].
    pub fn recent_fingerprint(&self, at: Sequence) -> Option<Fingerprint> {
        fingerprint::recent(self, at)
    }

    /// The last durable event; `ZERO`: there is none.
    pub fn head(&self) -> Sequence {
        self.shared.state.read().head()
    }

    /// The first event that is still there.
    pub fn first(&self) -> Sequence {
        first_of(&self.shared.state.read())
    }

    /// Which log this is.
    pub fn id(&self) -> LogId {
        self.shared.log_id
    }

    /// Which opening of the log this is.
    pub fn opening(&self) -> Opening {
        self.shared.opening
    }

    /// The damage that ends the readable part of the log, if there is any.
    pub fn corruption(&self) -> Option<Corruption> {
        self.shared.state.read().corruption.clone()
    }

    /// Why nothing is written any more, and what to do; `None`: appends are taken. Reads go on.
    pub fn stopped(&self) -> Option<Arc<str>> {
        self.shared.poison.reason()
    }

    /// The room on the log's disk, and whether appends are refused for want of it.
    pub fn room(&self) -> Room {
        Room::of(self)
    }

    /// The first event, of those that are still there, recorded at or after `time`; the one after the head when there is none.
    pub fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        let micros = time.as_micros();
        let before = |waypoint: &Waypoint| waypoint.recorded_at < micros;
        let (readable, offset) = {
            let state = self.shared.state.read();
            let at = state.segments.partition_point(|segment| segment.recorded_before < micros);
            // Recorded before the first segment: nothing that is still there was, so the search begins there.
            let at = at.saturating_sub(1);
            let Some(readable) = readable_at(&state, at) else { return Ok(state.end.next) };
            (readable, readable.next.is_none().then(|| offset_of(state.active.waypoint(before))))
        };
        let offset = match offset {
            Some(offset) => offset,
            None => offset_of(self.index(&readable)?.waypoint(before)),
        };
        let end = readable.next.map(|next| next.first);
        let found = blocks::first_at(self, &readable, offset, micros)?;
        Ok(found.or(end).unwrap_or_else(|| self.head().next()))
    }

    /// A frame at or before the one with the event `at`, in its segment.
    pub(crate) fn locate(&self, at: Sequence) -> Result<Place, ReadError> {
        let start = self.start(&self.shared.state.read(), at);
        match start {
            Some(Start::At(place)) => Ok(place),
            Some(Start::InIndex(readable)) => {
                let waypoint = self.index(&readable)?.waypoint(|waypoint| waypoint.first <= at);
                Ok(Place { readable, offset: offset_of(waypoint), ahead: Bytes::new() })
            }
            None => Err(ReadError::BelowStart { first: self.first() }),
        }
    }

    /// The segments in which a frame that begins at `first` may be, in order.
    pub(crate) fn segments_with(&self, first: Sequence) -> Result<Vec<Readable>, ReadError> {
        let state = self.shared.state.read();
        let log_first = first_of(&state);
        if first < log_first {
            return Err(ReadError::BelowStart { first: log_first });
        }
        // Appends without events may stand at the end of the segment before the one with the event.
        let from = state.segments.partition_point(|segment| segment.first < first).saturating_sub(1);
        let to = state.segments.partition_point(|segment| segment.first <= first);
        Ok((from..to).filter_map(|at| readable_at(&state, at)).collect())
    }

    /// Where a search for frames that begin at `first` begins in the segment.
    pub(crate) fn before(&self, readable: &Readable, first: Sequence) -> Result<u64, ReadError> {
        let before = |waypoint: &Waypoint| waypoint.first < first;
        Ok(offset_of(match readable.next {
            Some(_) => self.index(readable)?.waypoint(before),
            None => self.shared.state.read().active.waypoint(before),
        }))
    }

    /// Up to `count` bytes of a segment; fewer only at the end of its file.
    pub(crate) fn read_bytes(
        &self,
        segment: SegmentNumber,
        offset: u64,
        count: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let mut bytes = vec![0; count];
        let file = self.shared.files.get(segment);
        let got = file.and_then(|file| file.read_at(&mut bytes, offset));
        bytes.truncate(got.map_err(|error| self.io_error(segment, error))?);
        Ok(bytes)
    }

    /// The index of a sealed segment.
    pub(crate) fn index(&self, readable: &Readable) -> Result<SealedIndex, ReadError> {
        rebuild::index(self, readable)
    }

    pub(crate) fn corrupted(&self, segment: SegmentNumber, offset: u64, what: &'static str) -> ReadError {
        let file = self.shared.environment.disk.display(&segment.file_name());
        ReadError::Corrupted(Corruption { file, offset, what })
    }
    pub(crate) fn io_error(&self, segment: SegmentNumber, error: std::io::Error) -> ReadError {
        if let Some(first) = self.first_if_dropped(segment) {
            return ReadError::BelowStart { first };
        }
        read_error(&*self.shared.environment.disk, &segment.file_name(), error)
    }

    /// If the segment was dropped, as it may be while it is read: the first event that is still there.
    pub(crate) fn first_if_dropped(&self, segment: SegmentNumber) -> Option<Sequence> {
        let state = self.shared.state.read();
        state.segments.first().filter(|first| first.number > segment).map(|first| first.first)
    }

    fn start(&self, state: &State, from: Sequence) -> Option<Start> {
        let at = state.segments.partition_point(|segment| segment.first <= from).checked_sub(1)?;
        let readable = readable_at(state, at)?;
        if readable.segment.first == from {
            return Some(Start::At(Place { readable, offset: FRAMES_AT, ahead: Bytes::new() }));
        }
        if let Some((offset, ahead)) = self.shared.blocks.place(&readable, from) {
            return Some(Start::At(Place { readable, offset, ahead }));
        }
        if readable.next.is_some() {
            return Some(Start::InIndex(readable));
        }
        let place = state.active.waypoint(|waypoint| waypoint.first <= from);
        Some(Start::At(Place { readable, offset: offset_of(place), ahead: Bytes::new() }))
    }
}

fn offset_of(waypoint: Option<Waypoint>) -> u64 {
    waypoint.map_or(FRAMES_AT, |waypoint| u64::from(waypoint.offset))
}

pub(crate) fn first_of(state: &State) -> Sequence {
    state.segments.first().map_or(Sequence::FIRST, |segment| segment.first)
}

/// The readable part of the `at`-th segment.
pub(crate) fn readable_at(state: &State, at: usize) -> Option<Readable> {
    let segment = *state.segments.get(at)?;
    let next = state.segments.get(at + 1).copied();
    let end = match &next {
        Some(next) => footer_offset(&segment, next),
        None => state.end.position.since(segment.base),
    };
    Some(Readable { segment, end, next })
}

impl Readable {
    /// A sealed segment, given the one after it.
    pub(crate) fn sealed(segment: &SegmentHeader, next: &SegmentHeader) -> Self {
        Self { segment: *segment, end: footer_offset(segment, next), next: Some(*next) }
    }
}

/// As many of the events, which begin at `from`, as the budget allows.
fn page(events: EventBatch, from: Sequence, budget: ReadBudget) -> ReadBlock {
    let events = cut(events, budget);
    ReadBlock { next: from.plus(to_u64(events.len())), events }
}

/// As many of the events as the budget allows, at least one.
fn cut(events: EventBatch, budget: ReadBudget) -> EventBatch {
    let mut bytes = 0;
    let fitting = events.iter().take_while(|event| {
        bytes += event.as_bytes().len();
        bytes <= budget.bytes_max
    });
    let count = fitting.count().clamp(1, budget.events_max.max(1));
    if count >= events.len() { events } else { events.slice(0..count).compact() }
}

/// How many bytes to read at once for a budget.
pub(crate) fn chunk_bytes(budget: ReadBudget, left: u64) -> usize {
    const CHUNK_BYTES_MIN: usize = 64 << 10;
    const CHUNK_BYTES_MAX: usize = 1 << 20;
    // Frame headers are read along with the records.
    let wanted = budget.bytes_max.saturating_add(budget.bytes_max / 2);
    wanted.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX).min(to_usize(left))
}
