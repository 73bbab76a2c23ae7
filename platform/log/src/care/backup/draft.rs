//! A backup in the making: the folder `<name>.partial`, which gets its name when it is whole.
//!
//! What always holds:
//!
//! * A draft has one maker: whoever holds the lock in it, in this process or another. Nobody else writes to it or removes
//!   it.
//! * A draft that is given up is removed; one whose maker died is removed by the next backup beside it. Only folders with
//!   the file `unfinished`, and no file that is none of ours, are taken for drafts.

use super::BackupError;
use crate::disk::{Disk, DiskLock, RealDisk, sync_parent};
use crate::files::{LOCK, UNFINISHED, is_known};
use std::{
    io,
    path::{Path, PathBuf},
};

const PARTIAL: &str = ".partial";

/// How often it is tried to take a draft whose maker comes to its end at the same moment.
const TRIES: usize = 8;

/// The right to make the backup that is going to be `target`.
pub(super) struct Draft {
    target: PathBuf,
    path: PathBuf,
    disk: RealDisk,
    /// Held until the backup has its name, or is gone.
    _lock: Box<dyn DiskLock>,
    is_finished: bool,
}

impl Draft {
    /// Begins an empty draft. Removes those beside it that nobody makes any more.
    pub(super) fn begin(target: &Path) -> Result<Self, BackupError> {
        let path = path_of(target);
        sweep(&path);
        for _ in 0..TRIES {
            must_be_free(target)?;
            if let Some(draft) = Self::take(target, &path)? {
                return Ok(draft);
            }
        }
        Err(BackupError::UnderWay { folder: target.to_owned() })
    }

    pub(super) fn disk(&self) -> &RealDisk {
        &self.disk
    }

    /// Gives the backup its name.
    pub(super) fn finish(mut self) -> Result<(), BackupError> {
        std::fs::rename(&self.path, &self.target).map_err(|cause| match cause.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                BackupError::Exists { folder: self.target.clone() }
            }
            _ => BackupError::Io { file: self.target.clone(), cause },
        })?;
        self.is_finished = true;
        let synced = sync_parent(&self.target);
        synced.map_err(|cause| BackupError::Io { file: self.target.clone(), cause })?;
        // Beside a whole manifest it says nothing.
        if let Err(error) = self.disk.remove(UNFINISHED).and_then(|()| self.disk.sync_dir()) {
            tracing::debug!(%error, "a finished backup keeps the file that says that it is not");
        }
        Ok(())
    }

    /// `None`: who had the draft has just ended with it.
    fn take(target: &Path, path: &Path) -> Result<Option<Self>, BackupError> {
        let failed = |cause| BackupError::Io { file: path.to_owned(), cause };
        let disk = RealDisk::open(path).map_err(failed)?;
        let lock = match disk.lock(LOCK) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(BackupError::UnderWay { folder: target.to_owned() });
            }
            Err(error) => return Err(failed(error)),
        };
        if lock.check().is_err() {
            return Ok(None);
        }
        let names = disk.list().map_err(failed)?;
        if !is_abandoned(&names) {
            return Err(BackupError::Exists { folder: path.to_owned() });
        }
        let draft =
            Self { target: target.to_owned(), path: path.to_owned(), disk, _lock: lock, is_finished: false };
        // The target may have got its name just before the lock was free.
        must_be_free(target)?;
        let others = names.iter().filter(|name| ![LOCK, UNFINISHED].contains(&name.as_str()));
        others.into_iter().try_for_each(|name| draft.disk.remove(name)).map_err(failed)?;
        if !names.iter().any(|name| name == UNFINISHED) {
            draft.disk.create_new(UNFINISHED).map_err(failed)?;
        }
        draft.disk.sync_dir().map_err(failed)?;
        Ok(Some(draft))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = remove(&self.disk, &self.path)
        {
            tracing::warn!(%error, draft = %self.path.display(), "the next backup removes what is left of this one");
        }
    }
}

fn path_of(target: &Path) -> PathBuf {
    let mut path = target.as_os_str().to_owned();
    path.push(PARTIAL);
    path.into()
}

fn must_be_free(target: &Path) -> Result<(), BackupError> {
    let has_entries = std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some());
    if has_entries || target.is_file() {
        return Err(BackupError::Exists { folder: target.to_owned() });
    }
    Ok(())
}

/// Whether a folder with these files, whose lock is free, is a draft or nothing at all.
fn is_abandoned(names: &[String]) -> bool {
    let is_draft = names.iter().any(|name| name == UNFINISHED) && names.iter().all(|name| is_known(name));
    is_draft || names.iter().all(|name| name == LOCK)
}

/// Removes the draft, whose lock the caller holds. What says that it is one goes after all else.
fn remove(disk: &RealDisk, path: &Path) -> io::Result<()> {
    let names = disk.list()?;
    let others = names.iter().filter(|name| ![LOCK, UNFINISHED].contains(&name.as_str()));
    let last = [UNFINISHED, LOCK].into_iter().filter(|last| names.iter().any(|name| name == last));
    others.map(String::as_str).chain(last).try_for_each(|name| disk.remove(name))?;
    std::fs::remove_dir(path)?;
    sync_parent(path).or_else(|error| match error.kind() {
        // It is not there any more, which is what was asked for.
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// Removes the drafts beside `own` whose makers are gone.
fn sweep(own: &Path) {
    let Some(parent) = own.parent() else { return };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_partial = path.to_str().is_some_and(|path| path.ends_with(PARTIAL));
        if is_partial
            && path.file_name() != own.file_name()
            && let Err(error) = sweep_one(&path)
        {
            tracing::debug!(%error, draft = %path.display(), "a draft of a backup stays");
        }
    }
}

fn sweep_one(path: &Path) -> io::Result<()> {
    // Looked at before it is locked: nothing is made in a folder that is none of ours.
    let is_draft = |names: &[String]| !names.is_empty() && is_abandoned(names);
    if !is_draft(&RealDisk::open_read_only(path)?.list()?) {
        return Ok(());
    }
    let disk = RealDisk::open(path)?;
    let lock = disk.lock(LOCK)?;
    if lock.check().is_ok() && is_draft(&disk.list()?) {
        tracing::info!(draft = %path.display(), "removing a backup whose maker died");
        remove(&disk, path)?;
    }
    Ok(())
}
