//! One opener at a time: an exclusive lock on the folder. The lock's file counts the openings and names the last one. While
//! the lock is held nobody else changes that file, unless the folder's files are overwritten.

use crate::disk::{Disk, DiskLock, Environment};
use crate::error::OpenError;
use crate::files::{LOCK, open_error};
use crate::num::put;
use annals_event::Opening;
use std::{io, sync::Arc};

/// What the line begins with.
const TITLE: &str = "annals log, epoch ";
/// Room for the line in the lock's file; always written whole.
const LINE_BYTES: usize = 96;

/// What the holder of a lock wrote into its file.
pub(crate) type LockLine = [u8; LINE_BYTES];

/// A folder that is locked.
pub(crate) struct Locked {
    pub(crate) lock: Arc<dyn DiskLock>,
    pub(crate) opening: Opening,
    /// `None`: it could not be written.
    pub(crate) line: Option<LockLine>,
}

/// Locks the folder for a new opening of its log.
pub(crate) fn lock_folder(environment: &Environment) -> Result<Locked, OpenError> {
    let disk = &*environment.disk;
    let lock = disk.lock(LOCK).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse { folder: disk.display("") },
        _ => open_error(disk, LOCK, error),
    })?;
    let opening = Opening::from_uuid(environment.new_uuid());
    let line = note(disk, opening).inspect_err(|error| {
        // A full disk must not keep the log closed.
        tracing::warn!(%error, "the lock's file was not updated");
    });
    Ok(Locked { lock: Arc::from(lock), opening, line: line.ok() })
}

/// What stands in the lock's file now; zeros after its end.
pub(crate) fn read_lock_line(disk: &dyn Disk) -> io::Result<LockLine> {
    let mut line = [0; LINE_BYTES];
    disk.open(LOCK)?.read_at(&mut line, 0)?;
    Ok(line)
}

fn note(disk: &dyn Disk, opening: Opening) -> io::Result<LockLine> {
    let epoch = parse(&read_lock_line(disk)?).unwrap_or(0).saturating_add(1);
    let mut line = [b' '; LINE_BYTES];
    put(&mut line, 0, format!("{TITLE}{epoch}, opening {opening}").as_bytes());
    put(&mut line, LINE_BYTES - 1, b"\n");
    let file = disk.open(LOCK)?;
    file.write_at(&line, 0)?;
    file.sync_data()?;
    Ok(line)
}

fn parse(line: &[u8]) -> Option<u64> {
    let (epoch, _) = std::str::from_utf8(line).ok()?.strip_prefix(TITLE)?.split_once(',')?;
    epoch.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_each_opening_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::real(folder.path()).unwrap();
        let first = lock_folder(&environment).unwrap();
        assert!(matches!(lock_folder(&environment), Err(OpenError::InUse { .. })));
        let opening = first.opening;
        drop(first);
        let second = lock_folder(&environment).unwrap();
        assert_ne!(second.opening, opening);
        let line = std::fs::read_to_string(folder.path().join(LOCK)).unwrap();
        assert_eq!(line.trim_end(), format!("annals log, epoch 2, opening {}", second.opening));
    }
}
