use crate::{GenerationId, GenerationStatus, ProjectorOptions};

/// When snapshots are taken by themselves, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotPolicy {
    /// After so many applied events.
    pub every_events: u64,
    /// How many of the newest are kept.
    pub keep: usize,
}

impl SnapshotPolicy {
    /// How many snapshots are kept when nobody says otherwise.
    pub const KEEP_DEFAULT: usize = 5;

    /// A snapshot after every `events` applied events.
    pub const fn every(events: u64) -> Self {
        Self { every_events: events, keep: Self::KEEP_DEFAULT }
    }
    /// Keeps so many of the newest; at least one.
    #[must_use]
    pub const fn keep(self, keep: usize) -> Self {
        Self { keep, ..self }
    }
}

/// Takes snapshots of one generation in the background, one at a time.
pub(crate) struct SnapshotTaker;

impl SnapshotTaker {
    pub(crate) async fn new(_options: &ProjectorOptions, _policy: SnapshotPolicy, _id: GenerationId) -> Self {
        Self
    }
    pub(crate) fn consider(&mut self, _status: &GenerationStatus) {}
}
