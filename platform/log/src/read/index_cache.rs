//! Indexes of sealed segments in memory, the most recently used ones, in a bounded number of bytes.

use crate::format::{SegmentIndex, SegmentNumber};
use crate::read::recency::Recency;
use parking_lot::Mutex;
use std::sync::Arc;

pub(crate) struct IndexCache {
    bytes_max: u64,
    held: Mutex<Recency<Held>>,
}

struct Held {
    segment: SegmentNumber,
    /// `None`: it was given up.
    index: Option<Arc<SegmentIndex>>,
}

impl IndexCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max: crate::num::to_u64(bytes_max), held: Mutex::default() }
    }

    pub(crate) fn get(&self, segment: SegmentNumber) -> Option<Arc<SegmentIndex>> {
        self.held.lock().touch(|held| held.segment == segment)?.index.clone()
    }

    /// Gives up the indexes of segments before this one.
    pub(crate) fn forget_before(&self, segment: SegmentNumber) {
        self.held.lock().forget(|held| held.segment < segment);
    }

    /// Keeps the index, and gives up the least recently used ones when it gets too much.
    pub(crate) fn put(&self, index: Arc<SegmentIndex>) {
        let segment = index.of().segment;
        let weight = |held: &Held| held.index.as_deref().map_or(0, SegmentIndex::weight_bytes);
        let mut held = self.held.lock();
        held.put(Held { segment, index: Some(index) }, |held| held.segment == segment);
        let given_up = held.lighten(self.bytes_max, weight, |held| held.index.take());
        held.forget(|held| held.index.is_none());
        drop(held);
        drop(given_up);
    }
}
