//! One opener at a time: an exclusive lock on the folder. The lock's file counts the openings; as long as it is held, nobody
//! else changes what is in it, unless the folder's files are overwritten.

use crate::disk::{Disk, DiskLock};
use crate::error::OpenError;
use crate::files::{LOCK, open_error};
use crate::num::put;
use std::{io, sync::Arc};

/// Room for the line in the lock's file; always written whole.
const LINE_BYTES: usize = 64;

/// What the holder of a lock wrote into its file.
pub(crate) type Line = [u8; LINE_BYTES];

/// A folder that is locked.
pub(crate) struct Locked {
    pub(crate) lock: Arc<dyn DiskLock>,
    /// `None`: it could not be written.
    pub(crate) line: Option<Line>,
}

/// Locks the folder.
pub(crate) fn acquire(disk: &dyn Disk) -> Result<Locked, OpenError> {
    let lock = disk.lock(LOCK).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse { folder: disk.display("") },
        _ => open_error(disk, LOCK, error),
    })?;
    let line = count_opening(disk).inspect_err(|error| {
        // A full disk must not keep the log closed.
        tracing::warn!(%error, "the lock's file was not updated");
    });
    Ok(Locked { lock: Arc::from(lock), line: line.ok() })
}

/// What stands in the lock's file now; zeros behind its end.
pub(crate) fn read(disk: &dyn Disk) -> io::Result<Line> {
    let mut line = [0; LINE_BYTES];
    disk.open(LOCK)?.read_at(&mut line, 0)?;
    Ok(line)
}

fn count_opening(disk: &dyn Disk) -> io::Result<Line> {
    let epoch = parse(&read(disk)?).unwrap_or(0).saturating_add(1);
    let mut line = [b' '; LINE_BYTES];
    put(&mut line, 0, format!("annals log, epoch {epoch}").as_bytes());
    put(&mut line, LINE_BYTES - 1, b"\n");
    let file = disk.open(LOCK)?;
    file.write_at(&line, 0)?;
    file.sync_data()?;
    Ok(line)
}

fn parse(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line).ok()?.trim_end_matches(['\0', '\n', ' ']).rsplit(' ').next()?.parse().ok()
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
