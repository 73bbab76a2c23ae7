//! The base: where streams, marks and request ids were at the start of the log's first segment, once the segments
//! before it are dropped.
//!
//! What always holds:
//!
//! * No segment is dropped before a base that stands for it is durable. From then on the base is primary data: nothing
//!   can make it again, and damage to it is corruption.
//! * It says exactly what replaying all dropped segments would say, neither more nor less; so a replay from the first
//!   segment on brings everything to the log's end.

use crate::disk::Disk;
use crate::error::{Corruption, OpenError};
use crate::files::{BASE, open_error, read_file};
use crate::format::frame::Position;
use crate::format::payload::{MARK_BYTES_MAX, put_mark};
use crate::format::secret::LogSecret;
use crate::format::segment::SegmentHeader;
use crate::format::segment::SegmentNumber;
use crate::format::trail::Trail;
use crate::num::{array_at, crc32c, i64_at, put, to_u64, to_usize, u32_at, u64_at, u128_at};
use crate::state::{Chain, Decided, Head, Marks, Requests, StreamHash};
use annals_event::{LogId, MarkName, Sequence, Version};
use bytes::Bytes;
use std::io;

const MAGIC: [u8; 8] = *b"AnnalBas";
const FORMAT: u32 = 2;
const HEADER_BYTES: usize = 112;
const HEADER_CHECKSUM_AT: usize = 108;
const HEAD_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 4;

/// Where the log begins: as the header of its first segment has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogStart {
    pub(crate) log: LogId,
    pub(crate) segment: SegmentNumber,
    /// Of the segment's first byte.
    pub(crate) position: Position,
    pub(crate) first: Sequence,
    pub(crate) chain: Chain,
    pub(crate) recorded_before: i64,
}

impl LogStart {
    pub(crate) const fn of(segment: &SegmentHeader) -> Self {
        Self {
            log: segment.log_id,
            segment: segment.number,
            position: segment.base,
            first: segment.first,
            chain: segment.chain,
            recorded_before: segment.recorded_before,
        }
    }

    /// Of a log that never dropped a segment.
    pub(crate) fn of_new(log: LogId) -> Self {
        Self {
            log,
            segment: SegmentNumber::FIRST,
            position: Position::new(0),
            first: Sequence::FIRST,
            chain: Chain::default(),
            recorded_before: 0,
        }
    }

    /// The header of a segment that begins here.
    pub(crate) const fn header(&self, secret: LogSecret, capacity_bytes: u64) -> SegmentHeader {
        SegmentHeader {
            number: self.segment,
            log_id: self.log,
            secret,
            base: self.position,
            capacity_bytes,
            first: self.first,
            chain: self.chain,
            recorded_before: self.recorded_before,
        }
    }
}

/// What a base holds. Equal contents are equal bytes.
pub(crate) struct BaseContents {
    pub(crate) start: LogStart,
    /// In the order of their hashes.
    pub(crate) heads: Vec<(StreamHash, Version)>,
    pub(crate) marks: Marks,
    pub(crate) requests: Requests,
}

impl BaseContents {
    /// Of a log that begins with this segment and never had another before it.
    pub(crate) fn nothing_before(segment: &SegmentHeader) -> Self {
        let start = LogStart::of(segment);
        Self { start, heads: Vec::new(), marks: Marks::new(), requests: Requests::default() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let tables = self.heads.len() * HEAD_BYTES + self.requests.encoded_len();
        let mut out = Vec::with_capacity(HEADER_BYTES + tables);
        out.resize(HEADER_BYTES, 0);
        for (stream, version) in &self.heads {
            out.extend_from_slice(&stream.0.to_le_bytes());
            out.extend_from_slice(&version.get().to_le_bytes());
        }
        for (mark, value) in &self.marks {
            put_mark(mark, *value, &mut out);
        }
        self.requests.encode(&mut out);
        self.put_header(&mut out);
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    fn put_header(&self, out: &mut [u8]) {
        let start = &self.start;
        put(out, 0, &MAGIC);
        put(out, 8, &FORMAT.to_le_bytes());
        put(out, 12, &start.segment.0.to_le_bytes());
        put(out, 16, start.log.as_bytes());
        put(out, 32, &start.position.get().to_le_bytes());
        put(out, 40, &start.first.get().to_le_bytes());
        put(out, 48, &start.chain.0.to_le_bytes());
        put(out, 64, &start.recorded_before.to_le_bytes());
        put(out, 72, &to_u64(self.heads.len()).to_le_bytes());
        put(out, 80, &to_u64(self.marks.len()).to_le_bytes());
        put(out, 88, &to_u64(self.requests.len()).to_le_bytes());
        put(out, 96, &self.requests.dropped_through_bytes());
        let crc = crc32c(out.get(..HEADER_CHECKSUM_AT).unwrap_or_default());
        put(out, HEADER_CHECKSUM_AT, &crc.to_le_bytes());
    }
}

/// A base that was read and is whole.
pub(crate) struct Base {
    bytes: Bytes,
    pub(crate) start: LogStart,
}

/// Why bytes are not a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBase {
    /// Damaged at this byte or after it.
    Damaged(u64),
    /// Of another format.
    Unknown(u32),
}

impl Base {
    /// What is wrong with a base that cannot be read.
    pub(crate) const NOT_WELL_FORMED: &str = "the base is not well-formed";
    /// What is wrong with a base that is another log's.
    pub(crate) const NOT_THIS_LOGS: &str = "the base does not belong to the log's first segment";

    /// A damage in the base of the log in `disk`.
    pub(crate) fn damaged(disk: &dyn Disk, offset: u64, what: &'static str) -> Corruption {
        Corruption { file: disk.display(BASE), offset, what }
    }

    /// How many bytes a base of so many streams and marks, and of so many bytes of requests, takes at most.
    pub(crate) fn bytes_at_most(streams: usize, marks: usize, request_bytes: usize) -> u64 {
        let tables =
            [streams.saturating_mul(HEAD_BYTES), marks.saturating_mul(MARK_BYTES_MAX), request_bytes];
        tables.into_iter().map(to_u64).fold(to_u64(HEADER_BYTES + CHECKSUM_BYTES), u64::saturating_add)
    }

    /// How many bytes a base that begins in this way has at most; 0: none does.
    pub(crate) fn bytes_max(start: &[u8]) -> u64 {
        if !start.starts_with(&MAGIC) || u32_at(start, 8) != FORMAT {
            return 0;
        }
        let [streams, marks, requests] = [72, 80, 88].map(|at| to_usize(u64_at(start, at)));
        Self::bytes_at_most(streams, marks, Requests::stored_bytes(requests))
    }

    pub(crate) fn parse(bytes: Bytes) -> Result<Self, BadBase> {
        let header = bytes.get(..HEADER_BYTES).ok_or(BadBase::Damaged(0))?;
        let crc = crc32c(header.get(..HEADER_CHECKSUM_AT).unwrap_or_default());
        if !header.starts_with(&MAGIC) || crc != u32_at(header, HEADER_CHECKSUM_AT) {
            return Err(BadBase::Damaged(0));
        }
        match u32_at(header, 8) {
            FORMAT => {}
            0 => return Err(BadBase::Damaged(0)),
            unknown => return Err(BadBase::Unknown(unknown)),
        }
        let (body, crc) = bytes.split_last_chunk::<CHECKSUM_BYTES>().unwrap_or((&[], &[0; 4]));
        if body.len() < HEADER_BYTES || crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(BadBase::Damaged(to_u64(HEADER_BYTES)));
        }
        let start = LogStart {
            log: LogId::from_bytes(array_at(header, 16)),
            segment: SegmentNumber(u32_at(header, 12)),
            position: Position::new(u64_at(header, 32)),
            first: Sequence::new(u64_at(header, 40)),
            chain: Chain(u128_at(header, 48)),
            recorded_before: i64_at(header, 64),
        };
        Ok(Self { bytes, start })
    }

    /// What is in it; `None` when it is not well-formed.
    pub(crate) fn contents(&self) -> Option<BaseContents> {
        let bytes = &self.bytes;
        let heads = to_usize(u64_at(bytes, 72));
        let marks_at = HEADER_BYTES.checked_add(heads.checked_mul(HEAD_BYTES)?)?;
        let table = bytes.get(HEADER_BYTES..marks_at)?.chunks_exact(HEAD_BYTES);
        let head = |entry| (StreamHash(u128_at(entry, 0)), Version::new(u64_at(entry, 16)));
        let heads = table.map(head).collect();
        let (mut at, mut marks) = (marks_at, Marks::new());
        for _ in 0..u64_at(bytes, 80) {
            let name_end = at + 1 + usize::from(*bytes.get(at)?);
            let name = std::str::from_utf8(bytes.get(at + 1..name_end)?).ok()?;
            marks.insert(MarkName::new(name).ok()?, Sequence::new(u64_at(bytes, name_end)));
            at = name_end + 8;
        }
        let table = bytes.get(at..bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        let requests = Requests::parse(table, u64_at(bytes, 88), i64_at(bytes, 96))?;
        Some(BaseContents { start: self.start, heads, marks, requests })
    }

    /// The heads, as if their last events were in the last of the dropped segments: which it was matters to nobody.
    pub(crate) fn heads<'c>(&self, contents: &'c BaseContents) -> impl Iterator<Item = Head> + use<'c> {
        let segment = SegmentNumber(self.start.segment.0.saturating_sub(1));
        let note = Trail { segment, previous: 0 }.note();
        let head = move |&(stream, version)| Head { stream, version, note };
        contents.heads.iter().map(head)
    }

    /// Brings what is decided to the base's; `None` when it is not well-formed.
    pub(crate) fn restore(&self, decided: &mut Decided) -> Option<()> {
        let contents = self.contents()?;
        decided.heads.reserve(contents.heads.len());
        self.heads(&contents).for_each(|head| decided.heads.restore(head));
        decided.marks.extend(contents.marks);
        decided.window.restore(contents.requests);
        Some(())
    }
}

/// What stands in the place of dropped segments.
pub(crate) enum FoundBase {
    /// Nothing: no segment was ever dropped.
    Nothing,
    Whole(Base),
    Damaged(Corruption),
}

impl FoundBase {
    /// Looks for it in a log's folder.
    pub(crate) fn in_folder(disk: &dyn Disk) -> Result<Self, OpenError> {
        let bytes = match read_file(disk, BASE, Base::bytes_max) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(open_error(disk, BASE, error)),
        };
        match Base::parse(bytes) {
            Ok(base) => Ok(Self::Whole(base)),
            Err(BadBase::Damaged(offset)) => {
                Ok(Self::Damaged(Base::damaged(disk, offset, "the base is damaged")))
            }
            Err(BadBase::Unknown(format)) => {
                Err(OpenError::UnknownFormat { file: disk.display(BASE), format, known: FORMAT })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Request;
    use annals_event::RequestId;

    fn start() -> LogStart {
        LogStart {
            log: LogId::from_bytes([7; 16]),
            segment: SegmentNumber(3),
            position: Position::new(0x1000),
            first: Sequence::new(9),
            chain: Chain(0x0304),
            recorded_before: -2,
        }
    }

    fn contents() -> BaseContents {
        let mut requests = Requests::default();
        for n in [8, 9] {
            let request = Request { id: RequestId::from_bytes([n; 16]), first: Sequence::new(u64::from(n)) };
            requests.push(request, i64::from(n));
        }
        BaseContents {
            start: start(),
            heads: vec![(StreamHash(5), Version::new(2)), (StreamHash(6), Version::new(6))],
            marks: [(MarkName::new("m").unwrap(), Sequence::new(7))].into(),
            requests,
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_base_has_these_bytes() {
        let header = [
            "416e6e616c426173",
            "02000000",
            "03000000",
            "07070707070707070707070707070707",
            "0010000000000000",
            "0900000000000000",
            "04030000000000000000000000000000",
            "feffffffffffffff",
            "0200000000000000",
            "0100000000000000",
            "0200000000000000",
            "0000000000000080",
            "00000000",
        ];
        let tables = [
            "05000000000000000000000000000000",
            "0200000000000000",
            "06000000000000000000000000000000",
            "0600000000000000",
            "016d0700000000000000",
            "08080808080808080808080808080808",
            "0800000000000000",
            "09090909090909090909090909090909",
            "0900000000000000",
            "0900000000000000",
        ];
        let bytes = contents().encode();
        let most = Base::bytes_at_most(2, 1, contents().requests.encoded_len());
        assert_eq!(most, to_u64(bytes.len() + 254), "the mark's name has one byte of 255");
        assert_eq!(hex(&bytes[..108]), header.concat());
        assert_eq!(bytes[108..112], crc32c(&bytes[..108]).to_le_bytes());
        let end = bytes.len() - 4;
        assert_eq!(hex(&bytes[112..end]), tables.concat());
        assert_eq!(bytes[end..], crc32c(&bytes[..end]).to_le_bytes());
        let read = Base::parse(bytes.clone().into()).ok().unwrap();
        assert_eq!(read.start, start());
        assert_eq!(read.contents().unwrap().encode(), bytes);
    }

    #[test]
    fn a_base_gives_back_heads_marks_and_requests() {
        let base = Base::parse(contents().encode().into()).ok().unwrap();
        let segment = SegmentHeader {
            number: SegmentNumber(3),
            log_id: start().log,
            secret: LogSecret([8; 32]),
            base: start().position,
            capacity_bytes: 0x2000,
            first: start().first,
            chain: start().chain,
            recorded_before: start().recorded_before,
        };
        assert_eq!(LogStart::of(&segment), start());
        let mut decided = Decided::nothing(segment.secret.request_hasher(), 100);
        base.restore(&mut decided).unwrap();
        assert_eq!(decided.heads.version(StreamHash(6)), Version::new(6));
        assert_eq!(decided.marks.len(), 1);
        assert_eq!(decided.window.get(RequestId::from_bytes([8; 16])), Some(Sequence::new(8)));
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_makes_a_base_unusable() {
        let bytes = contents().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let at = if bit / 8 < HEADER_BYTES { 0 } else { HEADER_BYTES as u64 };
            assert_eq!(Base::parse(flipped.into()).err(), Some(BadBase::Damaged(at)), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Base::parse(bytes[..length].to_vec().into()).is_err());
        }
    }

    #[test]
    fn a_base_of_another_format_is_told_apart() {
        let mut bytes = contents().encode();
        put(&mut bytes, 8, &1_u32.to_le_bytes());
        let crc = crc32c(&bytes[..HEADER_CHECKSUM_AT]);
        put(&mut bytes, HEADER_CHECKSUM_AT, &crc.to_le_bytes());
        assert_eq!(Base::parse(bytes.into()).err(), Some(BadBase::Unknown(1)));
    }
}
