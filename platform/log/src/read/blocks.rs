//! Reading blocks of frames from a segment's file.

use crate::error::ReadError;
use crate::format::{
    AppendPayload, FRAME_HEADER_BYTES, Frame, FrameHeader, Kind, PAYLOAD_BYTES_MAX, SegmentNumber,
};
use crate::num::{from_u32, to_u32, to_u64, to_usize};
use crate::options::planted;
use crate::read::frames::{Wanted, each_frame};
use crate::read::reader::{Place, ReadBudget, Readable, Reader, chunk_bytes};
use crate::read::recent_blocks::Block;
use crate::state::Records;
use annals_event::{EventBatch, RequestId, Sequence};
use bytes::Bytes;
use std::ops::ControlFlow;

const BAD_RECORDS: &str = "the frame's records do not match its header";

const CUT: &str = "the file ends within a frame";

/// A chunk of a segment.
struct Chunk {
    bytes: Vec<u8>,
    /// Where it begins in the file.
    at: u64,
}

impl Chunk {
    /// Reads on until there are `wanted` bytes; fewer only at the end of the file.
    fn fill(&mut self, reader: &Reader, readable: &Readable, wanted: usize) -> Result<(), ReadError> {
        let held = self.bytes.len();
        if held < wanted {
            let file = reader.shared.files.get(readable.segment.number);
            self.bytes.resize(wanted, 0);
            let missing = self.bytes.get_mut(held..).unwrap_or_default();
            let got = file.and_then(|file| file.read_at(missing, self.at + to_u64(held)));
            let got = got.map_err(|error| reader.io_error(readable.segment.number, error))?;
            self.bytes.truncate(held + got);
        }
        Ok(())
    }

    /// Forgets what is before `offset`.
    fn skip_to(&mut self, offset: u64) {
        let skipped = to_usize(offset - self.at).min(self.bytes.len());
        self.bytes.drain(..skipped);
        self.at = offset;
    }
}

/// What was taken of a chunk.
struct Taken {
    /// Where the records begin in the chunk.
    offsets: Vec<u32>,
    /// The next event.
    next: Sequence,
    /// Where the first frame with a record begins in the file.
    start: Option<u64>,
    /// The place after the last frame.
    resume: u64,
    /// What kept it from taking more.
    stop: Stop,
}

enum Stop {
    /// The segment ends.
    Done,
    /// The frame at `resume` takes this many bytes, more than there are.
    Needs(usize),
    /// What stands at `resume` is damaged.
    Damaged,
}

/// Events from `from` on, which is in the segment at or after `offset`, from where `ahead` was read already: those of at least
/// one whole frame, and of all that lie in about as many bytes as the budget asks for.
pub(crate) fn read(
    reader: &Reader,
    readable: &Readable,
    (offset, ahead): (u64, Bytes),
    from: Sequence,
    budget: ReadBudget,
) -> Result<Block, ReadError> {
    let segment = readable.segment;
    let left = |at: u64| readable.end.saturating_sub(at);
    let mut chunk = Chunk { bytes: ahead.into(), at: offset };
    let mut wanted = chunk_bytes(budget, left(offset));
    loop {
        chunk.fill(reader, readable, wanted)?;
        let taken = take(reader, readable, &chunk, from)?;
        match taken.stop {
            Stop::Needs(bytes) if taken.offsets.is_empty() => {
                let is_cut = chunk.bytes.len() < wanted || to_u64(bytes) > left(taken.resume);
                if is_cut {
                    return Err(reader.corrupted(segment.number, taken.resume, CUT));
                }
                chunk.skip_to(taken.resume);
                wanted = bytes.max(chunk_bytes(budget, left(taken.resume)));
            }
            _ => return block(reader, readable, chunk, taken, from),
        }
    }
}

fn block(
    reader: &Reader,
    readable: &Readable,
    chunk: Chunk,
    taken: Taken,
    first: Sequence,
) -> Result<Block, ReadError> {
    let (base, at) = (readable.segment.base, chunk.at);
    let chunk = Bytes::from(chunk.bytes);
    let taken_bytes = to_usize(taken.resume - at).min(chunk.len());
    let ahead = if matches!(taken.stop, Stop::Damaged) { Bytes::new() } else { chunk.slice(taken_bytes..) };
    let bytes = chunk.len();
    let events = EventBatch::parse_at(chunk, taken.offsets)
        .map_err(|_| reader.corrupted(readable.segment.number, at, BAD_RECORDS))?;
    let start = base.plus(taken.start.unwrap_or(taken.resume));
    Ok(Block { first, events, start, resume: base.plus(taken.resume), ahead, bytes })
}

/// Takes all whole frames of the chunk.
fn take(reader: &Reader, readable: &Readable, chunk: &Chunk, from: Sequence) -> Result<Taken, ReadError> {
    let mut taken =
        Taken { offsets: Vec::new(), next: from, start: None, resume: chunk.at, stop: Stop::Done };
    while taken.resume < readable.end {
        match take_next(reader, readable, chunk, &mut taken) {
            Ok(true) => {}
            Ok(false) => break,
            // What lies below the damage first; the next read names it.
            Err(_) if !taken.offsets.is_empty() => {
                taken.stop = Stop::Damaged;
                break;
            }
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
    taken: &mut Taken,
) -> Result<bool, ReadError> {
    let (at, offset) = (to_usize(taken.resume - chunk.at), taken.resume);
    let bytes = chunk.bytes.get(at..).unwrap_or_default();
    if bytes.len() < FRAME_HEADER_BYTES {
        taken.stop = Stop::Needs(FRAME_HEADER_BYTES);
        return Ok(false);
    }
    let damaged = |what| reader.corrupted(readable.segment.number, offset, what);
    let position = readable.segment.base.plus(offset);
    let header = FrameHeader::decode(bytes, reader.shared.tag, position)
        .filter(|header| from_u32(header.payload_bytes) <= PAYLOAD_BYTES_MAX)
        .ok_or_else(|| damaged(FrameHeader::NONE))?;
    let whole = to_usize(header.frame_bytes());
    let Some(body) = bytes.get(FRAME_HEADER_BYTES..whole) else {
        taken.stop = Stop::Needs(whole);
        return Ok(false);
    };
    if header.next() > taken.next {
        let payload = match header.payload_in(body) {
            Err(_) if planted!(reader.shared.options, PayloadNotChecked) => {
                body.get(..from_u32(header.payload_bytes)).unwrap_or_default()
            }
            checked => checked.map_err(damaged)?,
        };
        take_frame(&header, payload, at, taken).ok_or_else(|| damaged(BAD_RECORDS))?;
        taken.start = taken.start.or_else(|| (!taken.offsets.is_empty()).then_some(offset));
    }
    taken.resume += header.frame_bytes();
    Ok(true)
}

/// Takes the records of a frame at `frame_at` in the chunk; `None`: they are not what the header says.
fn take_frame(header: &FrameHeader, payload: &[u8], frame_at: usize, taken: &mut Taken) -> Option<()> {
    if header.kind != Kind::Append || header.events == 0 {
        return Some(());
    }
    let records_at = AppendPayload::parse(payload)?.records_at;
    let records = Records { rest: payload.get(records_at..)? };
    let skip = to_usize(taken.next.get().checked_sub(header.first.get())?);
    let mut at = frame_at + FRAME_HEADER_BYTES + records_at;
    let mut seen = 0;
    for record in records {
        if seen >= skip {
            taken.offsets.push(to_u32(at));
            taken.next = taken.next.next();
        }
        at += record.len();
        seen += 1;
    }
    (to_u64(seen) == u64::from(header.events)).then_some(())
}

fn done(is_done: bool) -> ControlFlow<()> {
    if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Where a frame is.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
}

/// The frame of the append with this request id, whose first event is `first`, or without events the one before which it
/// was made; `None`: it is not there any more.
pub(crate) fn frame_of(
    reader: &Reader,
    id: RequestId,
    first: Sequence,
) -> Result<Option<(Spot, FrameHeader, Bytes)>, ReadError> {
    for readable in reader.segments_with(first)? {
        let offset = reader.before(&readable, first)?;
        let mut found = None;
        each_frame(reader, &readable, offset, Wanted::Few, |frame| {
            let header = &frame.header;
            if header.kind == Kind::Append && (header.first, header.request_id) == (first, id) {
                let spot = Spot { segment: readable.segment.number, offset: frame.offset };
                found = Some((spot, *header, Bytes::copy_from_slice(frame.payload)));
            }
            Ok(done(found.is_some() || header.first > first))
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The append's frame whose first event is `first`; `None`: that event is not the first of an append, or not there.
pub(crate) fn frame_from(
    reader: &Reader,
    first: Sequence,
) -> Result<Option<(FrameHeader, Bytes)>, ReadError> {
    let Place { readable, offset, .. } = reader.locate(first)?;
    let mut found = None;
    each_frame(reader, &readable, offset, Wanted::Few, |Frame { header, payload, .. }| {
        if header.first == first && header.events > 0 {
            found = Some((*header, Bytes::copy_from_slice(payload)));
        }
        Ok(done(header.first > first || found.is_some()))
    })?;
    Ok(found)
}

/// The first event in the segment, at or after `offset`, that was recorded at or after `micros`.
pub(crate) fn first_at(
    reader: &Reader,
    readable: &Readable,
    offset: u64,
    micros: i64,
) -> Result<Option<Sequence>, ReadError> {
    let mut found = None;
    each_frame(reader, readable, offset, Wanted::Few, |Frame { header, .. }| {
        found = (header.events > 0 && header.recorded_at >= micros).then_some(header.first);
        Ok(done(found.is_some()))
    })?;
    Ok(found)
}
