//! Recovery: what is in the folder becomes the log's state, whatever the last crash left there.
//!
//! What always holds:
//!
//! * Damage at p is corruption if anything later says that p was durable: a frame header, footer or close mark
//!   with `synced_to` > p, the next segment, or a checkpoint. Otherwise it is the torn tail of a group that was
//!   never answered.
//! * Nothing is written before it is certain that there is no corruption, and nothing at all if there is.
//! * What is served was written and synced again, unless a later frame says that it was durable: after a failed sync the
//!   system's cache shows bytes that are not on the disk.

mod replay;

use crate::disk::{DiskFile, Environment};
use crate::error::{Corruption, OpenError};
use crate::files::{CHECKPOINT, open_error, read_file};
use crate::format::{
    Base, Checkpoint, Extent, GROUP_BYTES_MAX, LogTag, Position, SegmentHeader, SegmentNumber,
};
use crate::num::to_u64;
use crate::open::folder::{LogFiles, check_new, missing_segment, read_files, remove_segments};
use crate::open::repair;
use crate::options::{Options, planted};
use crate::read::{State, footer_offset};
use crate::state::StreamHasher;
use replay::{Indexes, Replayed};
use std::{collections::HashSet, sync::Arc};

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

    fn index_of(&self, number: SegmentNumber) -> Option<usize> {
        self.segments.binary_search_by_key(&number, |segment| segment.number).ok()
    }

    /// Wipes the torn tail, and makes durable what is going to be served.
    fn repair(&self, replayed: &Replayed) -> Result<(), OpenError> {
        let Some(active) = self.segments.last() else { return Ok(()) };
        let io = |error| self.io(active.number, error);
        let (base, end) = (active.base, replayed.state.end.position);
        let length = replayed.file.len().map_err(io)?;
        let extent = Extent { file: &*replayed.file, log: self.tag, base, from: end.since(base), to: length };
        if !planted!(self.options, TailNotWiped) {
            // A torn tail is never longer than one group. After a close mark there is none.
            let seen_only = replayed.closed || planted!(self.options, TailWipedInCache);
            let least = if seen_only { 0 } else { to_u64(GROUP_BYTES_MAX) };
            let (disk, name) = (&*self.environment.disk, active.number.file_name());
            let rest_bytes = extent.to.saturating_sub(extent.from);
            let wiped = repair::wipe(extent, least);
            wiped.map_err(|cause| repair::wipe_error(disk, &name, rest_bytes, cause))?;
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
