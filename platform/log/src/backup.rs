//! Backups: a copy of the log, made while appends go on.
//!
//! A backup is a log's folder like any other, with a manifest beside the segments. To restore it, copy the folder to
//! where the log is to be and open that: the log goes on behind the backup's head. It keeps its id, so consumers that
//! are ahead of it must be told by the chain.
//!
//! What always holds:
//!
//! * The copy is a prefix of the log, exactly up to a place that was durable when copying began. Its checkpoint says
//!   how far it reaches, so a copy that lost its end is noticed.
//! * The folder gets its name last, when everything in it is synced and verified: it is whole, or it is not there.
//! * Bytes are copied, never linked: damage to one folder, and what is written to it, does not reach the other.

mod manifest;
#[cfg(test)]
mod tests;

use crate::checkpoint::{self, Encoded};
use crate::disk::{Disk, DiskFile, RealDisk, sync_parent};
use crate::error::{Corruption, ReadError};
use crate::files::{BASE, CHECKPOINT, MANIFEST, is_known, read_file, write_in_steps};
use crate::frame::HEADER_BYTES;
use crate::num::{to_u64, to_usize};
use crate::reader::{Reader, readable_at};
use crate::retention;
use crate::segment::{SegmentHeader, SegmentNumber};
use crate::state::footer_offset;
use crate::verify::{VerifyError, verify_on};
use annals_event::{LogId, Sequence, Timestamp};
use std::{
    io,
    path::{Path, PathBuf},
};

/// What a backup holds. To restore it, copy its folder to where the log is to be, and open that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Of which log.
    pub log_id: LogId,
    /// The first event in it.
    pub first: Sequence,
    /// The last event in it; `ZERO`: there is none.
    pub head: Sequence,
    /// The chain behind the last event: equal chains at one sequence number mean equal logs up to there.
    pub chain: u128,
    /// When copying began.
    pub taken_at: Timestamp,
}

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
    /// The log, or the copy of it, is damaged.
    #[error("{0}; a damaged log is not backed up, keep the backups that there are")]
    Damaged(Corruption),
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
    #[error("cannot write {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Backup {
    /// What the backup in `folder` says of itself.
    pub fn of(folder: &Path) -> Result<Self, BackupError> {
        let file = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&file).ok();
        let backup = text.and_then(|text| manifest::parse(&text));
        backup.ok_or(BackupError::NoManifest { file })
    }
}

/// Whether the bytes are those of a manifest.
pub(crate) fn is_manifest(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| manifest::parse(text).is_some())
}

/// Copies the log to `folder`, which must be missing or empty.
pub(crate) fn backup(reader: &Reader, folder: &Path) -> Result<Backup, BackupError> {
    let failed = |file: &Path| {
        let file = file.to_owned();
        move |source| BackupError::Io { file, source }
    };
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(BackupError::Exists { folder: folder.to_owned() });
    }
    let mut partial = folder.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let disk = RealDisk::open(&partial).map_err(failed(&partial))?;
    clear(&disk, &partial)?;
    let backup = copy(reader, &disk)?;
    std::fs::rename(&partial, folder).map_err(failed(folder))?;
    sync_parent(folder).map_err(failed(folder))?;
    Ok(backup)
}

/// Removes what a backup left that did not come to its end.
fn clear(disk: &RealDisk, folder: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::Io { file: folder.to_owned(), source };
    let names = disk.list().map_err(failed)?;
    if !names.iter().all(|name| is_known(name)) {
        return Err(BackupError::Exists { folder: folder.to_owned() });
    }
    names.iter().try_for_each(|name| disk.remove(name)).map_err(failed)
}

/// Copies the log to the empty folder `to`.
pub(crate) fn copy(reader: &Reader, to: &dyn Disk) -> Result<Backup, BackupError> {
    let shared = &reader.shared;
    if let Some(damage) = reader.corruption() {
        return Err(BackupError::Damaged(damage));
    }
    let _hold = retention::hold_all(shared)?;
    let taken_at = Timestamp::from_micros(shared.environment.clock.now_micros());
    let made = encode(reader)?;
    let copy = Copy { reader, to };
    let segments = shared.state.read().segments.clone();
    let mut kept = segments.iter().take_while(|segment| segment.number <= made.replay_from).peekable();
    if let Some(first) = kept.peek().filter(|first| first.number > SegmentNumber::FIRST) {
        copy.base(first)?;
    }
    while let Some(segment) = kept.next() {
        match kept.peek() {
            Some(next) => copy.sealed(segment, next)?,
            None => copy.segment(segment, made.end.position.since(segment.base))?,
        }
    }
    copy.file(CHECKPOINT, &made.bytes)?;
    let backup = Backup {
        log_id: shared.log_id,
        first: segments.first().map_or(Sequence::FIRST, |segment| segment.first),
        head: made.end.next.previous(),
        chain: made.end.chain.0,
        taken_at,
    };
    copy.file(MANIFEST, manifest::encode(&backup).as_bytes())?;
    to.sync_dir().map_err(copy.failed(""))?;
    let report = verify_on(to, |_| {}).map_err(BackupError::Verify)?;
    match report.findings.into_iter().next() {
        Some(finding) => Err(BackupError::Damaged(finding.damage)),
        None => Ok(backup),
    }
}

fn encode(reader: &Reader) -> Result<Encoded, BackupError> {
    /// Segments are long, so that hardly one begins meanwhile.
    const TRIES: usize = 1_000;
    let tries = (0..TRIES).find_map(|_| checkpoint::encode(&reader.shared));
    tries.ok_or(BackupError::TooFast)
}

struct Copy<'a> {
    reader: &'a Reader,
    to: &'a dyn Disk,
}

impl Copy<'_> {
    fn base(&self, first: &SegmentHeader) -> Result<(), BackupError> {
        let disk = &*self.reader.shared.environment.disk;
        let read = read_file(disk, BASE);
        let bytes = read.map_err(|error| self.reader.io_error(first.number, error))?;
        self.file(BASE, &bytes)
    }

    /// A sealed segment and its index.
    fn sealed(&self, segment: &SegmentHeader, next: &SegmentHeader) -> Result<(), BackupError> {
        self.segment(segment, footer_offset(segment, next) + to_u64(HEADER_BYTES))?;
        let readable = {
            let state = self.reader.shared.state.read();
            let at = state.segments.partition_point(|held| held.number < segment.number);
            readable_at(&state, at)
        };
        let Some(readable) = readable else { return Ok(()) };
        let index = self.reader.index(&readable)?.into_file();
        self.file(&segment.number.index_file_name(), index.as_bytes())
    }

    /// The segment's bytes before `end`; zeros follow, which take no space.
    fn segment(&self, segment: &SegmentHeader, end: u64) -> Result<(), BackupError> {
        const STEP_BYTES: u64 = 1 << 20;
        let name = segment.number.file_name();
        let file = self.to.create_new(&name).map_err(self.failed(&name))?;
        let mut at = 0;
        while at < end {
            let step = to_usize((end - at).min(STEP_BYTES));
            let bytes = self.reader.read_bytes(segment.number, at, step)?;
            if bytes.len() < step {
                let damage = self.reader.corrupted(segment.number, at + to_u64(bytes.len()), CUT);
                return Err(damage.into());
            }
            // Synced step by step, so that the syncs of appends do not wait for one big one.
            self.write(&*file, &bytes, at).map_err(self.failed(&name))?;
            at += to_u64(step);
        }
        file.set_len(segment.capacity_bytes.max(end))
            .and_then(|()| file.sync_all())
            .map_err(self.failed(&name))
    }

    fn write(&self, file: &dyn DiskFile, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_at(bytes, at)?;
        file.sync_data()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let file = self.to.create_new(name).map_err(self.failed(name))?;
        write_in_steps(&*file, bytes).map_err(self.failed(name))
    }

    fn failed(&self, name: &str) -> impl Fn(io::Error) -> BackupError + use<> {
        let file = self.to.display(name);
        move |source| BackupError::Io { file: file.clone(), source }
    }
}

const CUT: &str = "the file ends before the segment does";
