//! The frame: what one append leaves in a segment. The byte tables are in `format.md`.
//!
//! What always holds:
//!
//! * A header says where it stands and in which log, so bytes of another place, file or log are never taken for
//!   a frame.
//! * The header's checksum is verified before its lengths are believed, and covers the payload's checksum.
//! * `synced_to` was durable before the first byte of the frame was written.

use crate::format::end::LogEnd;
use crate::num::{array_at, crc32c, from_u32, i64_at, put, to_u64, u32_at, u64_at, u128_at};
use crate::state::{Chain, Link};
use annals_event::{RequestId, Sequence, limits::APPEND_EVENTS_MAX};

pub(crate) const FRAME_HEADER_BYTES: usize = 120;
/// Frames begin at multiples of this.
pub(crate) const ALIGN_BYTES: usize = 8;
pub(crate) const MAGIC: [u8; 4] = *b"AnF2";
const CHECKSUM_AT: usize = 116;
/// Largest payload: the largest append, and room for its marks.
pub(crate) const PAYLOAD_BYTES_MAX: usize = (4 << 20) + (64 << 10);

/// Most bytes of frames that are written and synced at once, unless a single frame is larger.
pub(crate) const GROUP_BYTES_MAX: usize = 8 << 20;

/// A byte of the log, counted over all segments: the segment's base plus the offset in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

impl Position {
    pub(crate) const fn new(byte: u64) -> Self {
        Self(byte)
    }
    pub(crate) const fn get(self) -> u64 {
        self.0
    }
    pub(crate) const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
    /// How many bytes `self` lies after `base`.
    pub(crate) const fn since(self, base: Self) -> u64 {
        self.0.saturating_sub(base.0)
    }
}

/// 64 bits that frames of one log have, and that nobody outside knows: no payload can be taken for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogTag(pub(crate) u64);

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An append.
    Append,
    /// The log was closed in order.
    Close,
    /// The segment ends here, and another follows.
    Footer,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Append => 1,
            Self::Close => 2,
            Self::Footer => 3,
        }
    }
    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Append),
            2 => Some(Self::Close),
            3 => Some(Self::Footer),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    pub(crate) log: LogTag,
    pub(crate) position: Position,
    pub(crate) synced_to: Position,
    /// Of the group in a ledger; 0: it is in none.
    pub(crate) group: u64,
    /// The first event's; for a frame without events, the next event's.
    pub(crate) first: Sequence,
    pub(crate) events: u32,
    pub(crate) payload_bytes: u32,
    pub(crate) recorded_at: i64,
    pub(crate) request_id: RequestId,
    /// Over the append's records without their places, and over its conditions; 0 in a frame that is none.
    pub(crate) digest: u128,
    /// The chain before this frame.
    pub(crate) previous: Chain,
    pub(crate) payload_crc: u32,
}

impl FrameHeader {
    /// What is wrong where no frame begins.
    pub(crate) const NONE: &str = "no whole frame begins here";
    /// What is wrong with a frame of which only the header is whole.
    pub(crate) const BAD_PAYLOAD: &str = "the frame's payload does not match its checksum";

    /// Whether the frame stands where the log ended with `next` and `chain`; else what is wrong.
    pub(crate) fn check_follows(&self, next: Sequence, chain: Chain) -> Result<(), &'static str> {
        let follows = self.first == next && self.previous == chain;
        if follows { Ok(()) } else { Err("the frame does not follow the one before it") }
    }

    /// The payload in the bytes after the header, up to the next frame; else what is wrong with them.
    pub(crate) fn payload_in<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], &'static str> {
        let Some((payload, padding)) = body.split_at_checked(from_u32(self.payload_bytes)) else {
            return Err(Self::BAD_PAYLOAD);
        };
        // No checksum covers the padding.
        if padding.iter().any(|&byte| byte != 0) {
            return Err("the frame's padding is not zero");
        }
        if crc32c(payload) == self.payload_crc { Ok(payload) } else { Err(Self::BAD_PAYLOAD) }
    }

    /// Where the position stands in an encoded header.
    pub(crate) const POSITION_AT: usize = 16;

    pub(crate) fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 4, &[self.kind.code()]);
        put(&mut bytes, 8, &self.log.0.to_le_bytes());
        put(&mut bytes, Self::POSITION_AT, &self.position.get().to_le_bytes());
        put(&mut bytes, 24, &self.synced_to.get().to_le_bytes());
        put(&mut bytes, 32, &self.group.to_le_bytes());
        put(&mut bytes, 40, &self.first.get().to_le_bytes());
        put(&mut bytes, 48, &self.events.to_le_bytes());
        put(&mut bytes, 52, &self.payload_bytes.to_le_bytes());
        put(&mut bytes, 56, &self.recorded_at.to_le_bytes());
        put(&mut bytes, 64, self.request_id.as_bytes());
        put(&mut bytes, 80, &self.digest.to_le_bytes());
        put(&mut bytes, 96, &self.previous.0.to_le_bytes());
        put(&mut bytes, 112, &self.payload_crc.to_le_bytes());
        let crc = crc32c(&bytes[..CHECKSUM_AT]);
        put(&mut bytes, CHECKSUM_AT, &crc.to_le_bytes());
        bytes
    }

    /// The header at the start of `bytes`, if it is whole and stands where it says in the log that it says.
    pub(crate) fn decode(bytes: &[u8], log: LogTag, position: Position) -> Option<Self> {
        let bytes: &[u8; FRAME_HEADER_BYTES] = bytes.first_chunk()?;
        if !bytes.starts_with(&MAGIC) || crc32c(&bytes[..CHECKSUM_AT]) != u32_at(bytes, CHECKSUM_AT) {
            return None;
        }
        let header = Self {
            kind: Kind::of(bytes[4])?,
            log: LogTag(u64_at(bytes, 8)),
            position: Position::new(u64_at(bytes, Self::POSITION_AT)),
            synced_to: Position::new(u64_at(bytes, 24)),
            group: u64_at(bytes, 32),
            first: Sequence::new(u64_at(bytes, 40)),
            events: u32_at(bytes, 48),
            payload_bytes: u32_at(bytes, 52),
            recorded_at: i64_at(bytes, 56),
            request_id: RequestId::from_bytes(array_at(bytes, 64)),
            digest: u128_at(bytes, 80),
            previous: Chain(u128_at(bytes, 96)),
            payload_crc: u32_at(bytes, 112),
        };
        (header.log == log && header.position == position).then_some(header)
    }

    /// Whether the values that no frame is known by are such as a writer gives.
    pub(crate) fn is_legal(&self) -> bool {
        self.synced_to <= self.position
            && self.group == 0
            && self.first >= Sequence::FIRST
            && from_u32(self.events) <= APPEND_EVENTS_MAX
    }

    /// How many bytes of the segment the frame takes.
    pub(crate) const fn frame_bytes(&self) -> u64 {
        to_u64(frame_bytes(self.payload_bytes as usize))
    }

    /// Where the next frame begins.
    pub(crate) const fn end(&self) -> Position {
        self.position.plus(self.frame_bytes())
    }

    /// The first sequence number after the frame's events.
    pub(crate) fn next(&self) -> Sequence {
        self.first.plus(u64::from(self.events))
    }

    /// The chain after this frame: over what the append is, not over where it stands. Other frames do not move it.
    pub(crate) fn chain(&self) -> Chain {
        if self.kind != Kind::Append {
            return self.previous;
        }
        let &Self { first, events, recorded_at, request_id, digest, payload_crc, .. } = self;
        self.previous.after(&Link { first, events, recorded_at, request_id, digest, payload_crc })
    }
}

/// A frame without events.
pub(crate) fn mark_frame(kind: Kind, log: LogTag, end: &LogEnd) -> FrameHeader {
    FrameHeader {
        kind,
        log,
        position: end.position,
        synced_to: end.position,
        group: 0,
        first: end.next,
        events: 0,
        payload_bytes: 0,
        recorded_at: end.recorded_at,
        request_id: RequestId::from_bytes([0; 16]),
        digest: 0,
        previous: end.chain,
        payload_crc: crc32c(&[]),
    }
}

/// Bytes of a frame with a payload of this size, padding included.
pub(crate) const fn frame_bytes(payload_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(ALIGN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn header() -> FrameHeader {
        FrameHeader {
            kind: Kind::Append,
            log: LogTag(0xfe8a_7fec_7dca_8073),
            position: Position::new(0x0201),
            synced_to: Position::new(0x0200),
            group: 3,
            first: Sequence::new(5),
            events: 2,
            payload_bytes: 300,
            recorded_at: -2,
            request_id: RequestId::from_bytes([9; 16]),
            digest: 0x0708,
            previous: Chain(0x0304),
            payload_crc: 0x0506,
        }
    }

    #[test]
    fn a_frame_header_has_these_bytes() {
        let golden = [
            "416e4632",
            "01000000",
            "7380ca7dec7f8afe",
            "0102000000000000",
            "0002000000000000",
            "0300000000000000",
            "0500000000000000",
            "02000000",
            "2c010000",
            "feffffffffffffff",
            "09090909090909090909090909090909",
            "08070000000000000000000000000000",
            "04030000000000000000000000000000",
            "06050000",
        ];
        let bytes = header().encode();
        assert_eq!(hex(&bytes[..CHECKSUM_AT]), golden.concat());
        assert_eq!(crc32c(b"123456789"), 0xe306_9283, "CRC32C, by its check value");
        assert_eq!(bytes[CHECKSUM_AT..], crc32c(&bytes[..CHECKSUM_AT]).to_le_bytes());
    }

    /// What an append is moves the chain; where it stands, or that the log was closed, does not.
    #[test]
    fn the_chain_is_of_the_appends_alone() {
        let header = header();
        assert_eq!(format!("{:032x}", header.chain().0), "bb2fededf225e1d6b0d20deef26dc490");
        let elsewhere = FrameHeader {
            log: LogTag(1),
            position: Position::new(8),
            synced_to: Position::new(0),
            group: 4,
            payload_bytes: 301,
            ..header
        };
        assert_eq!(elsewhere.chain(), header.chain());
        for kind in [Kind::Close, Kind::Footer] {
            assert_eq!(FrameHeader { kind, ..header }.chain(), header.previous);
        }
        let others = [
            FrameHeader { first: Sequence::new(6), ..header },
            FrameHeader { events: 3, ..header },
            FrameHeader { recorded_at: -1, ..header },
            FrameHeader { request_id: RequestId::from_bytes([8; 16]), ..header },
            FrameHeader { digest: 1, ..header },
            FrameHeader { previous: Chain(1), ..header },
            FrameHeader { payload_crc: 1, ..header },
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(other.chain(), header.chain(), "{index}");
        }
    }

    #[test]
    fn a_payload_is_there_whole_with_its_checksum_and_padding_of_zeros() {
        let header = FrameHeader { payload_bytes: 3, payload_crc: crc32c(b"abc"), ..header() };
        assert_eq!(header.payload_in(b"abc\0\0\0\0\0"), Ok(&b"abc"[..]));
        assert_eq!(header.payload_in(b"abd\0\0\0\0\0"), Err(FrameHeader::BAD_PAYLOAD));
        assert!(header.payload_in(b"abc\0\0\0\0\x01").is_err());
        let none_there = FrameHeader { payload_crc: crc32c(b""), ..header };
        assert_eq!(
            none_there.payload_in(b"ab"),
            Err(FrameHeader::BAD_PAYLOAD),
            "cut off, whatever the checksum"
        );
    }

    #[test]
    fn a_header_with_a_flipped_bit_is_none() {
        let (header, bytes) = (header(), header().encode());
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&flipped, header.log, header.position), None, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn a_header_goes_there_and_back_in_its_own_place_only(
            kind in prop_oneof![Just(Kind::Append), Just(Kind::Close), Just(Kind::Footer)],
            (log, position, synced_to, group) in any::<(u64, u64, u64, u64)>(),
            (first, events, payload_bytes) in any::<(u64, u32, u32)>(),
            (recorded_at, request_id, digest, previous) in any::<(i64, [u8; 16], u128, u128)>(),
            payload_crc in any::<u32>(),
        ) {
            let header = FrameHeader {
                kind,
                log: LogTag(log),
                position: Position::new(position),
                synced_to: Position::new(synced_to),
                group,
                first: Sequence::new(first),
                events,
                payload_bytes,
                recorded_at,
                request_id: RequestId::from_bytes(request_id),
                digest,
                previous: Chain(previous),
                payload_crc,
            };
            let bytes = header.encode();
            prop_assert_eq!(FrameHeader::decode(&bytes, header.log, header.position), Some(header));
            let elsewhere = Position::new(position.wrapping_add(8));
            prop_assert_eq!(FrameHeader::decode(&bytes, header.log, elsewhere), None);
            prop_assert_eq!(FrameHeader::decode(&bytes, LogTag(log ^ 1), header.position), None);
        }

        #[test]
        fn any_bytes_can_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FrameHeader::decode(&bytes, LogTag(0), Position::new(0));
        }
    }
}
