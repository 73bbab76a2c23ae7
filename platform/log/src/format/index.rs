//! The index of one segment: (stream, version) -> place of the record, and waypoints for finding sequence
//! numbers and times. The active segment's index is in memory; a sealed segment's is a derived file.
//!
//! What always holds:
//!
//! * An index file is whole or it is not used: it names its log, its segment and the chain at the segment's end,
//!   and carries checksums over all its bytes. A file that does not hold is made again from the segment.
//! * A stream's link names an earlier segment than the index's own, or none: whoever follows links comes to an end. A
//!   file with another link does not hold.
//! * A posting carries the checksum of its record, so a single record is verified without its frame.

use crate::format::segment::SegmentNumber;
use crate::num::{
    array_at, crc32c, from_u32, i64_at, put, to_u32, to_u64, to_usize, u32_at, u64_at, u128_at,
};
use crate::state::{Chain, StreamHash};
use annals_event::{LogId, Sequence, Version};
use bytes::Bytes;

mod active;

pub(crate) use active::ActiveIndex;

const MAGIC: [u8; 8] = *b"AnnalIdx";
const FORMAT: u32 = 2;
const HEADER_BYTES: usize = 72;
const HEADER_CHECKSUM_AT: usize = 68;
const WAYPOINT_BYTES: usize = 24;
const STREAM_BYTES: usize = 40;
const POSTING_BYTES: usize = 12;

/// Where a record is in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
    pub(crate) crc: u32,
}

/// A frame to begin a search at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waypoint {
    /// The sequence number of the frame's first event.
    pub(crate) first: Sequence,
    pub(crate) recorded_at: i64,
    /// Where the frame begins in the segment.
    pub(crate) offset: u32,
}

/// Versions `from` to `to` of a stream, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersionRange {
    pub(crate) from: Version,
    pub(crate) to: Version,
}

impl VersionRange {
    /// Which of `count` postings that begin at version `first` are in the range.
    fn of_postings(self, first: Version, count: usize) -> std::ops::Range<usize> {
        let place = |version: u64| to_usize(version.saturating_sub(first.get())).min(count);
        let from = place(self.from.get());
        from..place(self.to.get().saturating_add(1)).max(from)
    }
}

/// What a segment has of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StreamPostings {
    /// The version of the stream's first event in the segment.
    pub(crate) first_version: Version,
    /// The newest segment before this one with events of the stream; 0: none.
    pub(crate) previous_segment: u32,
    /// The postings that were asked for, in order.
    pub(crate) postings: Vec<Posting>,
}

/// One record, for an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedRecord {
    pub(crate) stream: StreamHash,
    pub(crate) version: Version,
    pub(crate) posting: Posting,
}

/// Which segment an index is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexOf {
    pub(crate) log: LogId,
    pub(crate) segment: SegmentNumber,
    /// The chain at the segment's end, so that an index of another history is noticed.
    pub(crate) chain: Chain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    waypoints: usize,
    streams: usize,
    postings: usize,
}

fn put_header(out: &mut [u8], of: IndexOf, counts: Counts) {
    let waypoints_end = HEADER_BYTES + counts.waypoints * WAYPOINT_BYTES;
    let waypoints_crc = crc32c(out.get(HEADER_BYTES..waypoints_end).unwrap_or_default());
    let tables_crc = crc32c(out.get(waypoints_end..).unwrap_or_default());
    put(out, 0, &MAGIC);
    put(out, 8, &FORMAT.to_le_bytes());
    put(out, 12, &of.segment.0.to_le_bytes());
    put(out, 16, of.log.as_bytes());
    put(out, 32, &to_u32(counts.waypoints).to_le_bytes());
    put(out, 36, &to_u32(counts.streams).to_le_bytes());
    put(out, 40, &to_u32(counts.postings).to_le_bytes());
    put(out, 44, &waypoints_crc.to_le_bytes());
    put(out, 48, &tables_crc.to_le_bytes());
    put(out, 52, &of.chain.0.to_le_bytes());
    let crc = crc32c(out.get(..HEADER_CHECKSUM_AT).unwrap_or_default());
    put(out, HEADER_CHECKSUM_AT, &crc.to_le_bytes());
}

/// The index of a sealed segment: the bytes of its file, read where they lie.
#[derive(Debug)]
pub(crate) struct SegmentIndex {
    of: IndexOf,
    counts: Counts,
    bytes: Bytes,
}

impl SegmentIndex {
    pub(crate) const HEADER_BYTES: usize = HEADER_BYTES;

    /// How many bytes it takes in memory.
    pub(crate) fn weight_bytes(&self) -> u64 {
        to_u64(self.bytes.len())
    }

    /// The index in `bytes`; `None` when it is damaged or not of this segment.
    pub(crate) fn parse(bytes: Bytes, of: IndexOf) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        if !Self::begins(header, of) {
            return None;
        }
        let counts = Counts {
            waypoints: from_u32(u32_at(header, 32)),
            streams: from_u32(u32_at(header, 36)),
            postings: from_u32(u32_at(header, 40)),
        };
        let (waypoints_crc, tables_crc) = (u32_at(header, 44), u32_at(header, 48));
        let index = Self { of, counts, bytes };
        let holds = index.bytes.len() == index.postings_at() + counts.postings * POSTING_BYTES
            && crc32c(index.bytes.get(HEADER_BYTES..index.streams_at())?) == waypoints_crc
            && crc32c(index.bytes.get(index.streams_at()..)?) == tables_crc
            && index.links_go_down();
        holds.then_some(index)
    }

    /// Whether an index of this segment begins in this way.
    pub(crate) fn begins(header: &[u8; HEADER_BYTES], of: IndexOf) -> bool {
        let found = IndexOf {
            segment: SegmentNumber(u32_at(header, 12)),
            log: LogId::from_bytes(array_at(header, 16)),
            chain: Self::chain_in(header),
        };
        let whole = crc32c(&header[..HEADER_CHECKSUM_AT]) == u32_at(header, HEADER_CHECKSUM_AT);
        whole && header.starts_with(&MAGIC) && u32_at(header, 8) == FORMAT && found == of
    }

    /// How many bytes an index that begins in this way has; 0: none does.
    pub(crate) fn bytes_max(start: &[u8]) -> u64 {
        if !start.starts_with(&MAGIC) || u32_at(start, 8) != FORMAT {
            return 0;
        }
        let counts = [(32, WAYPOINT_BYTES), (36, STREAM_BYTES), (40, POSTING_BYTES)];
        let tables = counts.map(|(at, bytes)| u64::from(u32_at(start, at)) * to_u64(bytes));
        tables.into_iter().fold(to_u64(HEADER_BYTES), u64::saturating_add)
    }

    /// Whether each stream's link names an earlier segment. Checksums do not tell: it may have been written so.
    fn links_go_down(&self) -> bool {
        let tables = self.bytes.get(self.streams_at()..self.postings_at()).unwrap_or_default();
        tables.chunks_exact(STREAM_BYTES).all(|entry| u32_at(entry, 28) < self.of.segment.0)
    }

    /// The chain at the segment's end by an index file's own word.
    pub(crate) fn chain_in(bytes: &[u8]) -> Chain {
        Chain(u128_at(bytes, 52))
    }

    pub(crate) const fn of(&self) -> IndexOf {
        self.of
    }
    pub(crate) const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn find(&self, stream: StreamHash, versions: VersionRange) -> Option<StreamPostings> {
        let entry = self.entry(stream)?;
        let (first_version, count) = (Version::new(u64_at(entry, 16)), from_u32(u32_at(entry, 24)));
        let range = versions.of_postings(first_version, count);
        let base = from_u32(u32_at(entry, 32));
        let at = |index: usize| {
            let posting = self.postings_at() + (base + index) * POSTING_BYTES;
            Posting {
                offset: u32_at(&self.bytes, posting),
                bytes: u32_at(&self.bytes, posting + 4),
                crc: u32_at(&self.bytes, posting + 8),
            }
        };
        Some(StreamPostings {
            first_version,
            previous_segment: u32_at(entry, 28),
            postings: range.map(at).collect(),
        })
    }

    pub(crate) fn contains(&self, stream: StreamHash) -> bool {
        self.entry(stream).is_some()
    }

    /// The last waypoint for which `before` holds, given that it holds for the first ones and not for the rest.
    pub(crate) fn waypoint(&self, before: impl Fn(&Waypoint) -> bool) -> Option<Waypoint> {
        let count = partition_point(self.counts.waypoints, |index| before(&self.waypoint_at(index)));
        Some(self.waypoint_at(count.checked_sub(1)?))
    }

    fn waypoint_at(&self, index: usize) -> Waypoint {
        let at = HEADER_BYTES + index * WAYPOINT_BYTES;
        Waypoint {
            first: Sequence::new(u64_at(&self.bytes, at)),
            recorded_at: i64_at(&self.bytes, at + 8),
            offset: u32_at(&self.bytes, at + 16),
        }
    }

    fn entry(&self, stream: StreamHash) -> Option<&[u8]> {
        let at = |index: usize| self.streams_at() + index * STREAM_BYTES;
        let hash_at = |index: usize| u128_at(&self.bytes, at(index));
        let index = partition_point(self.counts.streams, |index| hash_at(index) < stream.0);
        (index < self.counts.streams && hash_at(index) == stream.0)
            .then(|| self.bytes.get(at(index)..at(index) + STREAM_BYTES))?
    }

    const fn streams_at(&self) -> usize {
        HEADER_BYTES + self.counts.waypoints * WAYPOINT_BYTES
    }
    const fn postings_at(&self) -> usize {
        self.streams_at() + self.counts.streams * STREAM_BYTES
    }
}

/// How many of `0..count` come first for which `before` holds.
fn partition_point(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut to) = (0, count);
    while from < to {
        let middle = from + (to - from) / 2;
        if before(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::SEALED_HERE;
