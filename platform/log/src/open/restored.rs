//! A backup that is opened as a log.
//!
//! What always holds:
//!
//! * A backup is opened whole, or not at all; once it is open for writing it is a log and no backup any more, so its manifest
//!   goes before the first append.
//! * The free part of its last segment takes no space in a backup. It is filled on the disk before the manifest goes, so that
//!   an append into it needs no space that may be gone by then.

use crate::disk::Disk;
use crate::error::OpenError;
use crate::files::{MANIFEST, UNFINISHED, open_error, remove_if_there};
use crate::format::{Extent, Lack, Manifest, Position, SegmentHeader, SegmentNumber};
use crate::open::repair;
use crate::read::State;

/// The manifest in a folder with these files, which are all that it lists; `None`: the folder is no backup.
pub(crate) fn backup_manifest(disk: &dyn Disk, names: &[String]) -> Result<Option<Manifest>, OpenError> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let has_segments = names.iter().any(|name| SegmentNumber::of_file_name(name).is_some());
    if !has(MANIFEST) && !has(UNFINISHED) {
        return Ok(None);
    }
    let Some(manifest) = Manifest::in_folder(disk) else {
        if has(UNFINISHED) {
            return Err(OpenError::UnfinishedBackup { folder: disk.display("") });
        }
        if !has_segments {
            return Err(not_whole(disk, &SegmentNumber::FIRST.file_name(), Lack::Missing));
        }
        tracing::warn!(
            "the manifest is not that of a backup, or it is damaged; the log is opened without it"
        );
        return Ok(None);
    };
    match manifest.lack(disk, names).map_err(|error| open_error(disk, "", error))? {
        Some((file, lack)) => Err(not_whole(disk, &file, lack)),
        None => Ok(Some(manifest)),
    }
}

/// Makes a log of the backup, which was recovered to `state`. A damaged one is left as it is.
pub(crate) fn become_log(disk: &dyn Disk, manifest: &Manifest, state: &State) -> Result<(), OpenError> {
    if state.corruption.is_some() {
        return Ok(());
    }
    let last = state.active_segment().map_or(SegmentNumber::FIRST, |segment| segment.number);
    let (backup, end) = (&manifest.backup, &state.end);
    let is_its_own = state.active_segment().is_some_and(|segment| segment.log_id == backup.log_id);
    if !is_its_own || (state.head(), end.chain.0) != (backup.head, backup.chain) {
        return Err(not_whole(disk, &last.file_name(), Lack::OtherBytes));
    }
    state.active_segment().map_or(Ok(()), |segment| fill(disk, segment, end.position))?;
    let removed = [UNFINISHED, MANIFEST].into_iter().try_for_each(|name| remove_if_there(disk, name));
    removed.and_then(|()| disk.sync_dir()).map_err(|error| open_error(disk, MANIFEST, error))
}

/// Writes zeros over all of the segment after the log's end.
fn fill(disk: &dyn Disk, segment: &SegmentHeader, end: Position) -> Result<(), OpenError> {
    let name = segment.number.file_name();
    let from = end.since(segment.base);
    let failed = |cause| open_error(disk, &name, cause);
    let file = disk.open(&name).map_err(failed)?;
    let to = file.len().map_err(failed)?;
    let (log, base) = (segment.secret.frame_tag(), segment.base);
    let wiped = repair::wipe(Extent { file: &*file, log, base, from, to }, to);
    wiped.map_err(|cause| repair::wipe_error(disk, &name, to.saturating_sub(from), cause))
}

fn not_whole(disk: &dyn Disk, file: &str, lack: Lack) -> OpenError {
    OpenError::NotWhole { file: disk.display(file), what: lack.text() }
}
