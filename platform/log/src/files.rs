//! Small helpers around files: names, and files that are replaced as a whole.

use crate::disk::Disk;
use crate::error::{MaintenanceError, OpenError, ReadError};
use crate::num::{to_u64, to_usize};
use bytes::Bytes;
use std::{io, sync::Arc};

pub(crate) const LOCK: &str = "LOCK";
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// What stands for the segments that were dropped.
pub(crate) const BASE: &str = "base";
/// What a backup says of itself.
pub(crate) const MANIFEST: &str = "manifest";
/// In a backup that is being made, from before anything else is in it.
pub(crate) const UNFINISHED: &str = "unfinished";
/// The next segment, while it is being filled with zeros.
pub(crate) const PREPARED: &str = "prepared.tmp";

/// Whether the engine may have made a file of this name.
pub(crate) fn is_known(name: &str) -> bool {
    let name = name.strip_suffix(".tmp").unwrap_or(name);
    let numbered = |suffix| {
        let number: Option<&str> = name.strip_suffix(suffix);
        number.is_some_and(|number| number.len() == 10 && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let single = [LOCK, CHECKPOINT, BASE, MANIFEST, UNFINISHED, "prepared"].contains(&name);
    single || numbered(".segment") || numbered(".index")
}

/// How much of a file tells how long it may be.
const START_BYTES: usize = 128;

/// Reads a whole file. `bytes_max` says how long one that begins in this way is at most; of a longer one, which is none of
/// ours or damaged, only the start is read. So what is taken of memory is what was once written, whatever a file's length is.
pub(crate) fn read_file(
    disk: &dyn Disk,
    name: &str,
    bytes_max: impl FnOnce(&[u8]) -> u64,
) -> io::Result<Bytes> {
    let file = disk.open(name)?;
    let mut bytes = vec![0; START_BYTES];
    let got = file.read_at(&mut bytes, 0)?;
    bytes.truncate(got);
    let length = file.len()?;
    if got == START_BYTES && length <= bytes_max(&bytes) {
        bytes.resize(to_usize(length), 0);
        let rest = bytes.get_mut(got..).unwrap_or_default();
        let got = got + file.read_at(rest, to_u64(got))?;
        bytes.truncate(got);
    }
    Ok(bytes.into())
}

/// Replaces a whole file: after a crash it has its old or its new bytes.
pub(crate) fn replace_file(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), MaintenanceError> {
    let named = |cause| maintenance_error(disk, name, cause);
    let draft = format!("{name}.tmp");
    remove_if_there(disk, &draft).map_err(named)?;
    let file = disk.create_new(&draft).map_err(named)?;
    write_in_steps(&*file, bytes).map_err(named)?;
    disk.rename(&draft, name).map_err(named)?;
    disk.sync_dir().map_err(named)
}

/// Synced step by step, so that the syncs of appends do not wait for one big one.
pub(crate) fn write_in_steps(file: &dyn crate::disk::DiskFile, bytes: &[u8]) -> io::Result<()> {
    const STEP_BYTES: usize = 4 << 20;
    let mut at = 0;
    for step in bytes.chunks(STEP_BYTES) {
        file.write_at(step, at)?;
        file.sync_data()?;
        at += to_u64(step.len());
    }
    Ok(())
}

pub(crate) fn remove_if_there(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn maintenance_error(disk: &dyn Disk, name: &str, cause: io::Error) -> MaintenanceError {
    MaintenanceError { file: disk.display(name), cause: Arc::new(cause) }
}
pub(crate) fn open_error(disk: &dyn Disk, name: &str, cause: io::Error) -> OpenError {
    OpenError::Io { file: disk.display(name), cause }
}
pub(crate) fn read_error(disk: &dyn Disk, name: &str, cause: io::Error) -> ReadError {
    ReadError::Io { file: disk.display(name), cause: Arc::new(cause) }
}
