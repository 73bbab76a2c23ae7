//! Backups: a copy of the log, made while appends go on.
//!
//! A backup is a log's folder like any other, with a manifest beside the segments. To restore it, copy the folder to
//! where the log is to be and open that: the log goes on after the backup's head. It keeps its id, so only the chain
//! tells which consumers are ahead of it.
//!
//! What always holds:
//!
//! * The copy is a prefix of the log, exactly up to a place that was durable when copying began. Its checkpoint says
//!   how far it reaches, so a copy that lost its end is noticed.
//! * The folder gets its name last, when everything in it is synced and verified: it is whole, or it is not there.
//! * One backup of a log is made at a time, and one into a folder, whoever asks; another one is told so.
//! * Its manifest lists what belongs to it. A folder that has a manifest but lacks a listed file is never opened as a log,
//!   least of all as a new one. Opening a whole backup makes it a log and removes the manifest.
//! * Bytes are copied, never linked: damage to one folder, and what is written to it, does not reach the other.

mod copy;
mod draft;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_tests;

use crate::care::checkpoint::{self, Encoded};
use crate::care::verify::{VerifyError, verify_unlocked};
use crate::disk::{Disk, RealDisk};
use crate::error::{Corruption, ReadError};
use crate::files::{CHECKPOINT, MANIFEST};
use crate::format::{Backup, Manifest};
use crate::num::to_u64;
use crate::read::{Reader, hold_all};
use annals_event::{Sequence, Timestamp};
use copy::{Copy, Plan};
use draft::Draft;
use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Why there is no backup. The log goes on as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The place is taken.
    #[error("{} is there already and is not empty; name a new folder", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The place is in the log's own folder.
    #[error("{} is in the folder of the log itself; name one outside of it", folder.display())]
    Inside {
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody makes a backup of this log, or into this folder.
    #[error("a backup is being made, of this log or to {}; ask again when it is done", folder.display())]
    UnderWay {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk has not enough room for the backup. Nothing was written.
    #[error(
        "the backup needs {needed_bytes} bytes beside {kept_bytes} that stay free, {free_bytes} are free in {}; make room, or back up to another disk",
        folder.display()
    )]
    NoRoom {
        /// Where it was to be.
        folder: PathBuf,
        /// How many bytes it takes.
        needed_bytes: u64,
        /// How many are free.
        free_bytes: u64,
        /// How many stay free, for the log's own sake.
        kept_bytes: u64,
    },
    /// The log is damaged.
    #[error("{0}; a damaged log is not backed up, keep the backups that there are")]
    Damaged(Corruption),
    /// What was copied is not what was written: the disk of the backup is at fault. The log may be sound.
    #[error("{} {what} after it was written; look at the disk of the backup, or back up to another one", file.display())]
    Copied {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Segments were begun too fast for a copy of the heads.
    #[error("the log began new segments faster than its heads could be copied; back it up again")]
    TooFast,
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy could not be verified.
    #[error("the copy could not be verified: {0}")]
    Verify(VerifyError),
    /// The folder holds no manifest of a backup, or a damaged one.
    #[error("{} is not the manifest of a backup, or it is damaged", file.display())]
    NoManifest {
        /// The file.
        file: PathBuf,
    },
    /// A file of the copy could not be written or synced.
    #[error("cannot write {}: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Backup {
    /// What the backup in `folder` says of itself.
    pub fn of(folder: &Path) -> Result<Self, BackupError> {
        let file = folder.join(MANIFEST);
        let disk = RealDisk::open_read_only(folder).ok();
        let manifest = disk.and_then(|disk| Manifest::in_folder(&disk));
        manifest.map(|manifest| manifest.backup).ok_or(BackupError::NoManifest { file })
    }
}

/// Copies the log to `folder`, which must be missing or empty.
pub(crate) fn backup(reader: &Reader, folder: &Path) -> Result<Backup, BackupError> {
    let under_way = || BackupError::UnderWay { folder: folder.to_owned() };
    let _alone = reader.shared.backing_up.try_lock().ok_or_else(under_way)?;
    must_be_outside(reader, folder)?;
    let draft = Draft::begin(folder)?;
    let backup = copy(reader, draft.disk())?;
    draft.finish()?;
    Ok(backup)
}

/// Refuses a folder within the log's own.
pub(crate) fn must_be_outside(reader: &Reader, folder: &Path) -> Result<(), BackupError> {
    if is_inside(folder, &reader.shared.environment.disk.display("")) {
        return Err(BackupError::Inside { folder: folder.to_owned() });
    }
    Ok(())
}

/// Whether a folder that need not be there is `log`, or below it.
fn is_inside(folder: &Path, log: &Path) -> bool {
    let there = folder.ancestors().find_map(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        above.canonicalize().ok()
    });
    match (there, log.canonicalize()) {
        (Some(there), Ok(log)) => there.starts_with(log),
        // Such a folder is told about when it is made.
        _ => false,
    }
}

/// Copies the log to the empty folder `to`, which nobody else may use. Its manifest comes last.
pub(crate) fn copy(reader: &Reader, to: &dyn Disk) -> Result<Backup, BackupError> {
    let shared = &reader.shared;
    if let Some(damage) = reader.corruption() {
        return Err(BackupError::Damaged(damage));
    }
    let _hold = hold_all(shared)?;
    let taken_at = Timestamp::from_micros(shared.environment.clock.now_micros());
    let made = encode(reader)?;
    let (plan, mut copy) = (Plan::new(reader, &made), Copy::new(reader, to));
    copy.check_room(&plan, to_u64(made.bytes.len()))?;
    copy.all(&plan)?;
    copy.file(CHECKPOINT, &made.bytes)?;
    to.sync_dir().map_err(copy.failed(""))?;
    check(reader, &copy, to)?;
    let backup = Backup {
        log_id: shared.log_id,
        first: plan.first().map_or(Sequence::FIRST, |segment| segment.first),
        head: made.end.next.previous(),
        chain: made.end.chain.0,
        taken_at,
    };
    let files = std::mem::take(&mut copy.files);
    let manifest = Manifest { backup, end: made.end.position, files };
    copy.file(MANIFEST, manifest.encode().as_bytes())?;
    to.sync_dir().map_err(copy.failed(""))?;
    Ok(manifest.backup)
}

/// Whether the copy is what was read, and that is a sound log.
fn check(reader: &Reader, copy: &Copy<'_>, to: &dyn Disk) -> Result<(), BackupError> {
    for file in &copy.files {
        let differs = file.differs(to, |_| ControlFlow::Continue(())).map_err(copy.failed(&file.name))?;
        if let Some(lack) = differs {
            return Err(BackupError::Copied { file: to.display(&file.name), what: lack.text() });
        }
    }
    let report = verify_unlocked(to, |_| {}).map_err(BackupError::Verify)?;
    let Some(finding) = report.findings.into_iter().next() else { return Ok(()) };
    // The copy is what was read, so the damage is the log's own; and the copy is going to be removed.
    let name = finding.damage.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let file = reader.shared.environment.disk.display(name);
    Err(BackupError::Damaged(Corruption { file, ..finding.damage }))
}

fn encode(reader: &Reader) -> Result<Encoded, BackupError> {
    /// Segments are long, so that hardly one begins meanwhile.
    const TRIES: usize = 1_000;
    let tries = (0..TRIES).find_map(|_| checkpoint::encode(&reader.shared));
    tries.ok_or(BackupError::TooFast)
}

const CUT: &str = "the file ends before the segment does";
