//! The records in a frame: where each is, of which stream, and whether they are what the frame's header says.

use crate::frame::{FrameHeader, HEADER_BYTES};
use crate::heads::StreamHasher;
use crate::index::{IndexedRecord, Posting};
use crate::num::{crc32c, to_u32};
use annals_event::EventBatch;
use bytes::Bytes;

/// The records of a frame, for an index; `follows` says whether a version is possible.
pub(crate) fn records_in(
    hasher: &StreamHasher,
    header: &FrameHeader,
    payload: &[u8],
    records_at: usize,
    offset: u64,
    follows: impl Fn(crate::heads::StreamHash, annals_event::Version) -> bool,
) -> Result<Vec<IndexedRecord>, &'static str> {
    const BAD: &str = "the frame's records do not match its header";
    let bytes = Bytes::copy_from_slice(payload.get(records_at..).unwrap_or_default());
    let events = EventBatch::parse(bytes).map_err(|_| BAD)?;
    if events.len() != crate::num::from_u32(header.events) {
        return Err(BAD);
    }
    let mut records: Vec<IndexedRecord> = Vec::with_capacity(events.len());
    let mut at = crate::num::to_usize(offset) + HEADER_BYTES + records_at;
    let mut sequence = header.first;
    let mut last = None;
    for event in events.iter() {
        let (stream, version) = match last {
            Some((name, hash)) if name == event.stream() => (hash, event.version()),
            _ => (hasher.hash(event.stream()), event.version()),
        };
        let dense = match (last, records.last()) {
            (Some((_, hash)), Some(before)) if hash == stream => version == before.version.next(),
            _ => follows(stream, version),
        };
        if event.sequence() != sequence || !dense {
            return Err(BAD);
        }
        let bytes = event.as_bytes();
        let posting = Posting { offset: to_u32(at), bytes: to_u32(bytes.len()), crc: crc32c(bytes) };
        records.push(IndexedRecord { stream, version, posting });
        last = Some((event.stream(), stream));
        at += bytes.len();
        sequence = sequence.next();
    }
    Ok(records)
}
