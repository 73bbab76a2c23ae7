//! Going over the log from a checkpoint, a base or its start on: what its frames say becomes its state.

use super::Recovery;
use crate::disk::DiskFile;
use crate::error::{Corruption, OpenError};
use crate::format::{
    ActiveIndex, Base, Checkpoint, Cursor, Extent, FRAME_HEADER_BYTES, FRAMES_AT, Frame, Kind, Position,
    SegmentHeader, SegmentNumber, Stop, last_synced_to,
};
use crate::num::to_u64;
use crate::open::folder::missing_segment;
use crate::options::planted;
use crate::read::{State, UNWRITTEN_BYTES_MAX, Unwritten, footer_offset, unwritten_bytes};
use crate::state::Window;
use std::{ops::ControlFlow, sync::Arc};

/// Which segments' indexes a replay makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexes {
    /// Those that have no index file.
    Missing,
    /// All: where damage ends the log in the middle of a segment, its file speaks of more than can be read.
    All,
}

/// How a replay ended.
pub(super) struct Replayed {
    pub(super) state: State,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) closed: bool,
    /// What is certain to be durable in the active segment.
    pub(super) synced_to: Position,
    /// The active segment has no frame yet, so the footer before it may not be durable.
    pub(super) is_fresh: bool,
}

/// How the frames of a segment end.
enum Ending {
    /// As they should.
    Whole,
    /// In a torn tail.
    Torn,
    Corrupted(Corruption),
}

impl Recovery<'_> {
    /// Goes over the log from where the checkpoint says, or from its start.
    pub(super) fn replay(
        &self,
        checkpoint: Option<&Checkpoint>,
        durable_to: Position,
        indexes: Indexes,
    ) -> Result<Replayed, OpenError> {
        let start = checkpoint.and_then(|checkpoint| self.index_of(checkpoint.replay_from)).unwrap_or(0);
        let missing = || OpenError::Corrupted(missing_segment(self.environment, SegmentNumber::FIRST));
        let first = *self.segments.get(start).ok_or_else(missing)?;
        let mut state = State::at_start_of(first, self.options);
        state.segments = Arc::new(self.segments.iter().take(start + 1).copied().collect());
        state.corruption = self.check_footers(start)?;
        match (checkpoint, &self.base) {
            (Some(checkpoint), _) if checkpoint.restore(&mut state.decided).is_none() => {
                return self.replay(None, durable_to, indexes);
            }
            (None, Some(base)) if base.restore(&mut state.decided).is_none() => {
                state.corruption = Some(Base::damaged(&*self.environment.disk, 0, Base::NOT_WELL_FORMED));
            }
            _ => {}
        }
        if planted!(self.options, RequestsForgotten) {
            state.decided.window = Window::new(first.secret.request_hasher(), self.options.requests);
        }
        let file = self.open(first.number)?;
        let synced_to = first.frames();
        let mut replayed = Replayed { state, file, closed: false, synced_to, is_fresh: true };
        for at in start..self.segments.len() {
            if replayed.state.corruption.is_some() {
                break;
            }
            replayed.state.corruption = self.replay_segment(at, &mut replayed, durable_to, indexes)?;
        }
        if replayed.state.corruption.is_none() {
            replayed.state.corruption = self.damage.clone();
        }
        Ok(replayed)
    }

    /// Checks the footers of the segments before the one at `start`, which are not gone over. A checkpoint that lets
    /// a replay begin in a segment was written after the footer before that was synced.
    fn check_footers(&self, start: usize) -> Result<Option<Corruption>, OpenError> {
        for pair in self.segments.windows(2).take(start) {
            if let [segment, next] = pair
                && !self.has_footer(segment, next)?
            {
                return Ok(Some(self.corruption(
                    segment.number,
                    footer_offset(segment, next),
                    "the segment's footer is missing",
                )));
            }
        }
        Ok(None)
    }

    fn replay_segment(
        &self,
        at: usize,
        replayed: &mut Replayed,
        durable_to: Position,
        indexes: Indexes,
    ) -> Result<Option<Corruption>, OpenError> {
        let Some(segment) = self.segments.get(at) else { return Ok(None) };
        if replayed.state.active_segment() != Some(segment) {
            let state = &mut replayed.state;
            if state.end.next != segment.first || state.end.chain != segment.chain {
                return Ok(Some(self.corruption(
                    segment.number,
                    0,
                    "it does not follow the segment before it",
                )));
            }
            let index = state.begin_segment(*segment, ActiveIndex::default());
            self.keep_index(state, index);
            replayed.file = self.open(segment.number)?;
        }
        if indexes == Indexes::Missing && at + 1 < self.segments.len() && self.has_index(segment.number) {
            replayed.state.active = ActiveIndex::void();
        }
        (replayed.synced_to, replayed.is_fresh, replayed.closed) = (segment.frames(), true, false);
        let length = replayed.file.len().map_err(|error| self.io(segment.number, error))?;
        let next = self.segments.get(at + 1);
        // A file is made in its full length before it gets its name. What is left of it can still be read.
        let cut = (length < segment.capacity_bytes)
            .then(|| self.corruption(segment.number, length, "the file is shorter than it was made"));
        let to = next.map_or(length, |next| footer_offset(segment, next)).min(length);
        let file = replayed.file.clone();
        let extent = Extent { file: &*file, log: self.tag, base: segment.base, from: FRAMES_AT, to };
        match (self.replay_frames(extent, segment, next, replayed, durable_to)?, next) {
            (Ending::Corrupted(corruption), _) => Ok(Some(corruption)),
            _ if cut.is_some() => Ok(cut),
            (Ending::Torn, _) => Ok(None),
            (Ending::Whole, Some(next)) => self.check_footer(at, segment, next, replayed),
            (Ending::Whole, None) => Ok(None),
        }
    }

    /// Takes in the frames of a segment, up to its end or to the first that is not whole.
    fn replay_frames(
        &self,
        extent: Extent<'_>,
        segment: &SegmentHeader,
        next: Option<&SegmentHeader>,
        replayed: &mut Replayed,
        durable_to: Position,
    ) -> Result<Ending, OpenError> {
        let stop = Cursor::new(extent).each(|frame| self.replay_frame(frame, replayed));
        let (offset, what) = match stop.map_err(|error| self.io(segment.number, error))? {
            Stop::End => return Ok(Ending::Whole),
            Stop::Enough(footer) => {
                return Ok(self.ended_by_footer(segment, next, footer.position.since(segment.base)));
            }
            Stop::Bad { offset, what } => (offset, what),
        };
        let damaged = Extent { from: offset, ..extent };
        if next.is_some() || self.damage.is_some() || self.was_durable(damaged, segment, durable_to)? {
            return Ok(Ending::Corrupted(self.corruption(segment.number, offset, what)));
        }
        Ok(Ending::Torn)
    }

    /// A footer among the frames: right only where the segments end because the next one is damaged.
    fn ended_by_footer(&self, segment: &SegmentHeader, next: Option<&SegmentHeader>, offset: u64) -> Ending {
        match (next, &self.damage) {
            (Some(_), _) => {
                Ending::Corrupted(self.corruption(segment.number, offset, "a footer stands among the frames"))
            }
            (None, Some(_)) => Ending::Whole,
            (None, None) => Ending::Corrupted(missing_segment(self.environment, segment.number.next())),
        }
    }

    /// Whether anything says that the start of `damaged`, where no whole frame stands, was durable.
    fn was_durable(
        &self,
        damaged: Extent<'_>,
        segment: &SegmentHeader,
        durable_to: Position,
    ) -> Result<bool, OpenError> {
        let position = segment.base.plus(damaged.from);
        if planted!(self.options, ZeroSectorEndsLog) {
            let mut header = [0; FRAME_HEADER_BYTES];
            let read = damaged.file.read_at(&mut header, damaged.from);
            read.map_err(|error| self.io(segment.number, error))?;
            if header == [0; FRAME_HEADER_BYTES] {
                return Ok(false);
            }
        }
        let later = last_synced_to(damaged).map_err(|error| self.io(segment.number, error))?;
        if planted!(self.options, SiblingFrameIsCorruption) && later.is_some() {
            return Ok(true);
        }
        Ok(durable_to > position || later.is_some_and(|synced_to| synced_to > position))
    }

    /// Takes in one frame, if it follows what is there. `Break`: it is the footer.
    fn replay_frame(
        &self,
        frame: &Frame<'_>,
        replayed: &mut Replayed,
    ) -> Result<ControlFlow<()>, &'static str> {
        let (header, state) = (&frame.header, &mut replayed.state);
        let unchecked = planted!(self.options, ChainNotChecked);
        header.check_follows(state.end.next, if unchecked { header.previous } else { state.end.chain })?;
        if header.kind != Kind::Footer {
            let heads = &state.decided.heads;
            let records = frame.records(&self.hasher, |stream, version| {
                // Without its base nobody knows where the log's streams begin.
                self.base_damage.is_some() || version.get() <= heads.version(stream).get() + 1
            })?;
            state.decided.marks.extend(frame.marks()?);
            state.apply(header, &records);
            replayed.is_fresh = false;
            replayed.closed = header.kind == Kind::Close;
        }
        replayed.synced_to = replayed.synced_to.max(header.synced_to);
        Ok(if header.kind == Kind::Footer { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn has_index(&self, segment: SegmentNumber) -> bool {
        self.index_files.contains(segment.index_file_name().as_str())
    }

    /// Keeps the index of a segment that has just been gone over, if its file is not there. When too many are
    /// missing, those that are needed are made again one by one.
    fn keep_index(&self, state: &mut State, index: Option<Arc<Unwritten>>) {
        let missing = |index: &Arc<Unwritten>| !self.has_index(index.of.segment);
        let room = unwritten_bytes(&state.unindexed) < UNWRITTEN_BYTES_MAX;
        state.unindexed.extend(index.filter(|index| room && missing(index)));
    }

    fn has_footer(&self, segment: &SegmentHeader, next: &SegmentHeader) -> Result<bool, OpenError> {
        let file = self.open(segment.number)?;
        let from = footer_offset(segment, next);
        let to = from + to_u64(FRAME_HEADER_BYTES);
        let extent = Extent { file: &*file, log: self.tag, base: segment.base, from, to };
        let stop = Cursor::new(extent).each(|_| Ok(ControlFlow::Break(())));
        Ok(matches!(stop.map_err(|error| self.io(segment.number, error))?, Stop::Enough(footer)
            if footer.kind == Kind::Footer && footer.check_follows(next.first, next.chain).is_ok()))
    }

    /// The footer may be missing while the next segment, the last one, has no frame.
    fn check_footer(
        &self,
        at: usize,
        segment: &SegmentHeader,
        next: &SegmentHeader,
        replayed: &Replayed,
    ) -> Result<Option<Corruption>, OpenError> {
        let end = &replayed.state.end;
        if end.next != next.first || end.chain != next.chain {
            return Ok(Some(self.corruption(next.number, 0, "it does not follow the segment before it")));
        }
        if self.has_footer(segment, next)? {
            return Ok(None);
        }
        let file = self.open(next.number)?;
        let to = file.len().map_err(|error| self.io(next.number, error))?;
        let extent = Extent { file: &*file, log: self.tag, base: next.base, from: FRAMES_AT, to };
        let used = last_synced_to(extent).map_err(|error| self.io(next.number, error))?.is_some();
        if at + 2 == self.segments.len() && self.damage.is_none() && !used {
            return Ok(None);
        }
        let offset = footer_offset(segment, next);
        Ok(Some(self.corruption(segment.number, offset, "the segment's footer is missing")))
    }
}
