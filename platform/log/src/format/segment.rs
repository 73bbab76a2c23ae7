//! Segments: the files that hold the log. A segment begins with a header; when it is full, a footer ends it.
//!
//! What always holds:
//!
//! * A file has a segment's name only after its header is durable; frames follow only after the name is.
//! * A segment has a footer only after the next segment's name is durable, and the next segment has frames only
//!   after the footer is durable. So a footer without a next segment is damage, and so is a frame after a
//!   missing footer.

use crate::disk::DiskFile;
use crate::format::frame::Position;
use crate::format::secret::LogSecret;
use crate::num::{array_at, crc32c, i64_at, put, u32_at, u64_at, u128_at};
use crate::state::Chain;
use annals_event::{LogId, Sequence};
use std::io;

pub(crate) const SEGMENT_HEADER_BYTES: usize = 512;
/// [`SEGMENT_HEADER_BYTES`], as an offset.
pub(crate) const FRAMES_AT: u64 = 512;
pub(crate) const SEGMENT_FORMAT: u32 = 2;
const MAGIC: [u8; 8] = *b"AnnalSeg";
const CHECKSUM_AT: usize = 508;
const SUFFIX: &str = ".segment";

/// A segment's number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentNumber(pub(crate) u32);

impl SegmentNumber {
    pub(crate) const FIRST: Self = Self(1);

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
    pub(crate) fn file_name(self) -> String {
        format!("{:010}{SUFFIX}", self.0)
    }
    pub(crate) fn index_file_name(self) -> String {
        format!("{:010}.index", self.0)
    }
    pub(crate) fn of_file_name(name: &str) -> Option<Self> {
        let number = Self(name.strip_suffix(SUFFIX)?.parse().ok()?);
        (number.file_name() == name).then_some(number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: SegmentNumber,
    pub(crate) log_id: LogId,
    /// The same in all segments.
    pub(crate) secret: LogSecret,
    /// The position of the segment's first byte.
    pub(crate) base: Position,
    /// How long the file was made before it was used.
    pub(crate) capacity_bytes: u64,
    /// The sequence number of the first event in the segment, or later.
    pub(crate) first: Sequence,
    /// The chain before the segment's first frame.
    pub(crate) chain: Chain,
    /// When the last event before the segment was recorded.
    pub(crate) recorded_before: i64,
}

/// Why bytes are not a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Damaged,
    /// Of another format.
    Unknown(u32),
}

impl SegmentHeader {
    /// Writes it into a prepared file and syncs that. The file is not part of the log yet.
    pub(crate) fn write_to(&self, file: &dyn DiskFile) -> io::Result<()> {
        file.write_at(&self.encode(), 0)?;
        file.sync_data()
    }

    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &SEGMENT_FORMAT.to_le_bytes());
        put(&mut bytes, 12, &self.number.0.to_le_bytes());
        put(&mut bytes, 16, self.log_id.as_bytes());
        put(&mut bytes, 32, &self.base.get().to_le_bytes());
        put(&mut bytes, 40, &self.capacity_bytes.to_le_bytes());
        put(&mut bytes, 48, &self.first.get().to_le_bytes());
        put(&mut bytes, 56, &self.chain.0.to_le_bytes());
        put(&mut bytes, 72, &self.recorded_before.to_le_bytes());
        put(&mut bytes, 80, &self.secret.0);
        let crc = crc32c(&bytes[..CHECKSUM_AT]);
        put(&mut bytes, CHECKSUM_AT, &crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let bytes: &[u8; SEGMENT_HEADER_BYTES] = bytes.first_chunk().ok_or(BadHeader::Damaged)?;
        if !bytes.starts_with(&MAGIC) || crc32c(&bytes[..CHECKSUM_AT]) != u32_at(bytes, CHECKSUM_AT) {
            return Err(BadHeader::Damaged);
        }
        match u32_at(bytes, 8) {
            SEGMENT_FORMAT => {}
            0 => return Err(BadHeader::Damaged),
            unknown => return Err(BadHeader::Unknown(unknown)),
        }
        Ok(Self {
            number: SegmentNumber(u32_at(bytes, 12)),
            log_id: LogId::from_bytes(array_at(bytes, 16)),
            secret: LogSecret(array_at(bytes, 80)),
            base: Position::new(u64_at(bytes, 32)),
            capacity_bytes: u64_at(bytes, 40),
            first: Sequence::new(u64_at(bytes, 48)),
            chain: Chain(u128_at(bytes, 56)),
            recorded_before: i64_at(bytes, 72),
        })
    }

    /// Where the first frame stands.
    pub(crate) const fn frames(&self) -> Position {
        self.base.plus(FRAMES_AT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            number: SegmentNumber(2),
            log_id: LogId::from_bytes([7; 16]),
            secret: LogSecret([8; 32]),
            base: Position::new(0x1000),
            capacity_bytes: 0x2000,
            first: Sequence::new(9),
            chain: Chain(0x0304),
            recorded_before: -2,
        }
    }

    #[test]
    fn a_segment_header_has_these_bytes() {
        let golden = [
            "416e6e616c536567",
            "02000000",
            "02000000",
            "07070707070707070707070707070707",
            "0010000000000000",
            "0020000000000000",
            "0900000000000000",
            "04030000000000000000000000000000",
            "feffffffffffffff",
            "0808080808080808080808080808080808080808080808080808080808080808",
        ];
        let bytes = header().encode();
        let hex: String = bytes[..112].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden.concat());
        assert!(bytes[112..CHECKSUM_AT].iter().all(|&byte| byte == 0));
        assert_eq!(bytes[CHECKSUM_AT..], crc32c(&bytes[..CHECKSUM_AT]).to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
    }

    #[test]
    fn a_damaged_header_and_one_of_another_format_are_told_apart() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&flipped), Err(BadHeader::Damaged), "bit {bit}");
        }
        for format in [1, 3] {
            let mut other = bytes;
            put(&mut other, 8, &u32::to_le_bytes(format));
            let crc = crc32c(&other[..CHECKSUM_AT]);
            put(&mut other, CHECKSUM_AT, &crc.to_le_bytes());
            assert_eq!(SegmentHeader::decode(&other), Err(BadHeader::Unknown(format)));
        }
    }

    #[test]
    fn only_a_segments_own_name_is_its_name() {
        assert_eq!(SegmentNumber::of_file_name("0000000012.segment"), Some(SegmentNumber(12)));
        for name in ["12.segment", "+000000012.segment", "0000000012.segment.tmp", "0000000012.index"] {
            assert_eq!(SegmentNumber::of_file_name(name), None, "{name}");
        }
    }
}
