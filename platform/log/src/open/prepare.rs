//! The next segment's file, filled with zeros ahead of need: writing over zeros that are already on the disk
//! needs no metadata, which makes a commit 1.5 to 2 times faster, and nothing but the bytes themselves can get lost.
//!
//! What always holds:
//!
//! * Until a file gets a segment's name it is not part of the log. So nothing here can harm the log: on any failure the
//!   file is thrown away, and a later step begins anew.
//! * Every byte of a file that is handed over was written and synced. Space that is only reserved (`fallocate`) will not
//!   do: with it, power cuts of an ext4 file system lost acknowledged events. ext4 turns reserved space into data in its
//!   journal, and a sync that meets the journal's end seems to come back as if that were done.
//! * An append never waits for more than [`SHORTEST_SHARE`] of a file, or for what its own frame takes: appends that come
//!   faster than zeros get shorter segments.

use crate::disk::{Disk, DiskFile};
use crate::error::MaintenanceError;
use crate::files::{PREPARED, maintenance_error, remove_if_there};
use crate::num::{to_u64, to_usize};
use std::{io, sync::Arc};

/// How much one step fills and syncs: more at once delays the appends' own syncs.
const STEP_BYTES: usize = 1 << 20;

/// How much of a file is filled at least before it is given away: half. Short segments make reading a stream slow.
const SHORTEST_SHARE: u64 = 2;

/// How far the next segment's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// There is more to do.
    Working,
    /// It is ready to be used.
    Ready,
}

/// The making of the next segment's file.
pub(crate) struct Preparation {
    disk: Arc<dyn Disk>,
    target_bytes: u64,
    file: Option<Arc<dyn DiskFile>>,
    filled_bytes: u64,
}

/// A file that is ready to become a segment.
pub(crate) struct PreparedFile {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) bytes: u64,
}

impl Preparation {
    pub(crate) fn new(disk: Arc<dyn Disk>, target_bytes: u64) -> Self {
        Self { disk, target_bytes, file: None, filled_bytes: 0 }
    }

    /// How much is filled, and how much is to be.
    pub(crate) const fn progress_bytes(&self) -> (u64, u64) {
        (self.filled_bytes, self.target_bytes)
    }

    /// Does one step.
    pub(crate) fn step(&mut self) -> Result<Prepared, MaintenanceError> {
        if self.file.is_some() && self.filled_bytes >= self.target_bytes {
            return Ok(Prepared::Ready);
        }
        match self.fill() {
            Ok(()) if self.filled_bytes >= self.target_bytes => Ok(Prepared::Ready),
            Ok(()) => Ok(Prepared::Working),
            Err(error) => {
                self.discard();
                Err(maintenance_error(&*self.disk, PREPARED, error))
            }
        }
    }

    /// How many bytes more the next file needs, with room for at least `bytes_min`.
    pub(crate) fn missing_bytes(&self, bytes_min: u64) -> u64 {
        self.target_bytes.max(bytes_min).saturating_sub(self.filled_bytes)
    }

    /// Throws away what there is, and goes for a file of `target_bytes`.
    pub(crate) fn restart(&mut self, target_bytes: u64) {
        self.discard();
        self.target_bytes = target_bytes;
    }

    /// Gives the file away as far as it is filled, with room for at least `bytes_min`.
    pub(crate) fn take(&mut self, bytes_min: u64) -> Result<PreparedFile, MaintenanceError> {
        let enough = bytes_min.max(self.target_bytes / SHORTEST_SHARE);
        self.target_bytes = self.target_bytes.max(bytes_min);
        while (self.file.is_none() || self.filled_bytes < enough) && self.step()? == Prepared::Working {}
        let bytes = self.filled_bytes;
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let file = self.file.take().ok_or_else(|| maintenance_error(&*self.disk, PREPARED, missing()))?;
        Ok(PreparedFile { file, bytes })
    }

    /// Begins to prepare another file of `target_bytes`.
    pub(crate) fn begin(&mut self, target_bytes: u64) {
        (self.target_bytes, self.file, self.filled_bytes) = (target_bytes, None, 0);
    }

    /// Throws away what there is, also to give its space back.
    pub(crate) fn discard(&mut self) {
        (self.file, self.filled_bytes) = (None, 0);
        if let Err(error) = remove_if_there(&*self.disk, PREPARED) {
            tracing::debug!(%error, "a file that was to become a segment stays until the next try");
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        static ZEROS: [u8; STEP_BYTES] = [0; STEP_BYTES];
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                remove_if_there(&*self.disk, PREPARED)?;
                self.file.insert(self.disk.create_new(PREPARED)?).clone()
            }
        };
        let step = to_usize(self.target_bytes - self.filled_bytes).min(STEP_BYTES);
        file.write_at(ZEROS.get(..step).unwrap_or_default(), self.filled_bytes)?;
        file.sync_data()?;
        self.filled_bytes += to_u64(step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealDisk;

    #[test]
    fn a_file_is_handed_over_as_filled_as_it_is_but_no_shorter_than_needed() {
        const MIB: u64 = 1 << 20;
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
        for (steps, bytes_min, expected) in [
            (0, 1, 8 * MIB),
            (9, 1, 9 * MIB),
            (9, 10 * MIB + 1, 11 * MIB),
            (16, 1, 16 * MIB),
            (0, 20 * MIB, 20 * MIB),
        ] {
            let mut preparation = Preparation::new(disk.clone(), 16 * MIB);
            for _ in 0..steps {
                preparation.step().unwrap();
            }
            let taken = preparation.take(bytes_min).unwrap();
            assert_eq!((taken.bytes, taken.file.len().unwrap()), (expected, expected), "{steps} {bytes_min}");
        }
    }
}
