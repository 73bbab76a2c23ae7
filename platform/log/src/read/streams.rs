//! Reading streams: the segments that hold a stream are linked backwards, and each one's index says where its
//! records are.
//!
//! What always holds: each step leads to an earlier segment, so reading a stream comes to an end whatever an index says.

use crate::disk::DiskFile;
use crate::error::ReadError;
use crate::format::{Posting, SegmentNumber, StreamPostings, Trail, VersionRange};
use crate::num::{crc32c, from_u32, to_u32, to_u64};
use crate::options::planted;
use crate::read::reader::{Direction, Readable, Reader, StreamRead, first_of, readable_at};
use crate::read::sealed::SealedIndex;
use crate::read::shared::State;
use annals_event::{EventBatch, StreamName, Version};

/// Most bytes of records that one read of a stream returns; a single event always fits.
const READ_BYTES_MAX: usize = 16 << 20;
/// Records this close to each other are read together with what lies between them.
const GAP_BYTES_MAX: usize = 4 << 10;
/// Most bytes of one read from a file.
const RUN_BYTES_MAX: usize = 1 << 20;
const EVENTS_MISSING: &str = "events of the stream are missing";
const LINK_NOT_DOWN: &str = "the stream's link does not name an earlier segment";
const BAD_RECORD: &str = "the record does not match its checksum";

/// The place of a record.
#[derive(Clone, Copy)]
struct Place {
    segment: SegmentNumber,
    posting: Posting,
}

pub(crate) fn read(reader: &Reader, stream: &StreamName, read: StreamRead) -> Result<EventBatch, ReadError> {
    let Some((range, newest)) = find(reader, stream, read)? else { return Ok(EventBatch::empty()) };
    let mut places = places(reader, stream, range, newest)?;
    if places.len() < crate::num::to_usize(range.to.get() - range.from.get() + 1) {
        match (reader.first_if_dropped(SegmentNumber::FIRST), read.direction) {
            (None, _) => return Err(reader.corrupted(SegmentNumber::FIRST, 0, EVENTS_MISSING)),
            (Some(first), Direction::Forward) => return Err(ReadError::BelowStart { first }),
            // Whoever goes back comes to an end where retention made it.
            (Some(_), Direction::Backward) => {}
        }
    }
    limit(&mut places, read.direction);
    let events = read_places(reader, &places)?;
    Ok(match read.direction {
        Direction::Forward => events,
        Direction::Backward => events.reversed(),
    })
}

/// A segment to look into.
enum Step {
    /// The segment's part was found in memory.
    Found(SegmentNumber, StreamPostings),
    Indexed(SealedIndex),
    InFile(Box<Readable>),
}

/// Which versions are asked for, and where the stream's newest are.
fn find(
    reader: &Reader,
    stream: &StreamName,
    read: StreamRead,
) -> Result<Option<(VersionRange, Step)>, ReadError> {
    let hash = reader.shared.hasher.hash_name(stream);
    let state = reader.shared.state.read();
    let Some(head) = reader.shared.heads.get(hash) else { return Ok(None) };
    let count = to_u64(read.events_max).min(u64::from(u32::MAX));
    let (from, to) = match read.direction {
        Direction::Forward => {
            let from = read.from.max(Version::FIRST);
            (from, from.plus(count).previous().min(head.version))
        }
        Direction::Backward => {
            let to = read.from.min(head.version);
            (Version::new((to.get() + 1).saturating_sub(count).max(1)), to)
        }
    };
    let range = VersionRange { from, to };
    if count == 0 || from > to {
        return Ok(None);
    }
    match (step(&state, hash, range, Trail::of(&head).segment), read.direction) {
        (Some(step), _) => Ok(Some((range, step))),
        (None, Direction::Forward) => Err(ReadError::BelowStart { first: first_of(&state) }),
        (None, Direction::Backward) => Ok(None),
    }
}

/// How to look into the segment; `None`: it is not there any more.
fn step(
    state: &State,
    hash: crate::state::StreamHash,
    range: VersionRange,
    segment: SegmentNumber,
) -> Option<Step> {
    if state.active_segment().is_some_and(|active| active.number == segment) {
        return state.active.find(hash, range).map(|found| Step::Found(segment, found));
    }
    if let Some(index) = state.unwritten(segment) {
        return Some(Step::Indexed(index));
    }
    let at = state.segments.binary_search_by_key(&segment, |held| held.number).ok()?;
    readable_at(state, at).map(Box::new).map(Step::InFile)
}

/// The places of the versions in `range`, oldest first, going back from `newest`.
fn places(
    reader: &Reader,
    stream: &StreamName,
    range: VersionRange,
    newest: Step,
) -> Result<Vec<Place>, ReadError> {
    let hash = reader.shared.hasher.hash_name(stream);
    let mut parts: Vec<(SegmentNumber, Vec<Posting>)> = Vec::new();
    let mut next = Some(newest);
    while let Some(step_here) = next.take() {
        let (segment, found) = match step_here {
            Step::Found(segment, found) => (segment, Some(found)),
            Step::Indexed(index) => (index.of().segment, index.find(hash, range)),
            Step::InFile(readable) => (readable.segment.number, reader.index(&readable)?.find(hash, range)),
        };
        let Some(found) = found else { return Err(reader.corrupted(segment, 0, EVENTS_MISSING)) };
        parts.push((segment, found.postings));
        if found.first_version > range.from && found.previous_segment > 0 {
            let previous = SegmentNumber(found.previous_segment);
            if previous >= segment {
                return Err(reader.corrupted(segment, 0, LINK_NOT_DOWN));
            }
            // `None`: retention dropped what lies before.
            next = step(&reader.shared.state.read(), hash, range, previous);
        }
    }
    let in_order = parts.into_iter().rev();
    Ok(in_order
        .flat_map(|(segment, postings)| postings.into_iter().map(move |posting| Place { segment, posting }))
        .collect())
}

/// Cuts the places to what one read may return.
fn limit(places: &mut Vec<Place>, direction: Direction) {
    let mut bytes = 0;
    let mut fits = |place: &Place| {
        bytes += from_u32(place.posting.bytes);
        bytes <= READ_BYTES_MAX
    };
    match direction {
        Direction::Forward => {
            let count = places.iter().take_while(|place| fits(place)).count().max(1);
            places.truncate(count);
        }
        Direction::Backward => {
            let count = places.iter().rev().take_while(|place| fits(place)).count().max(1);
            places.drain(..places.len().saturating_sub(count));
        }
    }
}

fn read_places(reader: &Reader, places: &[Place]) -> Result<EventBatch, ReadError> {
    let record_bytes = places.iter().map(|place| from_u32(place.posting.bytes)).sum();
    let mut records = Records {
        bytes: Vec::with_capacity(record_bytes),
        offsets: Vec::with_capacity(places.len()),
        scratch: Vec::new(),
    };
    for part in places.chunk_by(|place, next| place.segment == next.segment) {
        let Some(segment) = part.first().map(|place| place.segment) else { continue };
        let file = reader.shared.files.get(segment).map_err(|error| reader.io_error(segment, error))?;
        for run in part.chunk_by(belong_together).flat_map(split) {
            records.read(reader, &*file, run)?;
        }
    }
    let damaged = |_| {
        let first = places.first().map(|place| (place.segment, u64::from(place.posting.offset)));
        let (segment, offset) = first.unwrap_or((SegmentNumber::FIRST, 0));
        reader.corrupted(segment, offset, "a record is not well-formed")
    };
    EventBatch::parse_at(records.bytes.into(), records.offsets).map_err(damaged)
}

fn belong_together(place: &Place, next: &Place) -> bool {
    let end = from_u32(place.posting.offset) + from_u32(place.posting.bytes);
    let gap = from_u32(next.posting.offset).checked_sub(end);
    place.segment == next.segment && gap.is_some_and(|gap| gap <= GAP_BYTES_MAX)
}

/// Splits what belongs together into pieces that are not read in one go when they are too long.
fn split(run: &[Place]) -> impl Iterator<Item = &[Place]> {
    let mut from = 0;
    run.chunk_by(move |place, next| {
        let end = from_u32(next.posting.offset) + from_u32(next.posting.bytes);
        if from == 0 {
            from = from_u32(place.posting.offset);
        }
        let near = end - from <= RUN_BYTES_MAX;
        if !near {
            from = from_u32(next.posting.offset);
        }
        near
    })
}

/// Records that were read and verified, one after the other.
struct Records {
    bytes: Vec<u8>,
    /// Where each begins in `bytes`.
    offsets: Vec<u32>,
    /// What was read together with what lies between.
    scratch: Vec<u8>,
}

impl Records {
    /// Reads records that lie close to each other in one segment, and verifies each.
    fn read(&mut self, reader: &Reader, file: &dyn DiskFile, run: &[Place]) -> Result<(), ReadError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let from = first.posting.offset;
        let length = from_u32(last.posting.offset) + from_u32(last.posting.bytes) - from_u32(from);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(length, 0);
        let got = file.read_at(&mut scratch, u64::from(from));
        scratch.truncate(got.map_err(|error| reader.io_error(first.segment, error))?);
        for Place { segment, posting } in run {
            let at = from_u32(posting.offset - from);
            let record = scratch.get(at..at + from_u32(posting.bytes)).unwrap_or_default();
            let trusted = planted!(reader.shared.options, RecordNotChecked);
            if crc32c(record) != posting.crc && !trusted {
                return Err(reader.corrupted(*segment, u64::from(posting.offset), BAD_RECORD));
            }
            self.offsets.push(to_u32(self.bytes.len()));
            self.bytes.extend_from_slice(record);
        }
        self.scratch = scratch;
        Ok(())
    }
}
