//! Open handles of segments, the most recently used ones.

use crate::disk::{Disk, DiskFile, FileId};
use crate::format::SegmentNumber;
use crate::read::recency::Recency;
use parking_lot::Mutex;
use std::{io, sync::Arc};

/// How many segments are kept open for reading.
const SEGMENTS_OPEN_MAX: usize = 64;

pub(crate) struct SegmentFiles {
    disk: Arc<dyn Disk>,
    open: Mutex<Recency<(SegmentNumber, Arc<dyn DiskFile>)>>,
    /// Which file is written; `None`: the system does not say.
    active: Mutex<Option<(SegmentNumber, FileId)>>,
}

impl SegmentFiles {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, open: Mutex::default(), active: Mutex::default() }
    }

    pub(crate) fn get(&self, segment: SegmentNumber) -> io::Result<Arc<dyn DiskFile>> {
        if let Some((_, file)) = self.open.lock().touch(|(number, _)| *number == segment) {
            return Ok(file.clone());
        }
        let file = self.disk.open(&segment.file_name())?;
        self.put(segment, file.clone());
        Ok(file)
    }

    /// Takes the file that is written from now on.
    pub(crate) fn put_active(&self, segment: SegmentNumber, file: Arc<dyn DiskFile>) {
        *self.active.lock() = file.id().ok().map(|id| (segment, id));
        self.put(segment, file);
    }

    /// Which file is written, whatever its name is now.
    pub(crate) fn active(&self) -> Option<(SegmentNumber, FileId)> {
        *self.active.lock()
    }

    /// Gives up the handles of segments before this one. Who is reading one of them keeps it open.
    pub(crate) fn forget_before(&self, segment: SegmentNumber) {
        self.open.lock().forget(|(number, _)| *number < segment);
    }

    fn put(&self, segment: SegmentNumber, file: Arc<dyn DiskFile>) {
        let mut open = self.open.lock();
        open.put((segment, file), |(number, _)| *number == segment);
        open.truncate(SEGMENTS_OPEN_MAX);
    }
}
