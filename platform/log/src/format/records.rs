//! The records in a frame: where each is, of which stream, and whether they are what the frame's header says.

use crate::format::cursor::Frame;
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::index::{IndexedRecord, Posting};
use crate::format::payload::AppendPayload;
use crate::num::{crc32c, from_u32, to_u32, to_usize};
use crate::state::{StreamHash, StreamHasher};
use annals_event::{
    Version,
    record::{self, Placed},
};

const BAD: &str = "the frame's records do not match its header";

impl Frame<'_> {
    /// The records of an append, for an index; `follows` says whether a version is possible.
    pub(crate) fn records(
        &self,
        hasher: &StreamHasher,
        follows: impl Fn(StreamHash, Version) -> bool,
    ) -> Result<Vec<IndexedRecord>, &'static str> {
        let Some(AppendPayload { records_at, .. }) = self.append()? else { return Ok(Vec::new()) };
        let Self { header, payload, offset } = self;
        let mut rest = payload.get(records_at..).unwrap_or_default();
        let mut records: Vec<IndexedRecord> = Vec::with_capacity(from_u32(header.events).min(rest.len()));
        let mut at = to_usize(*offset) + FRAME_HEADER_BYTES + records_at;
        let (mut sequence, mut last) = (header.first, None);
        while !rest.is_empty() {
            let Placed { sequence: found, stream, version, bytes } = record::placed(rest).map_err(|_| BAD)?;
            let hash = match last {
                Some((name, hash)) if name == stream => hash,
                _ => hasher.hash(stream),
            };
            let dense = match records.last() {
                Some(before) if before.stream == hash => version == before.version.next(),
                _ => follows(hash, version),
            };
            if found != sequence || !dense {
                return Err(BAD);
            }
            let posting = Posting { offset: to_u32(at), bytes: to_u32(bytes.len()), crc: crc32c(bytes) };
            records.push(IndexedRecord { stream: hash, version, posting });
            last = Some((stream, hash));
            at += bytes.len();
            sequence = sequence.next();
            rest = rest.get(bytes.len()..).unwrap_or_default();
        }
        if records.len() == from_u32(header.events) { Ok(records) } else { Err(BAD) }
    }
}
