//! Opening: what is in the folder becomes the log's state, whatever the last crash left.
//!
//! What always holds:
//!
//! * Damage at p is corruption if anything later says that p was durable: a frame header, footer or close mark
//!   with `synced_to` > p, the next segment, or a checkpoint. Otherwise it is the torn tail of a group that was
//!   never answered.
//! * Nothing is written before it is certain that there is no corruption, and nothing at all if there is.
//! * What is served was written and synced anew, unless a frame behind it says that it was durable: after a failed
//!   sync the system's cache shows bytes that are not on the disk.

use crate::disk::{DiskFile, Environment};
use crate::error::{Corruption, OpenError};
use crate::files::{CHECKPOINT, open_error, read_file};
use crate::format::{
    ActiveIndex, BASE_NOT_WELL_FORMED, Base, Checkpoint, Cursor, Extent, FRAME_HEADER_BYTES, FRAMES_AT,
    Frame, GROUP_BYTES_MAX, Kind, LogTag, Position, SegmentHeader, SegmentNumber, Stop, damaged_base,
    last_synced_to,
};
use crate::num::to_u64;
use crate::open::folder::{LogFiles, check_new, missing_segment, read_files, remove_segments};
use crate::open::repair;
use crate::options::{Options, planted};
use crate::read::{State, UNWRITTEN_BYTES_MAX, Unwritten, footer_offset, unwritten_bytes};
use crate::state::{StreamHasher, Window};
use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

/// A log as it was found, and mended.
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) segment: SegmentHeader,
    /// The active segment's file.
    pub(crate) file: Arc<dyn DiskFile>,
    /// Whether the last frame is a close mark.
    pub(crate) closed: bool,
    /// The segment at which a replay from the checkpoint begins; 0: there is no checkpoint.
    pub(crate) checkpointed: u32,
}

/// Recovers the log that is in the folder; `None` when there is none. `durable_to` is how far a backup, if it is one, was
/// whole.
pub(crate) fn recover(
    environment: &Environment,
    options: &Options,
    durable_to: Position,
) -> Result<Option<Recovered>, OpenError> {
    let disk = &*environment.disk;
    let names = disk.list().map_err(|error| open_error(disk, "", error))?;
    let mut numbers: Vec<_> = names.iter().filter_map(|name| SegmentNumber::of_file_name(name)).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return check_new(environment, &names).map(|()| None);
    }
    let recovery = Recovery::begin(environment, options, &names, &numbers)?;
    recovery.run(durable_to).map(Some)
}

struct Recovery<'a> {
    environment: &'a Environment,
    options: &'a Options,
    hasher: StreamHasher,
    tag: LogTag,
    /// What stands for the segments before the first one.
    base: Option<Base>,
    /// Why there is no base though there should be.
    base_damage: Option<Corruption>,
    /// Segments that the base stands for; a crash kept them from being removed.
    leftovers: Vec<SegmentNumber>,
    segments: Vec<SegmentHeader>,
    /// Why the segments end before the folder's last one.
    damage: Option<Corruption>,
    index_files: HashSet<&'a str>,
}

/// Which segments' indexes a replay makes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexes {
    /// Those that have no index file.
    Missing,
    /// All: where damage ends the log in the middle of a segment, its file speaks of more than can be read.
    All,
}

/// How a replay ended.
struct Replayed {
    state: State,
    file: Arc<dyn DiskFile>,
    closed: bool,
    /// What is certain to be durable in the active segment.
    synced_to: Position,
    /// The active segment has no frame yet, so the footer before it may not be durable.
    is_fresh: bool,
}

/// How the frames of a segment end.
enum Ending {
    /// As they should.
    Whole,
    /// In a torn tail.
    Torn,
    Corrupted(Corruption),
}

impl<'a> Recovery<'a> {
    fn begin(
        environment: &'a Environment,
        options: &'a Options,
        names: &'a [String],
        numbers: &[SegmentNumber],
    ) -> Result<Self, OpenError> {
        let LogFiles { base, base_damage, leftovers, segments, damage } = read_files(environment, numbers)?;
        let missing = || OpenError::Corrupted(missing_segment(environment, SegmentNumber::FIRST));
        let first = segments.first().ok_or_else(missing)?;
        let (hasher, tag) = (first.secret.stream_hasher(), first.secret.frame_tag());
        let index_files = names.iter().map(String::as_str).collect();
        Ok(Self {
            environment,
            options,
            hasher,
            tag,
            base,
            base_damage,
            leftovers,
            segments,
            damage,
            index_files,
        })
    }

    fn run(mut self, durable_to: Position) -> Result<Recovered, OpenError> {
        let mut checkpoint = self.read_checkpoint();
        let durable_to = checkpoint
            .as_ref()
            .filter(|_| !planted!(self.options, LostEndNotNoticed))
            .map_or(durable_to, |checkpoint| checkpoint.as_of.max(durable_to));
        let last = self.segments.last().map_or(SegmentNumber::FIRST, |last| last.number);
        if checkpoint.take_if(|checkpoint| checkpoint.replay_from > last).is_some() {
            // The checkpoint knows of segments that are not there or not readable.
            self.damage.get_or_insert_with(|| missing_segment(self.environment, last.next()));
        }
        // What an older checkpoint begins with is dropped.
        checkpoint.take_if(|checkpoint| self.index_of(checkpoint.replay_from).is_none());
        let checkpointed = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.replay_from.0);
        let mut replayed = self.replay(checkpoint.as_ref(), durable_to, Indexes::Missing)?;
        if replayed.state.corruption.is_some() {
            // The checkpoint and the index files know of what is damaged now: rebuild what lies below the damage without them.
            replayed = self.replay(None, durable_to, Indexes::All)?;
        }
        let base_damage = self.base_damage.take();
        if let Some(damage) = base_damage.filter(|_| !planted!(self.options, BaseDamageIgnored)) {
            replayed.state.corruption.get_or_insert(damage);
        }
        if replayed.state.corruption.is_none() {
            self.repair(&replayed)?;
            // Not being able to harms nothing: the base says what counts.
            remove_segments(&*self.environment.disk, &self.leftovers);
        }
        let Replayed { state, file, closed, .. } = replayed;
        let missing = || OpenError::Corrupted(missing_segment(self.environment, SegmentNumber::FIRST));
        let segment = *state.active_segment().ok_or_else(missing)?;
        Ok(Recovered { state, segment, file, closed, checkpointed })
    }

    fn read_checkpoint(&self) -> Option<Checkpoint> {
        let bytes = read_file(&*self.environment.disk, CHECKPOINT, Checkpoint::bytes_max).ok()?;
        let Some(checkpoint) = Checkpoint::parse(bytes) else {
            tracing::warn!("the checkpoint is damaged; rebuilding from the segments");
            return None;
        };
        self.segments.first().is_some_and(|first| first.log_id == checkpoint.log).then_some(checkpoint)
    }

    /// Goes over the log from where the checkpoint says, or from its start.
    fn replay(
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
                state.corruption = Some(damaged_base(&*self.environment.disk, 0, BASE_NOT_WELL_FORMED));
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

    fn index_of(&self, number: SegmentNumber) -> Option<usize> {
        self.segments.binary_search_by_key(&number, |segment| segment.number).ok()
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

    /// Wipes the torn tail, and makes durable what is going to be served.
    fn repair(&self, replayed: &Replayed) -> Result<(), OpenError> {
        let Some(active) = self.segments.last() else { return Ok(()) };
        let io = |error| self.io(active.number, error);
        let (base, end) = (active.base, replayed.state.end.position);
        let length = replayed.file.len().map_err(io)?;
        let extent = Extent { file: &*replayed.file, log: self.tag, base, from: end.since(base), to: length };
        if !planted!(self.options, TailNotWiped) {
            // A torn tail is never longer than one group. Behind a close mark there is none.
            let seen_only = replayed.closed || planted!(self.options, TailWipedInCache);
            let least = if seen_only { 0 } else { to_u64(GROUP_BYTES_MAX) };
            repair::wipe(extent, least).map_err(io)?;
        }
        if planted!(self.options, RecoveryTrustsCache) {
            return Ok(());
        }
        let unproven = Extent { from: replayed.synced_to.since(base), to: end.since(base), ..extent };
        repair::rewrite(unproven).map_err(io)?;
        if replayed.is_fresh
            && !planted!(self.options, FooterNotRewritten)
            && let [.., sealed, _] = self.segments.as_slice()
        {
            let file = self.open(sealed.number)?;
            let offset = footer_offset(sealed, active);
            repair::rewrite_footer(&*file, self.tag, sealed, active, offset)
                .map_err(|error| self.io(sealed.number, error))?;
        }
        let disk = &*self.environment.disk;
        disk.sync_dir().map_err(|error| open_error(disk, "", error))
    }

    fn open(&self, segment: SegmentNumber) -> Result<Arc<dyn DiskFile>, OpenError> {
        self.environment.disk.open(&segment.file_name()).map_err(|error| self.io(segment, error))
    }
    fn io(&self, segment: SegmentNumber, error: std::io::Error) -> OpenError {
        open_error(&*self.environment.disk, &segment.file_name(), error)
    }
    fn corruption(&self, segment: SegmentNumber, offset: u64, what: &'static str) -> Corruption {
        Corruption { file: self.environment.disk.display(&segment.file_name()), offset, what }
    }
}

#[cfg(test)]
mod tests;
