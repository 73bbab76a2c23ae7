//! Blocks that were read from the disk lately, so that the next page begins where the last one ended and nothing is read
//! twice: a page may be smaller than what was read for it, and much smaller than a frame.
//!
//! What always holds: what is here was durable and verified. Whoever asks has made sure that it is still in the log.

use crate::format::Position;
use crate::read::reader::Readable;
use crate::read::recency::Recency;
use annals_event::{EventBatch, Sequence};
use bytes::Bytes;
use parking_lot::Mutex;

/// How many blocks are remembered: one is enough for each reader that is behind.
const BLOCKS_MAX: usize = 64;
/// Most bytes of blocks that are kept: four of the largest appends, or hundreds of small pages. Of older blocks only the
/// places are remembered.
const BLOCK_BYTES_MAX: u64 = 16 << 20;

/// The whole frames of a chunk of a segment, from some event on.
pub(crate) struct Block {
    /// The first event.
    pub(crate) first: Sequence,
    pub(crate) events: EventBatch,
    /// Where the frame with the first event begins.
    pub(crate) start: Position,
    /// Where the frame after the last event begins.
    pub(crate) resume: Position,
    /// What was read there already.
    pub(crate) ahead: Bytes,
    /// How many bytes of memory events and rest take together.
    pub(crate) bytes: usize,
}

impl Block {
    /// The sequence number after the last event.
    pub(crate) fn next(&self) -> Sequence {
        self.first.plus(crate::num::to_u64(self.events.len()))
    }
}

/// A block, or what is remembered of it.
struct Held {
    first: Sequence,
    next: Sequence,
    start: Position,
    resume: Position,
    /// `None`: it was given up.
    kept: Option<(EventBatch, Bytes, usize)>,
}

#[derive(Default)]
pub(crate) struct RecentBlocks(Mutex<Recency<Held>>);

impl RecentBlocks {
    /// The events from `from` on that are kept, if that one is.
    pub(crate) fn events(&self, from: Sequence) -> Option<EventBatch> {
        let mut held = self.0.lock();
        let covers = |held: &Held| held.first <= from && from < held.next && held.kept.is_some();
        let block = held.touch(covers)?;
        let events = block.kept.as_ref().map(|(events, ..)| events.clone());
        let skip = crate::num::to_usize(from.get() - block.first.get());
        drop(held);
        events.map(|events| events.slice(skip..events.len()))
    }

    /// Where in the segment the frame with `from` begins, or one shortly before, and what was read there already.
    pub(crate) fn place(&self, readable: &Readable, from: Sequence) -> Option<(u64, Bytes)> {
        let held = self.0.lock();
        let right_after = held.find(|held| held.next == from).map(|held| {
            let ahead = held.kept.as_ref().map_or(Bytes::new(), |(_, ahead, _)| ahead.clone());
            (held.resume, ahead)
        });
        let within = || held.find(|held| held.first <= from && from < held.next);
        let (position, ahead) = right_after.or_else(|| within().map(|held| (held.start, Bytes::new())))?;
        let offset = position.since(readable.segment.base);
        (position >= readable.segment.frames() && offset < readable.end).then_some((offset, ahead))
    }

    /// Keeps the block, and gives up the least recently used ones when it gets too much.
    pub(crate) fn put(&self, block: Block) {
        let next = block.next();
        let Block { first, events, start, resume, ahead, bytes } = block;
        let mut held = self.0.lock();
        let block = Held { first, next, start, resume, kept: Some((events, ahead, bytes)) };
        held.put(block, |held| (held.first, held.next) == (first, next));
        held.truncate(BLOCKS_MAX);
        let weight = |held: &Held| held.kept.as_ref().map_or(0, |(.., bytes)| crate::num::to_u64(*bytes));
        let given_up = held.lighten(BLOCK_BYTES_MAX, weight, |held| held.kept.take());
        drop(held);
        drop(given_up);
    }
}
