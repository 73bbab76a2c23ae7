//! What is in a log's folder: its segments, as far as their headers tell.
//!
//! What always holds: a folder with other files is never taken for a log, and a log whose first segments are gone, or a
//! backup without them, never for a new one.

use crate::disk::{Disk, Environment, RealDisk};
use crate::error::{Corruption, OpenError};
use crate::files::{BASE, CHECKPOINT, is_known, open_error, remove_if_there};
use crate::format::{
    BadHeader, Base, FRAME_HEADER_BYTES, FoundBase, LogStart, SEGMENT_FORMAT, SEGMENT_HEADER_BYTES,
    SegmentHeader, SegmentNumber,
};
use crate::num::to_u64;
use crate::open::restored::backup_manifest;
use std::{io, path::Path};

/// Whether there are segments of a log in the folder, sound or not.
pub fn holds_log(folder: &Path) -> io::Result<bool> {
    let names = RealDisk::open_read_only(folder)?.list()?;
    Ok(names.iter().any(|name| SegmentNumber::of_file_name(name).is_some()))
}

/// Whether a log may be made in a folder without segments.
pub(crate) fn check_new(environment: &Environment, names: &[String]) -> Result<(), OpenError> {
    let disk = &*environment.disk;
    if let Some(file) = names.iter().find(|name| !is_known(name)) {
        return Err(OpenError::NotALog { folder: disk.display(""), file: file.clone() });
    }
    backup_manifest(disk, names)?;
    let of_a_log = |name: &&String| *name == CHECKPOINT || *name == BASE || name.ends_with(".index");
    match names.iter().find(of_a_log) {
        None => Ok(()),
        Some(_) => Err(OpenError::Corrupted(Corruption {
            file: disk.display(&SegmentNumber::FIRST.file_name()),
            offset: 0,
            what: "the segment is missing",
        })),
    }
}

pub(crate) fn missing_segment(environment: &Environment, number: SegmentNumber) -> Corruption {
    let file = environment.disk.display(&number.file_name());
    Corruption { file, offset: 0, what: "the segment is missing" }
}

/// The log's files of primary data.
pub(crate) struct LogFiles {
    /// What stands for the segments before the first one.
    pub(crate) base: Option<Base>,
    /// Why there is no base though there should be.
    pub(crate) base_damage: Option<Corruption>,
    /// Segments that the base stands for; a crash kept them from being removed.
    pub(crate) leftovers: Vec<SegmentNumber>,
    /// At least one.
    pub(crate) segments: Vec<SegmentHeader>,
    /// Why the segments end before the folder's last one.
    pub(crate) damage: Option<Corruption>,
}

/// Reads the base and the headers of the segments with these numbers, which are in order.
pub(crate) fn read_files(
    environment: &Environment,
    numbers: &[SegmentNumber],
) -> Result<LogFiles, OpenError> {
    let (mut base, mut base_damage) = match FoundBase::in_folder(&*environment.disk)? {
        FoundBase::Nothing => (None, None),
        FoundBase::Whole(base) => (Some(base), None),
        FoundBase::Damaged(damage) => (None, Some(damage)),
    };
    let begins_at = match (&base, &base_damage) {
        (Some(base), _) => base.start.segment,
        // Nobody can tell where the log begins: it is read from the first segment that there is.
        (None, Some(_)) => numbers.first().copied().unwrap_or(SegmentNumber::FIRST),
        (None, None) => SegmentNumber::FIRST,
    };
    let (leftovers, kept) = numbers.split_at(numbers.partition_point(|number| *number < begins_at));
    let (segments, damage) = read_headers(environment, begins_at, kept)?;
    let Some(first) = segments.first() else {
        let missing = missing_segment(environment, begins_at);
        return Err(OpenError::Corrupted(damage.unwrap_or(missing)));
    };
    if base.take_if(|base| base.start != LogStart::of(first)).is_some() {
        base_damage = Some(Base::damaged(&*environment.disk, 0, Base::NOT_THIS_LOGS));
    }
    Ok(LogFiles { base, base_damage, leftovers: leftovers.to_vec(), segments, damage })
}

/// Removes segments that a base stands for, and their indexes.
pub(crate) fn remove_segments(disk: &dyn Disk, numbers: &[SegmentNumber]) {
    for name in numbers.iter().flat_map(|number| [number.file_name(), number.index_file_name()]) {
        if let Err(error) = remove_if_there(disk, &name) {
            tracing::warn!(%error, name, "a file that was dropped from the log stays until the next open");
        }
    }
}

/// The headers of the segments from `first` on, in order, up to the first that is missing, damaged or out of place.
pub(crate) fn read_headers(
    environment: &Environment,
    first: SegmentNumber,
    numbers: &[SegmentNumber],
) -> Result<(Vec<SegmentHeader>, Option<Corruption>), OpenError> {
    let disk = &*environment.disk;
    let mut segments: Vec<SegmentHeader> = Vec::with_capacity(numbers.len());
    let mut expected = first;
    for &number in numbers {
        let name = number.file_name();
        let damaged = |what| Corruption { file: disk.display(&name), offset: 0, what };
        if number != expected {
            return Ok((segments, Some(missing_segment(environment, expected))));
        }
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = disk.open(&name).and_then(|file| file.read_at(&mut bytes, 0));
        read.map_err(|error| open_error(disk, &name, error))?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) => header,
            Err(BadHeader::Damaged) => {
                return Ok((segments, Some(damaged("the segment's header is damaged"))));
            }
            Err(BadHeader::Unknown(format)) => {
                let file = disk.display(&name);
                return Err(OpenError::UnknownFormat { file, format, known: SEGMENT_FORMAT });
            }
        };
        if header.number != number {
            return Ok((segments, Some(damaged("the file holds another segment"))));
        }
        if segments.last().is_some_and(|before| !follows(before, &header)) {
            return Ok((segments, Some(damaged("it does not follow the segment before it"))));
        }
        segments.push(header);
        expected = number.next();
    }
    Ok((segments, None))
}

/// What can be said without going over the frames.
fn follows(before: &SegmentHeader, header: &SegmentHeader) -> bool {
    let least = before.frames().plus(to_u64(FRAME_HEADER_BYTES));
    let most = before.base.plus(before.capacity_bytes);
    (header.log_id, header.secret) == (before.log_id, before.secret)
        && header.first >= before.first
        && (least..=most).contains(&header.base)
        && header.recorded_before >= before.recorded_before
}
