//! What scrubbing did and found, shared by the scrubber and those who ask.

use crate::error::Corruption;
use annals_event::Timestamp;
use parking_lot::Mutex;

/// What scrubbing did since the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrubStatus {
    /// How often all sealed segments were gone over.
    pub passes: u64,
    /// When that was done last.
    pub last_pass_at: Option<Timestamp>,
    /// Segments that were gone over, again and again.
    pub segments: u64,
    /// Bytes that were gone over.
    pub bytes: u64,
    /// Damage that the last pass, and the one that is under way, found; at most 100 places are kept.
    pub damages: Vec<Corruption>,
}

/// Shared by whoever scrubs and whoever asks.
#[derive(Default)]
pub(crate) struct ScrubState {
    /// Held during a pass: one at a time.
    pub(crate) running: Mutex<()>,
    pub(crate) status: Mutex<ScrubStatus>,
}

/// How many places of damage are kept.
pub(crate) const DAMAGES_MAX: usize = 100;

impl ScrubState {
    pub(crate) fn status(&self) -> ScrubStatus {
        self.status.lock().clone()
    }
}
