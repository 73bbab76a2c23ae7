//! What is done beside the appends: the next segment's file, index files, checkpoints. All of it is derived or
//! not yet part of the log, so a failure here harms nothing and is tried again later.

use crate::checkpoint;
use crate::error::MaintenanceError;
use crate::files::{CHECKPOINT, replace_file};
use crate::index::SegmentIndex;
use crate::prepare::{Preparation, Prepared};
use crate::state::Shared;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
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
        self.preparation.lock().step()
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

    fn write_index(&self, index: &Arc<SegmentIndex>) -> Result<(), MaintenanceError> {
        let name = index.of().segment.index_file_name();
        replace_file(&*self.shared.environment.disk, &name, index.as_bytes())?;
        self.shared.indexes.put(index.clone());
        self.shared.state.write().unindexed.retain(|held| !Arc::ptr_eq(held, index));
        Ok(())
    }

    /// Whether so many segments were sealed since the last checkpoint that another is due.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let active = self.shared.state.read().active_segment().map_or(0, |segment| segment.number.0);
        let since = active.saturating_sub(self.checkpointed.load(Ordering::Relaxed));
        since >= self.shared.options.checkpoint_segments.max(1)
    }

    pub(crate) fn checkpoint(&self) -> Result<(), MaintenanceError> {
        if self.is_frozen() {
            return Ok(());
        }
        // A segment that begins meanwhile makes it void; segments are long, so the next try holds.
        const TRIES: usize = 8;
        if let Some((segment, bytes)) = (0..TRIES).find_map(|_| checkpoint::encode(&self.shared)) {
            let _drafting = self.shared.drafting.lock();
            replace_file(&*self.shared.environment.disk, CHECKPOINT, &bytes)?;
            self.checkpointed.store(segment.0, Ordering::Relaxed);
        }
        Ok(())
    }
}
