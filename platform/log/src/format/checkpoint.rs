//! The checkpoint: heads, marks and request ids, so that opening need not go over the whole log. Derived: when it
//! is missing or damaged, everything is rebuilt from the segments.
//!
//! What always holds:
//!
//! * All that the checkpoint says was durable when it was written; so a log that ends before `as_of` has lost
//!   something.
//! * The heads and marks may be of a later moment than the start of `replay_from`, never later than `as_of`: replaying
//!   from the start of that segment brings everything to the log's end.

use crate::format::frame::Position;
use crate::format::payload::{MARK_BYTES_MAX, put_mark};
use crate::format::segment::SegmentNumber;
use crate::format::trail::Trail;
use crate::num::{array_at, crc32c, i64_at, put, to_u64, to_usize, u32_at, u64_at, u128_at};
use crate::state::{Decided, Head, Heads, Requests, StreamHash};
use annals_event::{LogId, MarkName, Sequence, Version};
use bytes::Bytes;

const MAGIC: [u8; 8] = *b"AnnalChk";
const FORMAT: u32 = 2;
const HEADER_BYTES: usize = 72;
const HEAD_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

/// A checkpoint that was read and is whole.
pub(crate) struct Checkpoint {
    bytes: Bytes,
    pub(crate) log: LogId,
    /// The segment at whose start a replay begins.
    pub(crate) replay_from: SegmentNumber,
    /// Everything before was durable.
    pub(crate) as_of: Position,
}

/// A checkpoint that is being put together: first the heads, then the marks.
pub(crate) struct CheckpointBuilder {
    bytes: Vec<u8>,
    heads: u64,
    marks: u64,
}

impl CheckpointBuilder {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], heads: 0, marks: 0 }
    }

    pub(crate) fn add_head(&mut self, head: &Head) {
        self.heads += 1;
        put_head(head, &mut self.bytes);
    }

    pub(crate) fn add_mark(&mut self, mark: &MarkName, value: Sequence) {
        self.marks += 1;
        put_mark(mark, value, &mut self.bytes);
    }

    /// The bytes of the checkpoint of a log that was durable up to `as_of`.
    pub(crate) fn finish(
        self,
        log: LogId,
        replay_from: SegmentNumber,
        as_of: Position,
        requests: &Requests,
    ) -> Vec<u8> {
        let Self { bytes: mut out, heads, marks } = self;
        requests.encode(&mut out);
        put(&mut out, 0, &MAGIC);
        put(&mut out, 8, &FORMAT.to_le_bytes());
        put(&mut out, 12, &replay_from.0.to_le_bytes());
        put(&mut out, 16, log.as_bytes());
        put(&mut out, 32, &as_of.get().to_le_bytes());
        put(&mut out, 40, &heads.to_le_bytes());
        put(&mut out, 48, &marks.to_le_bytes());
        put(&mut out, 56, &to_u64(requests.len()).to_le_bytes());
        put(&mut out, 64, &requests.dropped_through_bytes());
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }
}

/// How many bytes the heads take in a checkpoint: most of it.
pub(crate) fn heads_bytes(heads: &Heads) -> u64 {
    to_u64(heads.len() * HEAD_BYTES)
}

fn put_head(head: &Head, out: &mut Vec<u8>) {
    out.extend_from_slice(&head.stream.0.to_le_bytes());
    out.extend_from_slice(&head.version.get().to_le_bytes());
    let trail = Trail::of(head);
    out.extend_from_slice(&trail.segment.0.to_le_bytes());
    out.extend_from_slice(&trail.previous.to_le_bytes());
}

fn head_at(bytes: &[u8], at: usize) -> Head {
    let trail = Trail { segment: SegmentNumber(u32_at(bytes, at + 24)), previous: u32_at(bytes, at + 28) };
    Head {
        stream: StreamHash(u128_at(bytes, at)),
        version: Version::new(u64_at(bytes, at + 16)),
        note: trail.note(),
    }
}

impl Checkpoint {
    /// How many bytes a checkpoint that begins in this way has at most; 0: none does.
    pub(crate) fn bytes_max(start: &[u8]) -> u64 {
        if !start.starts_with(&MAGIC) || u32_at(start, 8) != FORMAT {
            return 0;
        }
        let [heads, marks, requests] = [40, 48, 56].map(|at| to_usize(u64_at(start, at)));
        let tables = [heads.saturating_mul(HEAD_BYTES), marks.saturating_mul(MARK_BYTES_MAX)];
        let tables = tables.into_iter().fold(Requests::stored_bytes(requests), usize::saturating_add);
        to_u64(tables.saturating_add(HEADER_BYTES + CHECKSUM_BYTES))
    }

    /// The checkpoint in `bytes`; `None` when it is damaged or of an unknown format.
    pub(crate) fn parse(bytes: Bytes) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        let known = body.starts_with(&MAGIC) && u32_at(body, 8) == FORMAT;
        if body.len() < HEADER_BYTES || !known || crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        Some(Self {
            log: LogId::from_bytes(array_at(&bytes, 16)),
            replay_from: SegmentNumber(u32_at(&bytes, 12)),
            as_of: Position::new(u64_at(&bytes, 32)),
            bytes,
        })
    }

    /// The heads, each with its offset in the file.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (usize, Head)> {
        let count = to_usize(u64_at(&self.bytes, 40)).min(self.bytes.len() / HEAD_BYTES);
        (0..count).map(|index| HEADER_BYTES + index * HEAD_BYTES).map(|at| (at, head_at(&self.bytes, at)))
    }

    /// Brings heads, marks and window to the checkpoint's; `None` when it is not well-formed.
    pub(crate) fn restore(&self, decided: &mut Decided) -> Option<()> {
        let bytes = &self.bytes;
        let head_count = to_usize(u64_at(bytes, 40));
        let marks_at = HEADER_BYTES.checked_add(head_count.checked_mul(HEAD_BYTES)?)?;
        bytes.get(HEADER_BYTES..marks_at)?;
        decided.heads.reserve(head_count);
        for at in (HEADER_BYTES..marks_at).step_by(HEAD_BYTES) {
            decided.heads.restore(head_at(bytes, at));
        }
        let mut at = marks_at;
        for _ in 0..u64_at(bytes, 48) {
            let length = usize::from(*bytes.get(at)?);
            let name = bytes.get(at + 1..at + 1 + length)?;
            let mark = MarkName::new(std::str::from_utf8(name).ok()?).ok()?;
            decided.marks.insert(mark, Sequence::new(u64_at(bytes, at + 1 + length)));
            at += 1 + length + 8;
        }
        let table = bytes.get(at..bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        decided.window.restore(Requests::parse(table, u64_at(bytes, 56), i64_at(bytes, 64))?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Options, Writer, files, files::CHECKPOINT};
    use annals_event::{Append, EventType, ExpectedVersion, NewEvent, RequestId, StreamName, Timestamp};

    fn checkpointed() -> (tempfile::TempDir, Bytes, Timestamp) {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::real(folder.path()).unwrap();
        let mut writer = Writer::open(environment.clone(), Options::with_segment_bytes(4 << 10)).unwrap();
        let event = NewEvent::json(EventType::new("t").unwrap(), "{}");
        let append = Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event]).set_mark(
            MarkName::new("m").unwrap(),
            None,
            Sequence::new(7),
        );
        let append = Append { request_id: RequestId::from_bytes([5; 16]), ..append };
        let receipt = writer.commit(vec![append]).pop().unwrap().unwrap();
        writer.checkpoint().unwrap();
        let bytes = files::read_file(&*environment.disk, CHECKPOINT, Checkpoint::bytes_max).unwrap();
        (folder, bytes, receipt.recorded_at)
    }

    #[test]
    fn a_checkpoint_has_these_bytes() {
        let (_folder, bytes, recorded_at) = checkpointed();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&bytes[..16]), ["416e6e616c43686b", "02000000", "01000000"].concat());
        assert_eq!(u64_at(&bytes, 32), 512 + 200, "the header, and one frame");
        let (streams, marks, requests) = (u64_at(&bytes, 40), u64_at(&bytes, 48), u64_at(&bytes, 56));
        assert_eq!((streams, marks, requests), (1, 1, 1));
        assert_eq!(hex(&bytes[64..72]), "0000000000000080", "no request was dropped");
        assert_eq!(hex(&bytes[88..104]), ["0100000000000000", "01000000", "00000000"].concat());
        assert_eq!(hex(&bytes[104..114]), ["016d", "0700000000000000"].concat());
        assert_eq!(hex(&bytes[114..138]), ["05".repeat(16), "0100000000000000".to_owned()].concat());
        assert_eq!(i64_at(&bytes, 138), recorded_at.as_micros());
        assert_eq!(bytes[146..], crc32c(&bytes[..146]).to_le_bytes());
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_makes_a_checkpoint_unusable() {
        let (_folder, bytes, _) = checkpointed();
        assert!(Checkpoint::parse(bytes.clone()).is_some());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::parse(flipped.into()).is_none(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Checkpoint::parse(bytes.slice(..length)).is_none());
        }
    }
}
