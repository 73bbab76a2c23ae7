//! Work beside the appends: the next segment's file, index files, checkpoints. All of it is derived or not yet part of the
//! log, so a failure here harms nothing and is tried again later.

use crate::care::checkpoint;
use crate::error::MaintenanceError;
use crate::files::{CHECKPOINT, PREPARED, maintenance_error, replace_file};
use crate::format::{SegmentHeader, heads_bytes};
use crate::open::{Preparation, Prepared};
use crate::read::{Purpose, Shared, Unwritten};
use parking_lot::Mutex;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

pub(crate) struct Maintenance {
    pub(crate) shared: Arc<Shared>,
    pub(crate) preparation: Mutex<Preparation>,
    /// The segment at which a replay from the last checkpoint begins.
    checkpointed: AtomicU32,
}

impl Maintenance {
    pub(crate) fn new(shared: Arc<Shared>, preparation: Preparation, checkpointed: u32) -> Self {
        Self { shared, preparation: Mutex::new(preparation), checkpointed: AtomicU32::new(checkpointed) }
    }

    /// Whether the log is to be left as it is: it is damaged, or it stopped.
    fn is_frozen(&self) -> bool {
        self.shared.poison.reason().is_some() || self.shared.state.read().corruption.is_some()
    }

    pub(crate) fn prepare_step(&self) -> Result<Prepared, MaintenanceError> {
        if self.is_frozen() {
            return Ok(Prepared::Ready);
        }
        let disk = &*self.shared.environment.disk;
        let mut preparation = self.preparation.lock();
        let missing = preparation.missing_bytes(0);
        let headroom = self.shared.headroom();
        if missing > 0
            && let Err(reason) = headroom.allows(Purpose::Users, missing)
        {
            // What is there of it is space, too.
            preparation.discard();
            let short = io::Error::new(io::ErrorKind::StorageFull, reason);
            return Err(maintenance_error(disk, PREPARED, short));
        }
        preparation.step()
    }

    /// Does one step if the active segment is so full that the next one will be needed: a log that is hardly used
    /// stays small.
    pub(crate) fn prepare_if_needed(&self) -> Result<Prepared, MaintenanceError> {
        const USED_SHARE_MIN: u64 = 8;
        let needed = {
            let state = self.shared.state.read();
            let used = |active: &SegmentHeader| state.end.position.since(active.base);
            let state = state.active_segment();
            state.is_some_and(|active| used(active).saturating_mul(USED_SHARE_MIN) > active.capacity_bytes)
        };
        let prepared = if needed { self.prepare_step() } else { Ok(Prepared::Ready) };
        self.look_for_room(prepared.is_ok());
        prepared
    }

    /// Takes note of whether there is room for appends; `goes_on`: the segment after this one has what it needs.
    fn look_for_room(&self, goes_on: bool) {
        match self.shared.headroom().allows(Purpose::Users, 0) {
            Err(reason) => self.shared.shortage.begin(reason.into()),
            Ok(()) if goes_on => self.shared.shortage.end(),
            // The appends that the active segment has no room for are told.
            Ok(()) => {}
        }
    }

    /// Whether the active segment is fuller than the next one's file: then appends may have to wait for it.
    pub(crate) fn is_preparation_behind(&self) -> bool {
        let (filled, target) = self.preparation.lock().progress_bytes();
        let state = self.shared.state.read();
        let Some(active) = state.active_segment() else { return false };
        let used = state.end.position.since(active.base);
        used.saturating_mul(target) > filled.saturating_mul(active.capacity_bytes)
    }

    pub(crate) fn write_indexes(&self) -> Result<(), MaintenanceError> {
        if self.is_frozen() {
            return Ok(());
        }
        let _drafting = self.shared.drafting.lock();
        let oldest = || self.shared.state.read().unindexed.first().cloned();
        while let Some(index) = oldest() {
            self.write_index(&index)?;
        }
        Ok(())
    }

    /// Sorts the index and writes its file. It is given back by the caller, whose clone outlives the state's lock.
    fn write_index(&self, unwritten: &Arc<Unwritten>) -> Result<(), MaintenanceError> {
        let index = Arc::new(unwritten.index.seal(unwritten.of));
        let name = unwritten.of.segment.index_file_name();
        replace_file(&*self.shared.environment.disk, &name, index.as_bytes())?;
        self.shared.indexes.put(index);
        self.shared.state.write().unindexed.retain(|held| !Arc::ptr_eq(held, unwritten));
        Ok(())
    }

    /// Whether so many segments were sealed since the last checkpoint that another is due: about as much as went into
    /// segments, at most, goes into checkpoints.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let active = self.shared.state.read().active_segment().map_or(0, |segment| segment.number.0);
        let since = active.saturating_sub(self.checkpointed.load(Ordering::Relaxed));
        let options = &self.shared.options;
        u64::from(since) >= u64::from(options.checkpoint_segments.max(1))
            && u64::from(since) * options.segment_bytes >= heads_bytes(&self.shared.heads)
    }

    /// Whether a replay from the last checkpoint begins in the active segment: sooner it cannot.
    pub(crate) fn is_checkpoint_current(&self) -> bool {
        let active = self.shared.state.read().active_segment().map_or(0, |segment| segment.number.0);
        active == self.checkpointed.load(Ordering::Relaxed)
    }

    pub(crate) fn checkpoint(&self) -> Result<(), MaintenanceError> {
        if self.is_frozen() {
            return Ok(());
        }
        // A segment that begins meanwhile makes it void; segments are long, so the next try holds.
        const TRIES: usize = 8;
        if let Some(made) = (0..TRIES).find_map(|_| checkpoint::encode(&self.shared)) {
            let _drafting = self.shared.drafting.lock();
            replace_file(&*self.shared.environment.disk, CHECKPOINT, &made.bytes)?;
            self.checkpointed.store(made.replay_from.0, Ordering::Relaxed);
        }
        Ok(())
    }
}
