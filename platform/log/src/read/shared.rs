//! What the log is: the state that readers share with the writer. All of it is durable.
//!
//! What always holds:
//!
//! * The state moves under one write lock, group by group, after the group's sync; so a reader sees all of an append or
//!   nothing.
//! * Under that lock nothing is sorted, encoded, read or given back that grows with a segment: everyone waits for it.

use crate::disk::Environment;
use crate::error::Corruption;
use crate::format::{
    ActiveIndex, Base, FRAME_HEADER_BYTES, FrameHeader, IndexOf, IndexedRecord, Kind, LogEnd, LogTag,
    SegmentHeader, SegmentNumber, advance,
};
use crate::num::to_u64;
use crate::options::Options;
use crate::read::chains::Chains;
use crate::read::holds::RetentionState;
use crate::read::index_cache::IndexCache;
use crate::read::log_time::LogTime;
use crate::read::low_water::Headroom;
use crate::read::poison::Poison;
use crate::read::recent_blocks::RecentBlocks;
use crate::read::room::Shortage;
use crate::read::scrub_state::ScrubState;
use crate::read::sealed::{SealedIndex, Unwritten, unwritten_bytes};
use crate::read::segment_files::SegmentFiles;
use crate::read::tail::Tail;
use crate::read::waiters::Waiters;
use crate::state::{Decided, Heads, Request, StreamHasher};
use crate::stats::Counters;
use annals_event::{LogId, Opening, Sequence};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;

pub(crate) struct State {
    pub(crate) end: LogEnd,
    /// All segments in order, the active one last; at least one.
    pub(crate) segments: Arc<Vec<SegmentHeader>>,
    pub(crate) active: ActiveIndex,
    /// Indexes of sealed segments whose files are not written yet.
    pub(crate) unindexed: Vec<Arc<Unwritten>>,
    pub(crate) decided: Decided,
    pub(crate) tail: Tail,
    pub(crate) chains: Chains,
    /// The damage that ends the readable part of the log.
    pub(crate) corruption: Option<Corruption>,
}

impl State {
    /// The state at the start of `first`, the first segment of a log or the one where a replay begins.
    pub(crate) fn at_start_of(first: SegmentHeader, options: &Options) -> Self {
        Self {
            end: LogEnd::at_start_of(&first),
            segments: Arc::new(vec![first]),
            active: ActiveIndex::default(),
            unindexed: Vec::new(),
            decided: Decided::nothing(first.secret.request_hasher(), options.requests),
            tail: Tail::new(options.tail_bytes_max),
            chains: Chains::default(),
            corruption: None,
        }
    }

    pub(crate) fn head(&self) -> Sequence {
        self.end.next.previous()
    }

    pub(crate) fn active_segment(&self) -> Option<&SegmentHeader> {
        self.segments.last()
    }

    /// Takes in a frame.
    pub(crate) fn apply(&mut self, frame: &FrameHeader, records: &[IndexedRecord]) {
        let Some(segment) = self.segments.last() else { return };
        let end = self.end.after(frame);
        let heads = &self.decided.heads;
        self.active.take_in(frame, frame.position.since(segment.base), records, |run| {
            run.last().map_or(0, |last| advance(heads, last.stream, last.version, segment.number))
        });
        if frame.events > 0 {
            self.chains.push(frame.next(), end.chain);
        }
        if frame.kind == Kind::Append {
            self.decided.window.push(Request { id: frame.request_id, first: frame.first }, frame.recorded_at);
        }
        self.end = end;
    }

    /// Goes on in a new segment with an empty index; returns the index of the one that is full, if it was kept.
    pub(crate) fn begin_segment(
        &mut self,
        segment: SegmentHeader,
        active: ActiveIndex,
    ) -> Option<Arc<Unwritten>> {
        let sealed = self.segments.last().map(|sealed| IndexOf {
            log: sealed.log_id,
            segment: sealed.number,
            chain: segment.chain,
        });
        // Copied only if somebody goes over them just now.
        Arc::make_mut(&mut self.segments).push(segment);
        self.end = LogEnd::at_start_of(&segment);
        let index = std::mem::replace(&mut self.active, active);
        sealed.filter(|_| !index.is_void()).map(|of| Arc::new(Unwritten { of, index }))
    }

    /// Takes out the oldest indexes that wait for their files, so that no more than `bytes_max` of them wait, or one.
    pub(crate) fn give_up_unwritten(&mut self, bytes_max: u64) -> Vec<Arc<Unwritten>> {
        let over = |from: &usize| {
            let waiting = self.unindexed.get(*from..).unwrap_or_default();
            waiting.len() > 1 && unwritten_bytes(waiting) > bytes_max
        };
        let count = (0..self.unindexed.len()).take_while(over).count();
        self.unindexed.drain(..count).collect()
    }

    /// The index of a sealed segment, if it is in memory because its file is not written yet.
    pub(crate) fn unwritten(&self, segment: SegmentNumber) -> Option<SealedIndex> {
        let held = self.unindexed.iter().find(|held| held.of.segment == segment)?;
        Some(SealedIndex::Unwritten(held.clone()))
    }
}

/// Where a sealed segment's footer begins, given the header of the segment after it.
pub(crate) fn footer_offset(segment: &SegmentHeader, next: &SegmentHeader) -> u64 {
    next.base.since(segment.base).saturating_sub(to_u64(FRAME_HEADER_BYTES))
}

/// All that the threads of an open log share.
pub(crate) struct Shared {
    pub(crate) environment: Environment,
    pub(crate) options: Options,
    pub(crate) log_id: LogId,
    pub(crate) opening: Opening,
    pub(crate) tag: LogTag,
    pub(crate) hasher: StreamHasher,
    /// Those that are decided on: one stream's can be asked for without a lock on the state.
    pub(crate) heads: Arc<Heads>,
    pub(crate) state: RwLock<State>,
    pub(crate) files: SegmentFiles,
    pub(crate) indexes: IndexCache,
    pub(crate) poison: Poison,
    pub(crate) shortage: Shortage,
    pub(crate) counters: Counters,
    pub(crate) scrub: ScrubState,
    pub(crate) waiters: Mutex<Waiters>,
    pub(crate) retention: RetentionState,
    /// Held while a backup is made: one at a time.
    pub(crate) backing_up: Mutex<()>,
    pub(crate) time: LogTime,
    /// Held while a derived file is replaced: two drafts of one file would meet.
    pub(crate) drafting: Mutex<()>,
    /// What recent reads got, so that the next one goes on there without a search, and without reading it again.
    pub(crate) blocks: RecentBlocks,
}

impl Shared {
    /// How many bytes the files of indexes will take that are not written yet, that of the active segment included.
    fn unwritten_file_bytes(&self) -> u64 {
        let state = self.state.read();
        let sealed = state.unindexed.iter().map(|unwritten| &unwritten.index);
        sealed.chain([&state.active]).map(ActiveIndex::file_bytes).sum()
    }

    /// How many bytes the next base takes at most.
    pub(crate) fn base_bytes(&self) -> u64 {
        let (marks, request_bytes) = {
            let state = self.state.read();
            (state.decided.marks.len(), state.decided.window.encoded_len())
        };
        Base::bytes_at_most(self.heads.len(), marks, request_bytes)
    }

    /// The space on the disk as it is now, and what of it is kept free.
    pub(crate) fn headroom(&self) -> Headroom {
        let owed_bytes = self.base_bytes().saturating_add(self.unwritten_file_bytes());
        Headroom::look(&*self.environment.disk, self.options.reserve_bytes, owed_bytes)
    }
}
