//! What the log did since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events written.
    pub events: u64,
    /// Appends written; refused and repeated ones do not count.
    pub appends: u64,
    /// Groups of appends that were written and synced together.
    pub groups: u64,
    /// Syncs of files and folders on the way of appends: one a group, and those of starting new segments.
    pub syncs: u64,
    /// Bytes of frames written.
    pub bytes: u64,
    /// Appends refused because of a conflict.
    pub conflicts: u64,
    /// Appends answered with the result of their original.
    pub repeats: u64,
    /// Segments that the log has, the active one included.
    pub segments: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) events: AtomicU64,
    pub(crate) appends: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) repeats: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn stats(&self, segments: u64) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            events: get(&self.events),
            appends: get(&self.appends),
            groups: get(&self.groups),
            syncs: get(&self.syncs),
            bytes: get(&self.bytes),
            conflicts: get(&self.conflicts),
            repeats: get(&self.repeats),
            segments,
        }
    }
}
