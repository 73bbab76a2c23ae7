//! The data folder: where what is in it, and a lock that keeps a second process out.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A data folder that this process holds until the value is dropped, or the process ends, however it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another process is at work there.
    #[error(
        "the data folder {} is in use by another process; stop that one, or name another folder with --data", .0.display()
    )]
    InUse(PathBuf),
    /// There is a file of that name.
    #[error("{} is a file and no folder; name another with --data", .0.display())]
    IsFile(PathBuf),
    /// The system refuses.
    #[error("cannot use the data folder {}: {cause}; name another with --data", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl DataFolder {
    /// Takes the folder, and makes it if it is not there.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let failed = |cause| FolderError::Io { path: path.to_owned(), cause };
        if path.is_file() {
            return Err(FolderError::IsFile(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = File::create(path.join("shop.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path)),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }
    /// The read models.
    pub fn read_models(&self) -> PathBuf {
        self.path.join("read-models")
    }
    /// The read models' snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new/folder");
        let held = DataFolder::take(&path).unwrap();
        let refused = DataFolder::take(&path).unwrap_err().to_string();
        assert!(refused.contains("in use by another process") && refused.contains("--data"), "{refused}");
        drop(held);
        assert!(DataFolder::take(&path).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = DataFolder::take(file.path()).unwrap_err().to_string();
        assert!(refused.contains(&file.path().display().to_string()), "{refused}");
        assert!(refused.contains("is a file and no folder"), "{refused}");
    }
}
