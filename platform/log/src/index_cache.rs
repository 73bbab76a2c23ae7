//! Indexes of sealed segments in memory, the most recently used ones, in a bounded number of bytes.

use crate::index::{SegmentIndex, weight_bytes};
use crate::segment::SegmentNumber;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

pub(crate) struct IndexCache {
    bytes_max: u64,
    held: Mutex<VecDeque<Arc<SegmentIndex>>>,
}

impl IndexCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max: crate::num::to_u64(bytes_max), held: Mutex::default() }
    }

    pub(crate) fn get(&self, segment: SegmentNumber) -> Option<Arc<SegmentIndex>> {
        let mut held = self.held.lock();
        let at = held.iter().position(|index| index.of().segment == segment)?;
        let index = held.remove(at)?;
        held.push_front(index.clone());
        Some(index)
    }

    /// Gives up the indexes of segments before this one.
    pub(crate) fn forget_before(&self, segment: SegmentNumber) {
        self.held.lock().retain(|index| index.of().segment >= segment);
    }

    /// Keeps the index, and gives up the least recently used ones when it gets too much.
    pub(crate) fn put(&self, index: Arc<SegmentIndex>) {
        let mut held = self.held.lock();
        held.retain(|other| other.of().segment != index.of().segment);
        held.push_front(index);
        let mut total = 0;
        held.retain(|index| {
            total += weight_bytes(index);
            total <= self.bytes_max
        });
    }
}
