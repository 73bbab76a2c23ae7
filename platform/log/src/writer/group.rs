//! A group of appends on its way to the disk: their frames in one buffer, to be written and synced at once.
//!
//! What always holds: the group begins where the log is durable, so every frame's `synced_to` is the group's
//! start; and answers stay here until the group is synced, because they may rest on it.

use crate::format::{
    FRAME_HEADER_BYTES, FrameHeader, GROUP_BYTES_MAX, IndexedRecord, Kind, LogEnd, LogTag, Position, Posting,
    encode_prelude, frame_bytes,
};
use crate::num::{crc32c, put, to_u32, to_u64};
use crate::read::{Answer, Repeated, receipt};
use crate::state::{Changes, Pending, Records, RequestHasher, StreamHash};
use annals_event::{Receipt, Timestamp, Version, record};

/// Which append of a commit an answer belongs to, and the answer.
pub(crate) type Answered = (usize, Answer);

pub(crate) struct Group {
    log: LogTag,
    /// The position of the first byte of the segment.
    base: Position,
    start: Position,
    pub(crate) end: LogEnd,
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: Vec<FrameHeader>,
    /// The records of all frames.
    pub(crate) records: Vec<IndexedRecord>,
    /// Where each record begins in `bytes`.
    pub(crate) offsets: Vec<u32>,
    pub(crate) changes: Changes,
    pub(crate) answers: Vec<Answered>,
}

impl Group {
    pub(crate) fn new(log: LogTag, hasher: RequestHasher, base: Position, end: LogEnd) -> Self {
        Self {
            log,
            base,
            start: end.position,
            end,
            bytes: Vec::new(),
            frames: Vec::new(),
            records: Vec::new(),
            offsets: Vec::new(),
            changes: Changes::new(hasher),
            answers: Vec::new(),
        }
    }

    /// Begins the next group where the log is now durable. The answers have been taken before.
    pub(crate) fn begin(&mut self, base: Position, end: LogEnd) {
        (self.base, self.start, self.end) = (base, end.position, end);
        self.bytes.clear();
        self.frames.clear();
        self.records.clear();
        self.offsets.clear();
        self.changes.clear();
    }

    /// Makes room for `bytes` more of frames, as far as one group may hold them.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes.min(GROUP_BYTES_MAX));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
    /// Where the group's bytes belong in the segment's file.
    pub(crate) fn offset(&self) -> u64 {
        self.start.since(self.base)
    }
    /// Where the group ends in the segment's file.
    pub(crate) fn end_offset(&self) -> u64 {
        self.end.position.since(self.base)
    }
    /// Adds the frame of an append whose conditions hold; `version_of` is where a stream is that the group did
    /// not touch.
    pub(crate) fn push(
        &mut self,
        pending: &Pending,
        now: i64,
        version_of: impl Fn(StreamHash) -> Version,
    ) -> Receipt {
        let recorded_at = now.max(self.end.recorded_at);
        let frame_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        let marks = pending.marks.iter().map(|update| (&update.mark, update.value));
        encode_prelude(marks, &mut self.bytes);
        let versions = self.push_records(pending, recorded_at, version_of);
        let header = self.finish_frame(frame_at, recorded_at, pending);
        self.changes.add_request(pending.request_id, header.first);
        for update in &pending.marks {
            self.changes.set_mark(update.mark.clone(), update.value);
        }
        receipt(&header, versions, Repeated::No)
    }

    fn push_records(
        &mut self,
        pending: &Pending,
        recorded_at: i64,
        version_of: impl Fn(StreamHash) -> Version,
    ) -> Vec<Version> {
        let mut records = Records { rest: &pending.records };
        let mut sequence = self.end.next;
        let mut versions = Vec::with_capacity(pending.writes.len());
        for write in &pending.writes {
            let stream = write.condition.hash;
            let mut version = self.changes.version(stream).unwrap_or_else(|| version_of(stream));
            for bytes in records.by_ref().take(crate::num::from_u32(write.events)) {
                version = version.next();
                let at = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                let placed = self.bytes.get_mut(at..).unwrap_or_default();
                record::set_place(placed, sequence, version, Timestamp::from_micros(recorded_at));
                let crc = crc32c(placed);
                let offset = to_u32(crate::num::to_usize(self.start.since(self.base)) + at);
                let posting = Posting { offset, bytes: to_u32(bytes.len()), crc };
                self.offsets.push(to_u32(at));
                self.records.push(IndexedRecord { stream, version, posting });
                sequence = sequence.next();
            }
            self.changes.set_version(stream, version);
            versions.push(version);
        }
        versions
    }

    fn finish_frame(&mut self, frame_at: usize, recorded_at: i64, pending: &Pending) -> FrameHeader {
        let payload = self.bytes.get(frame_at + FRAME_HEADER_BYTES..).unwrap_or_default();
        let header = FrameHeader {
            kind: Kind::Append,
            log: self.log,
            position: self.end.position,
            synced_to: self.start,
            group: 0,
            first: self.end.next,
            events: pending.events(),
            payload_bytes: to_u32(payload.len()),
            recorded_at,
            request_id: pending.request_id,
            digest: pending.digest,
            previous: self.end.chain,
            payload_crc: crc32c(payload),
        };
        let encoded = header.encode();
        put(&mut self.bytes, frame_at, &encoded);
        let padded = frame_bytes(crate::num::from_u32(header.payload_bytes));
        self.bytes.resize(frame_at + padded, 0);
        self.frames.push(header);
        self.end = self.end.after(&header);
        header
    }
}

/// How many bytes the append's frame will take.
pub(crate) fn frame_bytes_of(pending: &Pending) -> u64 {
    let marks: usize = pending.marks.iter().map(|update| 9 + update.mark.as_str().len()).sum();
    to_u64(frame_bytes(crate::format::PRELUDE_BYTES + marks + pending.records.len()))
}
