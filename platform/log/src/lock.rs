//! One opener at a time: an exclusive lock on the folder. The lock's file counts the openings.

use crate::disk::{Disk, DiskLock};
use crate::error::OpenError;
use crate::files::{LOCK, open_error};
use std::io;

/// Room for the line in the lock's file; always written whole.
const LINE_BYTES: usize = 64;

/// Locks the folder.
pub(crate) fn acquire(disk: &dyn Disk) -> Result<Box<dyn DiskLock>, OpenError> {
    let lock = disk.lock(LOCK).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse { folder: disk.display("") },
        _ => open_error(disk, LOCK, error),
    })?;
    if let Err(error) = count_opening(disk) {
        // Only people read it; a full disk must not keep the log closed.
        tracing::warn!(%error, "the lock's file was not updated");
    }
    Ok(lock)
}

fn count_opening(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(LOCK)?;
    let mut line = [0; LINE_BYTES];
    let got = file.read_at(&mut line, 0)?;
    let epoch = parse(line.get(..got).unwrap_or_default()).unwrap_or(0).saturating_add(1);
    let mut line = format!("annals log, epoch {epoch}").into_bytes();
    line.resize(LINE_BYTES - 1, b' ');
    line.push(b'\n');
    file.write_at(&line, 0)?;
    file.sync_data()
}

fn parse(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line).ok()?.trim_end().rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_folder_is_locked_once_and_each_opening_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(folder.path()).unwrap();
        let lock = acquire(&disk).unwrap();
        assert!(matches!(acquire(&disk), Err(OpenError::InUse { .. })));
        drop(lock);
        drop(acquire(&disk).unwrap());
        let line = std::fs::read_to_string(folder.path().join(LOCK)).unwrap();
        assert_eq!(line.trim_end(), "annals log, epoch 2");
    }
}
