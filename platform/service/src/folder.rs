//! The data folder: where what is in it, and a lock that keeps a second process out.

use crate::Exit;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
};

/// The file whose lock says who has the folder. It is never removed: a lock on a removed file keeps nobody out.
const LOCK: &str = "annals.lock";

/// A data folder that this process holds until the value is dropped, or the process ends, however it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another process is at work there.
    #[error("the data folder {} is in use by {holder}; stop it, or name another folder with --data", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that has it, and where it serves.
        holder: String,
    },
    /// There is a file of that name.
    #[error("{} is a file and no folder; name another with --data", .0.display())]
    IsFile(PathBuf),
    /// The system refuses.
    #[error("cannot use the data folder {}: {cause}; name another with --data", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl FolderError {
    /// What a process ends with because of it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::InUse { .. } => Exit::FolderHeld,
            Self::IsFile(_) | Self::Io { .. } => Exit::Store,
        }
    }
}

impl DataFolder {
    /// Takes the folder, and makes it if it is not there. No log can be made in the folder itself afterwards, only below it; one
    /// that is there already can be opened.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let failed = |cause| FolderError::Io { path: path.to_owned(), cause };
        if path.is_file() {
            return Err(FolderError::IsFile(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let file = path.join(LOCK);
        let mut lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&file).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                say(&mut lock, &format!("process {}", process::id())).map_err(failed)?;
                Ok(Self { path, lock })
            }
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse { holder: holder(&file), path }),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Tells whoever finds the folder held where its holder serves.
    pub fn tell_address(&mut self, address: SocketAddr) -> io::Result<()> {
        say(&mut self.lock, &format!("process {} at http://{address}", process::id()))
    }

    /// That the folder is in use, and by whom; `None`: nobody who holds it says so. Changes nothing.
    pub fn in_use(path: &Path) -> Option<FolderError> {
        let file = path.join(LOCK);
        match File::open(&file).ok()?.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                Some(FolderError::InUse { holder: holder(&file), path: path.to_owned() })
            }
            _ => None,
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where the log of a data folder is: in `log`, or in the folder itself where its files lie there already.
#[cfg(feature = "kit")]
pub(crate) fn log_folder(data: &Path) -> PathBuf {
    match annals_store_log::holds_log(data) {
        Ok(true) => data.to_owned(),
        Ok(false) | Err(_) => data.join("log"),
    }
}

fn say(lock: &mut File, holder: &str) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{holder}")
}

/// The holder may just have taken the lock, and not have said who it is.
fn holder(lock: &Path) -> String {
    let said = fs::read_to_string(lock).unwrap_or_default();
    let said = said.trim();
    if said.is_empty() { "another process".to_owned() } else { said.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time_who_says_who_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new/folder");
        let mut held = DataFolder::take(&path).unwrap();
        held.tell_address(SocketAddr::from(([127, 0, 0, 1], 8080))).unwrap();
        let refused = DataFolder::take(&path).unwrap_err();
        assert_eq!(refused.exit(), Exit::FolderHeld);
        let path = path.canonicalize().unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "the data folder {} is in use by process {} at http://127.0.0.1:8080; stop it, or name another folder with --data",
                path.display(),
                process::id()
            )
        );
        assert_eq!(DataFolder::in_use(&path).unwrap().to_string(), refused.to_string());
        drop(held);
        assert!(DataFolder::in_use(&path).is_none() && DataFolder::take(&path).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = DataFolder::take(file.path()).unwrap_err();
        assert_eq!(refused.exit(), Exit::Store);
        let told = format!("{} is a file and no folder; name another with --data", file.path().display());
        assert_eq!(refused.to_string(), told);
    }
}
