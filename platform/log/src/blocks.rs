//! Reading blocks of frames from a segment's file.

use crate::error::ReadError;
use crate::frame::{
    AppendPayload, BAD_PADDING, FrameHeader, HEADER_BYTES, Kind, PAYLOAD_BYTES_MAX, Position, is_padding,
};
use crate::num::{crc32c, from_u32, to_u32, to_u64, to_usize};
use crate::options::planted;
use crate::pending::Records;
use crate::reader::{BAD_PAYLOAD, NO_FRAME, Place, ReadBlock, ReadBudget, Readable, Reader, chunk_bytes};
use crate::scan::{Extent, Scanned, Scanner};
use annals_event::{EventBatch, Sequence};
use bytes::Bytes;

const BAD_RECORDS: &str = "the frame's records do not match its header";

/// A chunk of a segment.
struct Chunk {
    bytes: Vec<u8>,
    /// Where it begins in the file.
    at: u64,
}

/// What was taken of a chunk.
struct Taken {
    /// Where the records begin in the chunk.
    offsets: Vec<u32>,
    record_bytes: usize,
    /// The next event.
    next: Sequence,
    /// Where to read on: the frame with the next event, or the place after the last frame.
    resume: u64,
    /// What kept it from taking more.
    stop: Stop,
}

enum Stop {
    /// The budget is used up, or the segment ends.
    Done,
    /// The frame at `resume` takes this many bytes, more than there are.
    Needs(usize),
}

/// Events from `from` on, which is in the segment at or behind `offset`; with the position to read on from.
pub(crate) fn read(
    reader: &Reader,
    readable: &Readable,
    offset: u64,
    from: Sequence,
    budget: ReadBudget,
) -> Result<(ReadBlock, Position), ReadError> {
    let segment = readable.segment;
    let (mut at, mut wanted) = (offset, chunk_bytes(budget, readable.end.saturating_sub(offset)));
    loop {
        let bytes = reader.read_bytes(segment.number, at, wanted)?;
        let chunk = Chunk { bytes, at };
        let taken = take(reader, readable, &chunk, from, budget)?;
        match taken.stop {
            Stop::Needs(bytes) if taken.offsets.is_empty() => {
                if at == taken.resume && chunk.bytes.len() < wanted {
                    return Err(reader.corrupted(segment.number, at, "the file ends within a frame"));
                }
                (at, wanted) = (taken.resume, bytes.max(chunk_bytes(budget, readable.end - taken.resume)));
                wanted = wanted.min(to_usize(readable.end - at));
            }
            _ => {
                let events = EventBatch::parse_at(chunk.bytes.into(), taken.offsets)
                    .map_err(|_| reader.corrupted(segment.number, at, BAD_RECORDS))?;
                let block = ReadBlock { events, next: taken.next };
                return Ok((block, segment.base.plus(taken.resume)));
            }
        }
    }
}

fn take(
    reader: &Reader,
    readable: &Readable,
    chunk: &Chunk,
    from: Sequence,
    budget: ReadBudget,
) -> Result<Taken, ReadError> {
    let mut taken =
        Taken { offsets: Vec::new(), record_bytes: 0, next: from, resume: chunk.at, stop: Stop::Done };
    while taken.resume < readable.end {
        match take_next(reader, readable, chunk, budget, &mut taken) {
            Ok(true) => {}
            Ok(false) => break,
            // What lies below the damage first; the next read names it.
            Err(_) if !taken.offsets.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Takes the frame at the place to read on from; false: `taken.stop` says why it did not.
fn take_next(
    reader: &Reader,
    readable: &Readable,
    chunk: &Chunk,
    budget: ReadBudget,
    taken: &mut Taken,
) -> Result<bool, ReadError> {
    let (at, offset) = (to_usize(taken.resume - chunk.at), taken.resume);
    let bytes = chunk.bytes.get(at..).unwrap_or_default();
    if bytes.len() < HEADER_BYTES {
        taken.stop = Stop::Needs(HEADER_BYTES);
        return Ok(false);
    }
    let damaged = |what| reader.corrupted(readable.segment.number, offset, what);
    let position = readable.segment.base.plus(offset);
    let header = FrameHeader::decode(bytes, reader.shared.tag, position)
        .filter(|header| from_u32(header.payload_bytes) <= PAYLOAD_BYTES_MAX)
        .ok_or_else(|| damaged(NO_FRAME))?;
    let whole = to_usize(header.frame_bytes());
    let Some(body) = bytes.get(HEADER_BYTES..whole) else {
        taken.stop = Stop::Needs(whole);
        return Ok(false);
    };
    if header.next() > taken.next {
        let (payload, padding) = body.split_at_checked(from_u32(header.payload_bytes)).unwrap_or_default();
        if !is_padding(padding) {
            return Err(damaged(BAD_PADDING));
        }
        let trusted = planted!(reader.shared.options, PayloadNotChecked);
        if crc32c(payload) != header.payload_crc && !trusted {
            return Err(damaged(BAD_PAYLOAD));
        }
        if !take_frame(&header, payload, at, budget, taken).ok_or_else(|| damaged(BAD_RECORDS))? {
            return Ok(false);
        }
    }
    taken.resume += header.frame_bytes();
    Ok(true)
}

/// Takes the records of a frame at `frame_at` in the chunk; `Some(false)`: the budget did not allow all of them,
/// `None`: they are not what the header says.
fn take_frame(
    header: &FrameHeader,
    payload: &[u8],
    frame_at: usize,
    budget: ReadBudget,
    taken: &mut Taken,
) -> Option<bool> {
    if header.kind != Kind::Append || header.events == 0 {
        return Some(true);
    }
    let records_at = AppendPayload::parse(payload)?.records_at;
    let records = Records { rest: payload.get(records_at..)? };
    let skip = to_usize(taken.next.get().checked_sub(header.first.get())?);
    let mut at = frame_at + HEADER_BYTES + records_at;
    let mut seen = 0;
    for record in records {
        if seen >= skip {
            let full = taken.offsets.len() >= budget.events_max
                || taken.record_bytes.saturating_add(record.len()) > budget.bytes_max;
            if full && !taken.offsets.is_empty() {
                return Some(false);
            }
            taken.offsets.push(to_u32(at));
            taken.record_bytes += record.len();
            taken.next = taken.next.next();
        }
        at += record.len();
        seen += 1;
    }
    (to_u64(seen) == u64::from(header.events)).then_some(true)
}

/// The append's frame whose first event is `first`; `None`: that event is not the first of an append, or not there.
pub(crate) fn frame_from(
    reader: &Reader,
    first: Sequence,
) -> Result<Option<(FrameHeader, Bytes)>, ReadError> {
    let Place { readable, offset } = reader.locate(first)?;
    let (number, base) = (readable.segment.number, readable.segment.base);
    let file = reader.shared.files.get(number).map_err(|error| reader.io_error(number, error))?;
    let extent = Extent { file: &*file, log: reader.shared.tag, base, from: offset, to: readable.end };
    let mut scanner = Scanner::new(extent);
    loop {
        let at = scanner.offset();
        match scanner.next().map_err(|error| reader.io_error(number, error))? {
            Scanned::End => return Ok(None),
            Scanned::Bad(what) => return Err(reader.corrupted(number, at, what)),
            Scanned::Frame { header, .. } if header.first > first => return Ok(None),
            Scanned::Frame { header, payload, .. } if header.first == first && header.events > 0 => {
                return Ok(Some((header, Bytes::copy_from_slice(payload))));
            }
            Scanned::Frame { .. } => {}
        }
    }
}

/// The first event in the segment, at or behind `offset`, that was recorded at or after `micros`.
pub(crate) fn first_at(
    reader: &Reader,
    readable: &Readable,
    offset: u64,
    micros: i64,
) -> Result<Option<Sequence>, ReadError> {
    let (number, base) = (readable.segment.number, readable.segment.base);
    let file = reader.shared.files.get(number).map_err(|error| reader.io_error(number, error))?;
    let extent = Extent { file: &*file, log: reader.shared.tag, base, from: offset, to: readable.end };
    let mut scanner = Scanner::new(extent);
    loop {
        let at = scanner.offset();
        match scanner.next().map_err(|error| reader.io_error(number, error))? {
            Scanned::End => return Ok(None),
            Scanned::Bad(what) => return Err(reader.corrupted(number, at, what)),
            Scanned::Frame { header, .. } if header.events > 0 && header.recorded_at >= micros => {
                return Ok(Some(header.first));
            }
            Scanned::Frame { .. } => {}
        }
    }
}
