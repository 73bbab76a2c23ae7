//! What the log is: the state that readers share with the writer. All of it is durable.
//!
//! What always holds:
//!
//! * The state moves under one write lock, group by group, after the group's sync; so a reader sees all of an append or
//!   nothing.
//! * Under that lock nothing is sorted, encoded, read or given back that grows with a segment: everyone waits for it.

use crate::base;
use crate::chains::Chains;
use crate::disk::{Disk, DiskFile, Environment, FileId};
use crate::error::Corruption;
use crate::frame::{Chain, FrameHeader, HEADER_BYTES, LogTag, Position};
use crate::heads::{Heads, StreamHasher};
use crate::index::{ActiveIndex, IndexOf, IndexedRecord, Waypoint, runs};
use crate::index_cache::IndexCache;
use crate::log_time::LogTime;
use crate::low_water::Headroom;
use crate::num::to_u64;
use crate::options::Options;
use crate::poison::Poison;
use crate::recent_blocks::RecentBlocks;
use crate::requests::Request;
use crate::retention::RetentionState;
use crate::room::Shortage;
use crate::scrub::ScrubState;
use crate::sealed::{SealedIndex, Unwritten, unwritten_bytes};
use crate::segment::{SegmentHeader, SegmentNumber};
use crate::stats::Counters;
use crate::tail::Tail;
use crate::waiters::Waiters;
use crate::window::Window;
use annals_event::{LogId, MarkName, Sequence};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
};

/// The end of the log, or of the part of it that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// The next event's sequence number.
    pub(crate) next: Sequence,
    /// Where the next frame begins.
    pub(crate) position: Position,
    pub(crate) chain: Chain,
    /// When the last event was recorded.
    pub(crate) recorded_at: i64,
}

impl LogEnd {
    /// The end when a segment has just begun.
    pub(crate) const fn at_start_of(segment: &SegmentHeader) -> Self {
        Self {
            next: segment.first,
            position: segment.frames(),
            chain: segment.chain,
            recorded_at: segment.recorded_before,
        }
    }

    /// The end before a frame, by the frame's own word.
    pub(crate) const fn before(frame: &FrameHeader) -> Self {
        Self {
            next: frame.first,
            position: frame.position,
            chain: frame.previous,
            recorded_at: frame.recorded_at,
        }
    }

    /// The end after one more frame.
    pub(crate) fn after(self, frame: &FrameHeader) -> Self {
        Self {
            next: frame.next(),
            position: frame.end(),
            chain: frame.chain(),
            recorded_at: self.recorded_at.max(frame.recorded_at),
        }
    }
}

pub(crate) struct State {
    pub(crate) end: LogEnd,
    /// All segments in order, the active one last; at least one.
    pub(crate) segments: Arc<Vec<SegmentHeader>>,
    pub(crate) active: ActiveIndex,
    /// Indexes of sealed segments whose files are not written yet.
    pub(crate) unindexed: Vec<Arc<Unwritten>>,
    /// In order, so that equal logs write equal checkpoints.
    pub(crate) marks: BTreeMap<MarkName, Sequence>,
    pub(crate) window: Window,
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
            marks: BTreeMap::new(),
            window: Window::new(first.secret.request_hasher(), options.requests),
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
    pub(crate) fn apply(&mut self, heads: &Heads, frame: &FrameHeader, records: &[IndexedRecord]) {
        let Some(segment) = self.segments.last() else { return };
        let end = self.end.after(frame);
        let offset = u32::try_from(frame.position.since(segment.base)).unwrap_or(u32::MAX);
        for run in runs(records) {
            if let Some(last) = run.last() {
                let previous = heads.advance(last.stream, last.version, segment.number);
                self.active.add(run, previous);
            }
        }
        if frame.events > 0 {
            self.active.pass(Waypoint { first: frame.first, recorded_at: frame.recorded_at, offset });
            self.chains.push(frame.next(), end.chain);
        }
        if frame.kind == crate::frame::Kind::Append {
            self.window.push(Request { id: frame.request_id, first: frame.first }, frame.recorded_at);
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
    next.base.since(segment.base).saturating_sub(to_u64(HEADER_BYTES))
}

/// All that the threads of an open log share.
pub(crate) struct Shared {
    pub(crate) environment: Environment,
    pub(crate) options: Options,
    pub(crate) log_id: LogId,
    pub(crate) tag: LogTag,
    pub(crate) hasher: StreamHasher,
    pub(crate) heads: Heads,
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
            (state.marks.len(), state.window.encoded_len())
        };
        base::bytes_max(self.heads.len(), marks, request_bytes)
    }

    /// The space on the disk as it is now, and what of it is kept free.
    pub(crate) fn headroom(&self) -> Headroom {
        let owed_bytes = self.base_bytes().saturating_add(self.unwritten_file_bytes());
        Headroom::look(&*self.environment.disk, self.options.reserve_bytes, owed_bytes)
    }
}

/// Open handles of segments, the most recently used ones.
pub(crate) struct SegmentFiles {
    disk: Arc<dyn Disk>,
    open: Mutex<VecDeque<(SegmentNumber, Arc<dyn DiskFile>)>>,
    /// Which file is written; `None`: the system does not say.
    active: Mutex<Option<(SegmentNumber, FileId)>>,
}

/// How many segments are kept open for reading.
const SEGMENTS_OPEN_MAX: usize = 64;

impl SegmentFiles {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, open: Mutex::default(), active: Mutex::default() }
    }

    pub(crate) fn get(&self, segment: SegmentNumber) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.find(segment) {
            return Ok(file);
        }
        let file = self.disk.open(&segment.file_name())?;
        self.put(segment, file.clone());
        Ok(file)
    }

    /// Takes the file that is written from now on.
    pub(crate) fn put_active(&self, segment: SegmentNumber, file: Arc<dyn DiskFile>) {
        *self.active.lock() = file.id().ok().map(|id| (segment, id));
        self.put(segment, file);
    }

    /// Which file is written, whatever its name is now.
    pub(crate) fn active(&self) -> Option<(SegmentNumber, FileId)> {
        *self.active.lock()
    }

    fn put(&self, segment: SegmentNumber, file: Arc<dyn DiskFile>) {
        let mut open = self.open.lock();
        open.truncate(SEGMENTS_OPEN_MAX - 1);
        open.push_front((segment, file));
    }

    /// Gives up the handles of segments before this one. Who is reading one of them keeps it open.
    pub(crate) fn forget_before(&self, segment: SegmentNumber) {
        self.open.lock().retain(|(number, _)| *number >= segment);
    }

    fn find(&self, segment: SegmentNumber) -> Option<Arc<dyn DiskFile>> {
        let mut open = self.open.lock();
        let at = open.iter().position(|(number, _)| *number == segment)?;
        let entry = open.remove(at)?;
        let file = entry.1.clone();
        open.push_front(entry);
        Some(file)
    }
}
