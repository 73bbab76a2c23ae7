//! The index of a segment in memory: of the active one, or of one whose file is not written yet.

use super::{
    Counts, HEADER_BYTES, IndexOf, IndexedRecord, POSTING_BYTES, Posting, STREAM_BYTES, SegmentIndex,
    StreamPostings, VersionRange, WAYPOINT_BYTES, Waypoint, put_header,
};
use crate::format::frame::FrameHeader;
use crate::num::{to_u32, to_u64, to_usize};
use crate::state::StreamHash;
use annals_event::Version;
use hashbrown::{HashTable, hash_table::Entry};

/// How far apart waypoints are at least.
const WAYPOINT_EVERY_BYTES: u32 = 64 << 10;

struct ActiveStream {
    stream: StreamHash,
    first_version: Version,
    previous_segment: u32,
    postings: Postings,
}

/// Most streams have one event in a segment: those take no allocation.
enum Postings {
    One(Posting),
    Many(Vec<Posting>),
}

impl Postings {
    fn extend(&mut self, more: impl ExactSizeIterator<Item = Posting>) {
        match self {
            _ if more.len() == 0 => {}
            Self::One(first) => *self = Self::Many(std::iter::once(*first).chain(more).collect()),
            Self::Many(postings) => postings.extend(more),
        }
    }
    fn as_slice(&self) -> &[Posting] {
        match self {
            Self::One(posting) => std::slice::from_ref(posting),
            Self::Many(postings) => postings,
        }
    }
}

/// The index of the active segment.
#[derive(Default)]
pub(crate) struct ActiveIndex {
    /// Nothing is taken in: there is an index file of the segment.
    is_void: bool,
    streams: HashTable<ActiveStream>,
    postings: usize,
    waypoints: Vec<Waypoint>,
}

impl ActiveIndex {
    /// An index that takes nothing in, for a segment that has an index file already.
    pub(crate) fn void() -> Self {
        Self { is_void: true, ..Self::default() }
    }

    /// An empty index with room for as many streams as `before` has, so that it need not grow while others wait for the
    /// state: growing moves all that is in it.
    pub(crate) fn with_room_like(before: usize) -> Self {
        Self { streams: HashTable::with_capacity(before), ..Self::default() }
    }

    pub(crate) const fn is_void(&self) -> bool {
        self.is_void
    }

    /// How many bytes of memory it takes, about.
    pub(crate) fn weight_bytes(&self) -> u64 {
        to_u64(self.streams.len() * size_of::<ActiveStream>() + self.postings * size_of::<Posting>())
    }

    /// How many bytes of the disk its file will take, in whole pages.
    pub(crate) fn file_bytes(&self) -> u64 {
        const PAGE_BYTES: u64 = 4 << 10;
        let tables = self.streams.len() * STREAM_BYTES + self.postings * POSTING_BYTES;
        to_u64(HEADER_BYTES + self.waypoints.len() * WAYPOINT_BYTES + tables).next_multiple_of(PAGE_BYTES)
    }

    /// How many streams are in it.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Takes in a frame, `offset` into the segment, with these records. `link` says for each run of records of one stream which
    /// is the newest earlier segment with events of it, 0: none.
    pub(crate) fn take_in(
        &mut self,
        frame: &FrameHeader,
        offset: u64,
        records: &[IndexedRecord],
        mut link: impl FnMut(&[IndexedRecord]) -> u32,
    ) {
        for run in records.chunk_by(|record, next| record.stream == next.stream) {
            let previous_segment = link(run);
            self.add(run, previous_segment);
        }
        if frame.events > 0 {
            let offset = to_u32(to_usize(offset));
            self.pass(Waypoint { first: frame.first, recorded_at: frame.recorded_at, offset });
        }
    }

    /// Adds consecutive records of one stream.
    pub(crate) fn add(&mut self, run: &[IndexedRecord], previous_segment: u32) {
        let Some((first, rest)) = run.split_first().filter(|_| !self.is_void) else { return };
        let stream = first.stream;
        self.postings += run.len();
        let entry = self.streams.entry(
            stream.table_hash(),
            |held| held.stream == stream,
            |held| held.stream.table_hash(),
        );
        let more = rest.iter().map(|record| record.posting);
        match entry {
            Entry::Occupied(mut entry) => {
                entry.get_mut().postings.extend(run.iter().map(|record| record.posting));
            }
            Entry::Vacant(entry) => {
                let first_version = first.version;
                let mut postings = Postings::One(first.posting);
                postings.extend(more);
                entry.insert(ActiveStream { stream, first_version, previous_segment, postings });
            }
        }
    }

    /// Takes the frame as a waypoint if the last one is far enough away.
    pub(super) fn pass(&mut self, frame: Waypoint) {
        let far = |last: &Waypoint| frame.offset.saturating_sub(last.offset) >= WAYPOINT_EVERY_BYTES;
        if !self.is_void && self.waypoints.last().is_none_or(far) {
            self.waypoints.push(frame);
        }
    }

    /// The last waypoint for which `before` holds, given that it holds for the first ones and not for the rest.
    pub(crate) fn waypoint(&self, before: impl Fn(&Waypoint) -> bool) -> Option<Waypoint> {
        let count = self.waypoints.partition_point(before);
        self.waypoints.get(count.checked_sub(1)?).copied()
    }

    pub(crate) fn contains(&self, stream: StreamHash) -> bool {
        self.streams.find(stream.table_hash(), |held| held.stream == stream).is_some()
    }

    pub(crate) fn find(&self, stream: StreamHash, versions: VersionRange) -> Option<StreamPostings> {
        let held = self.streams.find(stream.table_hash(), |held| held.stream == stream)?;
        let postings = held.postings.as_slice();
        let range = versions.of_postings(held.first_version, postings.len());
        Some(StreamPostings {
            first_version: held.first_version,
            previous_segment: held.previous_segment,
            postings: postings.get(range).unwrap_or_default().to_vec(),
        })
    }

    /// Calls `resolve` with the link of each stream that began in an earlier segment, for a better one.
    pub(crate) fn relink(&mut self, mut resolve: impl FnMut(StreamHash, u32) -> u32) {
        for held in self.streams.iter_mut().filter(|held| held.first_version > Version::FIRST) {
            held.previous_segment = resolve(held.stream, held.previous_segment);
        }
    }

    /// The streams whose link to an earlier segment is needed.
    pub(crate) fn continued(&self) -> impl Iterator<Item = StreamHash> {
        self.streams.iter().filter(|held| held.first_version > Version::FIRST).map(|held| held.stream)
    }

    /// The index as a file. This sorts all streams: never on the writer's thread, nor under the state's lock.
    pub(crate) fn seal(&self, of: IndexOf) -> SegmentIndex {
        #[cfg(test)]
        super::SEALED_HERE.with(|sealed| sealed.set(sealed.get() + 1));
        let mut streams: Vec<&ActiveStream> = self.streams.iter().collect();
        streams.sort_unstable_by_key(|held| held.stream);
        let tables = streams.len() * STREAM_BYTES + self.postings * POSTING_BYTES;
        let waypoints_end = HEADER_BYTES + self.waypoints.len() * WAYPOINT_BYTES;
        let mut out = Vec::with_capacity(waypoints_end + tables);
        out.extend_from_slice(&[0; HEADER_BYTES]);
        for waypoint in &self.waypoints {
            out.extend_from_slice(&waypoint.first.get().to_le_bytes());
            out.extend_from_slice(&waypoint.recorded_at.to_le_bytes());
            out.extend_from_slice(&waypoint.offset.to_le_bytes());
            out.extend_from_slice(&[0; 4]);
        }
        let mut first_posting = 0;
        for held in &streams {
            let count = held.postings.as_slice().len();
            out.extend_from_slice(&held.stream.0.to_le_bytes());
            out.extend_from_slice(&held.first_version.get().to_le_bytes());
            out.extend_from_slice(&to_u32(count).to_le_bytes());
            out.extend_from_slice(&held.previous_segment.to_le_bytes());
            out.extend_from_slice(&to_u32(first_posting).to_le_bytes());
            out.extend_from_slice(&[0; 4]);
            first_posting += count;
        }
        for posting in streams.iter().flat_map(|held| held.postings.as_slice()) {
            out.extend_from_slice(&posting.offset.to_le_bytes());
            out.extend_from_slice(&posting.bytes.to_le_bytes());
            out.extend_from_slice(&posting.crc.to_le_bytes());
        }
        let counts =
            Counts { waypoints: self.waypoints.len(), streams: streams.len(), postings: self.postings };
        put_header(&mut out, of, counts);
        SegmentIndex { counts, of, bytes: out.into() }
    }
}
