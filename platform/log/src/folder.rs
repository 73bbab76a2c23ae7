//! What is in a log's folder: its segments, as far as their headers tell.
//!
//! What always holds: a folder with other files is never taken for a log, and a log whose first segments are gone
//! never for a new one.

use crate::disk::Environment;
use crate::error::{Corruption, OpenError};
use crate::files::{CHECKPOINT, is_known, open_error};
use crate::frame::HEADER_BYTES;
use crate::num::to_u64;
use crate::segment::{self, BadHeader, SegmentHeader, SegmentNumber};

/// Whether a log may be made in a folder without segments.
pub(crate) fn check_new(environment: &Environment, names: &[String]) -> Result<(), OpenError> {
    let disk = &*environment.disk;
    if let Some(file) = names.iter().find(|name| !is_known(name)) {
        return Err(OpenError::NotALog { folder: disk.display(""), file: file.clone() });
    }
    match names.iter().find(|name| *name == CHECKPOINT || name.ends_with(".index")) {
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

/// The headers of the segments, in order, up to the first that is missing, damaged or out of place.
pub(crate) fn read_headers(
    environment: &Environment,
    numbers: &[SegmentNumber],
) -> Result<(Vec<SegmentHeader>, Option<Corruption>), OpenError> {
    let disk = &*environment.disk;
    let mut segments: Vec<SegmentHeader> = Vec::with_capacity(numbers.len());
    let mut expected = SegmentNumber::FIRST;
    for &number in numbers {
        let name = number.file_name();
        let damaged = |what| Corruption { file: disk.display(&name), offset: 0, what };
        if number != expected {
            return Ok((segments, Some(missing_segment(environment, expected))));
        }
        let mut bytes = [0; segment::HEADER_BYTES];
        let read = disk.open(&name).and_then(|file| file.read_at(&mut bytes, 0));
        read.map_err(|error| open_error(disk, &name, error))?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) => header,
            Err(BadHeader::Damaged) => {
                return Ok((segments, Some(damaged("the segment's header is damaged"))));
            }
            Err(BadHeader::Newer(format)) => {
                let file = disk.display(&name);
                return Err(OpenError::NewerFormat { file, format, known: segment::FORMAT });
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
    let least = before.frames().plus(to_u64(HEADER_BYTES));
    let most = before.base.plus(before.capacity_bytes);
    header.log_id == before.log_id
        && header.first >= before.first
        && (least..=most).contains(&header.base)
        && header.recorded_before >= before.recorded_before
}
