//! Noticing that the folder at the log's path is no longer the one that is written: that it was deleted, replaced or
//! overwritten by another one (a restored backup), or made read-only.
//!
//! What always holds:
//!
//! * What is answered as durable is where the next opener will look for it, or was there at most [`LOOK_APART_MICROS`] ago:
//!   between a group's sync and its answers the folder, its lock and the active segment are checked, unless that was done so
//!   recently.
//! * A log that nobody writes to is checked every [`LOOK_EVERY`].
//! * A log that went astray stops writing for good. Whoever has taken its place is never written to.

use crate::disk::{DiskLock, FolderLost};
use crate::open::{LockLine, Locked, read_lock_line};
use crate::read::Shared;
use std::{
    io,
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

/// How often an open log's folder is looked at beside its appends: so soon its health and its subscribers say that it is
/// gone. A look is a few system calls.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How far the writer's looks are apart at least, in µs. Whoever deletes a folder may as well do it that much later, after
/// the answer; and a look at each group would make the appends of one client 4 to 15 percent slower.
pub(crate) const LOOK_APART_MICROS: u64 = 10_000;

/// Why what is written is not where it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Astray {
    #[error("its folder {} {lost}", folder.display())]
    Folder { folder: PathBuf, lost: FolderLost },
    #[error(
        "its file {} was deleted or replaced while the log was open; stop this process, restore the log from a backup, start again",
        file.display()
    )]
    Segment { file: PathBuf },
    #[error(
        "its files in {} were overwritten while the log was open, as when a backup is copied over it; stop this process, restore the log into an empty folder, start again",
        folder.display()
    )]
    Overwritten { folder: PathBuf },
}

/// Whether the folder at the log's path is the one that is open, with the lock and the active segment in it.
pub(crate) fn check_folder(shared: &Shared, lock: &dyn DiskLock) -> Result<(), Astray> {
    let disk = &*shared.environment.disk;
    lock.check().map_err(|lost| Astray::Folder { folder: disk.display(""), lost })?;
    let Some((segment, held)) = shared.files.active() else { return Ok(()) };
    let name = segment.file_name();
    let found = match disk.id_of(&name) {
        Ok(found) => found == held,
        // What cannot be looked at now proves nothing.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if found { Ok(()) } else { Err(Astray::Segment { file: disk.display(&name) }) }
}

/// Looks after a log's folder while the log is open.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Gone with the writer, and with it the right to the folder.
    lock: Weak<dyn DiskLock>,
    /// What stands in the lock's file; `None`: it is not known.
    line: Option<LockLine>,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, locked: &Locked) -> Self {
        Self { shared, lock: Arc::downgrade(&locked.lock), line: locked.line }
    }

    /// Looks once; `Break`: the log stopped writing, there is nothing more to look after.
    pub(crate) fn look(&self) -> ControlFlow<()> {
        let Some(lock) = self.lock.upgrade() else { return ControlFlow::Break(()) };
        let looked = check_folder(&self.shared, &*lock).and_then(|()| self.look_inside(&*lock));
        if let Err(astray) = looked {
            self.shared.stop_writing(&astray);
        }
        match self.shared.poison.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    /// Whether files can be made in the folder, and those that are there are still the log's: the lock's file, which
    /// nobody else writes, says what its holder wrote.
    fn look_inside(&self, lock: &dyn DiskLock) -> Result<(), Astray> {
        let disk = &*self.shared.environment.disk;
        lock.check_writable().map_err(|lost| Astray::Folder { folder: disk.display(""), lost })?;
        match (self.line, read_lock_line(disk)) {
            (Some(written), Ok(found)) if found != written => {
                Err(Astray::Overwritten { folder: disk.display("") })
            }
            // What cannot be read now proves nothing.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
