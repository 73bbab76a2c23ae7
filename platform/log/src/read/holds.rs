//! Who keeps events from being dropped.
//!
//! What always holds: no hold is given on what a base was promised for, and nothing is dropped that somebody holds.

use crate::error::ReadError;
use crate::format::SegmentHeader;
use crate::read::shared::Shared;
use annals_event::Sequence;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// Keeps events from being dropped, until it is dropped itself or the process ends.
///
/// A mark whose name begins with [`Hold::MARK_PREFIX`] is a hold that outlives the process: events from the mark's
/// sequence number on are kept. Setting it to `Sequence::MAX` releases it.
#[must_use = "dropping it ends the hold"]
pub struct Hold {
    shared: Arc<Shared>,
    id: u64,
}

impl Hold {
    /// How the names of marks begin that are holds.
    pub const MARK_PREFIX: &'static str = "$hold-";
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.retention.holds.lock().held.remove(&self.id);
    }
}

/// Who drops, and who keeps others from it.
#[derive(Default)]
pub(crate) struct RetentionState {
    /// Held while segments are dropped: one at a time.
    pub(crate) running: Mutex<()>,
    pub(crate) holds: Mutex<Holds>,
}

#[derive(Default)]
pub(crate) struct Holds {
    next_id: u64,
    pub(crate) held: BTreeMap<u64, Sequence>,
    /// Where the log will begin: a base says so, or is about to. No hold is given below.
    pub(crate) promised: Option<SegmentHeader>,
}

/// Keeps the events from `from` on.
pub(crate) fn hold(shared: &Arc<Shared>, from: Sequence) -> Result<Hold, ReadError> {
    let mut holds = shared.retention.holds.lock();
    let begins = shared.state.read().segments.first().map_or(Sequence::FIRST, |segment| segment.first);
    let first = holds.promised.map_or(begins, |promised| promised.first.max(begins));
    if from.max(Sequence::FIRST) < first {
        return Err(ReadError::BelowStart { first });
    }
    holds.next_id += 1;
    let id = holds.next_id;
    holds.held.insert(id, from);
    Ok(Hold { shared: shared.clone(), id })
}

/// Keeps all events that are there, once nothing is being dropped.
pub(crate) fn hold_all(shared: &Arc<Shared>) -> Result<Hold, ReadError> {
    let _running = shared.retention.running.lock();
    let begins = shared.state.read().segments.first().map_or(Sequence::FIRST, |segment| segment.first);
    hold(shared, begins)
}
