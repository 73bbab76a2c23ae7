//! The engine without threads: what it does depends on its calls and its environment alone.
//!
//! What always holds:
//!
//! * At most one group is in flight: the next one is written only after the last one's sync.
//! * No answer leaves before the sync of the group that it may rest on.
//! * After a failed write or sync, or once the folder is no longer the log's, nothing is written any more.

mod commit;
mod group;
mod rotate;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;

use crate::care::{Maintenance, RetainError, Retained, Retention, Watch, When, check_folder, retain};
use crate::disk::{DiskFile, Environment};
use crate::error::{Corruption, MaintenanceError, OpenError};
use crate::files::{maintenance_error, open_error};
use crate::format::{FRAME_HEADER_BYTES, Kind, Position, SegmentHeader, SegmentNumber, mark_frame};
use crate::num::to_u64;
use crate::open::{
    Locked, Preparation, Prepared, Recovered, backup_manifest, become_log, create, lock_folder,
    next_capacity, recover, within_limits,
};
use crate::options::Options;
use crate::read::{Headroom, IndexCache, LogTime, Reader, RetentionState, SegmentFiles, Shared};
use crate::stats::Stats;
use group::{Answered, Group};
use parking_lot::{Mutex, RwLock};
use std::{io, sync::Arc};

/// Kept free at a segment's end for a close mark and the footer.
const RESERVED_BYTES: u64 = 2 * to_u64(FRAME_HEADER_BYTES);

/// The only one that writes. Driven by one thread; [`Log`](crate::Log) is a shell around it.
pub struct Writer {
    shared: Arc<Shared>,
    maintenance: Arc<Maintenance>,
    /// The active segment.
    segment: SegmentHeader,
    file: Arc<dyn DiskFile>,
    group: Group,
    answers: Vec<Answered>,
    /// The space on the disk, as the last group found it.
    headroom: Headroom,
    /// The last frame is a close mark.
    closed: bool,
    /// Held as long as anything may be written.
    locked: Locked,
    /// When the folder was last looked at, by what passes.
    looked_at: Option<u64>,
}

impl Writer {
    /// Opens the log in `environment`, making it when it is missing, and recovers what a crash left.
    pub fn open(environment: Environment, options: Options) -> Result<Self, OpenError> {
        let (disk, options) = (&*environment.disk, within_limits(options));
        let names = disk.list().map_err(|error| open_error(disk, "", error))?;
        if !names.iter().any(|name| SegmentNumber::of_file_name(name).is_some()) {
            crate::open::check_new(&environment, &names)?;
        }
        let locked = lock_folder(&environment)?;
        let names = disk.list().map_err(|error| open_error(disk, "", error))?;
        let backup = backup_manifest(disk, &names)?;
        let durable_to = backup.as_ref().map_or(Position::default(), |backup| backup.end);
        let recovered = match recover(&environment, &options, durable_to)? {
            Some(recovered) => recovered,
            None => create(&environment, &options)?,
        };
        if let Some(backup) = backup {
            become_log(disk, &backup, &recovered.state)?;
        }
        Ok(Self::start(environment, options, recovered, locked))
    }

    fn start(environment: Environment, options: Options, recovered: Recovered, locked: Locked) -> Self {
        let Recovered { state, file, closed, checkpointed, segment } = recovered;
        let (log_id, secret) = (segment.log_id, segment.secret);
        let tag = secret.frame_tag();
        let disk = environment.disk.clone();
        let preparation = Preparation::new(disk.clone(), next_capacity(&options, &segment));
        let files = SegmentFiles::new(disk);
        files.put_active(segment.number, file.clone());
        let group = Group::new(tag, secret.request_hasher(), segment.base, state.end);
        let indexes = IndexCache::new(options.index_cache_bytes_max);
        let time = LogTime::new(environment.clock.clone(), state.end.recorded_at, options.trust_clock);
        let shared = Arc::new(Shared {
            environment,
            options,
            log_id,
            opening: locked.opening,
            tag,
            hasher: secret.stream_hasher(),
            heads: state.decided.heads.clone(),
            state: RwLock::new(state),
            files,
            indexes,
            poison: crate::read::Poison::default(),
            shortage: crate::read::Shortage::default(),
            counters: crate::stats::Counters::default(),
            scrub: crate::read::ScrubState::default(),
            waiters: Mutex::default(),
            retention: RetentionState::default(),
            backing_up: Mutex::default(),
            time,
            drafting: Mutex::default(),
            blocks: crate::read::RecentBlocks::default(),
        });
        let headroom = shared.headroom();
        let maintenance = Arc::new(Maintenance::new(shared.clone(), preparation, checkpointed));
        let (answers, looked_at) = (Vec::new(), None);
        Self { shared, maintenance, segment, file, group, answers, headroom, closed, locked, looked_at }
    }

    /// A reader of what is durable.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    /// What the log did since it was opened.
    pub fn stats(&self) -> Stats {
        stats(&self.shared)
    }

    /// Does one step (at most 1 MiB, synced) of preparing the next segment's file.
    pub fn prepare_step(&self) -> Result<Prepared, MaintenanceError> {
        self.maintenance.prepare_step()
    }

    /// Writes the index files of sealed segments that have none yet.
    pub fn write_indexes(&self) -> Result<(), MaintenanceError> {
        self.maintenance.write_indexes()
    }

    /// Writes a checkpoint.
    pub fn checkpoint(&self) -> Result<(), MaintenanceError> {
        self.maintenance.checkpoint()
    }

    /// Drops the oldest segments that `retention` does not keep and nobody holds.
    pub fn retain(&self, retention: Retention) -> Result<Retained, RetainError> {
        retain(&self.reader(), retention, When::Now)
    }

    /// The same, once it is worth it: see [`Log::retain_when_due`](crate::Log::retain_when_due).
    pub fn retain_when_due(&self, retention: Retention) -> Result<Retained, RetainError> {
        retain(&self.reader(), retention, When::Due)
    }

    /// The damage that keeps the log from being written, if there is any.
    pub fn corruption(&self) -> Option<Corruption> {
        self.shared.state.read().corruption.clone()
    }

    /// Writes a close mark, index files and a checkpoint. A log that stopped is left as it is.
    pub fn close(mut self) -> Result<(), MaintenanceError> {
        self.finish()
    }

    pub(crate) fn finish(&mut self) -> Result<(), MaintenanceError> {
        if let Err(astray) = check_folder(&self.shared, &*self.locked.lock) {
            self.shared.stop_writing(&astray);
        }
        let frozen = self.shared.poison.reason().is_some() || self.corruption().is_some();
        if frozen || self.closed && self.maintenance.is_checkpoint_current() {
            return Ok(());
        }
        self.maintenance.write_indexes()?;
        self.write_close_mark().map_err(|error| {
            self.shared.stop_after(&error);
            maintenance_error(&*self.shared.environment.disk, &self.segment.number.file_name(), error)
        })?;
        self.maintenance.preparation.lock().discard();
        self.maintenance.checkpoint()
    }

    pub(crate) fn maintenance(&self) -> Arc<Maintenance> {
        self.maintenance.clone()
    }

    /// What looks after the log's folder beside the appends.
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.shared.clone(), &self.locked)
    }

    /// Says that the log was closed in order, and that everything before is durable.
    fn write_close_mark(&mut self) -> io::Result<()> {
        let end = self.shared.state.read().end;
        let offset = end.position.since(self.segment.base);
        if self.closed || offset + RESERVED_BYTES > self.segment.capacity_bytes {
            return Ok(());
        }
        let mark = mark_frame(Kind::Close, self.shared.tag, &end);
        let encoded = mark.encode();
        self.file.write_at(&encoded, offset)?;
        self.file.sync_data()?;
        self.shared.state.write().apply(&mark, &[]);
        self.closed = true;
        Ok(())
    }
}

pub(crate) fn stats(shared: &Shared) -> Stats {
    let segments = to_u64(shared.state.read().segments.len());
    shared.counters.stats(segments)
}
