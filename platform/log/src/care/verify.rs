//! Going over everything that is on the disk, without changing a byte.
//!
//! What always holds:
//!
//! * Nothing is written, and a folder that another process has open is not looked at: it changes.
//! * One damage does not hide the next: after it the walk goes on at the next place that proves itself.
//! * A backup is also held against its manifest: each file that it lists, byte by byte, and no other.
//! * What a crash may leave is no damage: the torn tail of a group that was never answered, a footer or a derived
//!   file that was not written yet.
//!
//! `LOCK` and `*.tmp` hold no data and are not looked at. What [`format`](crate::format) cannot tell is not told here either:
//! damage to the last group of a log that was neither closed nor checkpointed looks like a torn tail.

mod derived;
mod segments;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

use crate::disk::{Disk, RealDisk};
use crate::error::Corruption;
use crate::files::{BASE, CHECKPOINT, LOCK, MANIFEST, UNFINISHED};
use crate::format::{SEGMENT_FORMAT, SegmentHeader, SegmentNumber};
use crate::read::{Reader, hold_all};
use annals_event::LogId;
use segments::Verification;
use std::{io, ops::ControlFlow, path::Path, path::PathBuf};
use walk::Meter;

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Bytes of files that were gone over.
    pub bytes_done: u64,
    /// Bytes of all files that are to be gone over.
    pub bytes_total: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Which log it is; `None`: no segment tells.
    pub log_id: Option<LogId>,
    /// Segments that are there.
    pub segments: u64,
    /// Whole events.
    pub events: u64,
    /// Bytes after the log's end, of a group that was never answered; the next open wipes them.
    pub unfinished_bytes: u64,
    /// All damage, in the order of the files.
    pub findings: Vec<Finding>,
}

/// A damaged place, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{damage}; {harm}")]
pub struct Finding {
    /// The place.
    pub damage: Corruption,
    /// What it means.
    pub harm: Harm,
}

/// What a damaged file means for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Primary data: nothing in the folder can replace it.
    Primary,
    /// The file is derived from the segments, and is made again when it is needed.
    Derived,
    /// The file is for people, and for what is beside the log.
    Note,
}

impl std::fmt::Display for Harm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Primary => "restore the log from a backup",
            Self::Derived => "nothing is lost, the log makes the file again",
            Self::Note => "the log does not need the file",
        })
    }
}

/// Why a folder was not verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Another process, or a handle of this one, has the log open.
    #[error("the log in {} is in use by another process, which changes it; stop it first", folder.display())]
    InUse {
        /// The log's folder.
        folder: PathBuf,
    },
    /// The folder has no segment and no trace of one.
    #[error("{} contains no log", folder.display())]
    NotALog {
        /// The folder.
        folder: PathBuf,
    },
    /// Another release wrote the log.
    #[error(
        "{} has format {format}, but this release reads {}; use the release that wrote it", file.display(), SEGMENT_FORMAT
    )]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The folder, or all of a file, could not be read.
    #[error("cannot read {}: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// Goes over the log in `folder`, which nobody may have open. Takes about as much memory as opening the log. Damage is
/// not an error but a finding.
pub fn verify(folder: &Path, progress: impl FnMut(VerifyProgress)) -> Result<VerifyReport, VerifyError> {
    let open = RealDisk::open_read_only(folder);
    let disk = open.map_err(|cause| VerifyError::Io { file: folder.to_owned(), cause })?;
    verify_on(&disk, progress)
}

/// Goes over the log on `disk`, which nobody may have open.
pub fn verify_on(
    disk: &dyn Disk,
    mut progress: impl FnMut(VerifyProgress),
) -> Result<VerifyReport, VerifyError> {
    let failed = |name: &str| {
        let file = disk.display(name);
        move |cause| VerifyError::Io { file, cause }
    };
    let _lock = disk.lock(LOCK).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => VerifyError::InUse { folder: disk.display("") },
        _ => failed(LOCK)(error),
    })?;
    let names = disk.list().map_err(failed(""))?;
    if !names.iter().any(|name| holds_data(name)) {
        return Err(VerifyError::NotALog { folder: disk.display("") });
    }
    let mut report_progress = |done| {
        progress(done);
        ControlFlow::Continue(())
    };
    let meter = Meter::new(total_bytes(disk, &names).map_err(failed(""))?, &mut report_progress);
    Verification::of_folder(disk, &names, meter)?.of_backup(&names).run()
}

/// Goes over a backup that its maker has locked, before it gets its manifest.
pub(crate) fn verify_unlocked(
    disk: &dyn Disk,
    mut progress: impl FnMut(VerifyProgress),
) -> Result<VerifyReport, VerifyError> {
    let failed = |cause| VerifyError::Io { file: disk.display(""), cause };
    let names = disk.list().map_err(failed)?;
    let mut report_progress = |done| {
        progress(done);
        ControlFlow::Continue(())
    };
    Verification::of_folder(disk, &names, Meter::new(0, &mut report_progress))?.run()
}

fn holds_data(name: &str) -> bool {
    SegmentNumber::of_file_name(name).is_some()
        || name.ends_with(".index")
        || [CHECKPOINT, BASE, MANIFEST, UNFINISHED].contains(&name)
}

fn total_bytes(disk: &dyn Disk, names: &[String]) -> io::Result<u64> {
    names.iter().filter(|name| holds_data(name)).map(|name| disk.open(name)?.len()).sum()
}

/// Goes over all that is durable in an open log, while it is being written.
pub(crate) fn verify_open(
    reader: &Reader,
    mut progress: impl FnMut(VerifyProgress),
) -> Result<VerifyReport, VerifyError> {
    // What is gone over is not to be dropped meanwhile.
    let _hold = hold_all(&reader.shared).map_err(|error| VerifyError::Io {
        file: reader.shared.environment.disk.display(""),
        cause: io::Error::other(error),
    })?;
    let mut report_progress = |done| {
        progress(done);
        ControlFlow::Continue(())
    };
    Verification::of_open(reader, Meter::new(0, &mut report_progress))?.run()
}

/// Goes over one sealed segment and its index; `tell` may stop it.
pub(crate) fn check_sealed(
    reader: &Reader,
    segment: &SegmentHeader,
    next: &SegmentHeader,
    tell: &mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
) -> Vec<Corruption> {
    let findings = Verification::of_sealed(reader, [segment, next], Meter::new(0, tell)).run_sealed(next);
    findings.into_iter().map(|finding| finding.damage).collect()
}
