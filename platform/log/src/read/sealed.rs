//! The index of a sealed segment, wherever it is: in memory as it was filled, or in the form of its file.
//!
//! What always holds: a segment is sealed by handing its index over as it is. Whoever writes the file sorts and encodes it;
//! until then readers search the unsorted form.

use crate::format::{ActiveIndex, IndexOf, SegmentIndex, StreamPostings, VersionRange, Waypoint};
use crate::state::StreamHash;
use std::sync::Arc;

/// Most bytes of indexes of sealed segments that wait in memory for their files: about five of full segments with small
/// events. When more wait, because the disk is slow or full, the oldest are given up; they are made again from their
/// segments when somebody reads there.
pub(crate) const UNWRITTEN_BYTES_MAX: u64 = 128 << 20;

/// The index of a sealed segment whose file is not written yet.
pub(crate) struct Unwritten {
    pub(crate) of: IndexOf,
    pub(crate) index: ActiveIndex,
}

/// How many bytes of indexes wait for their files, about.
pub(crate) fn unwritten_bytes(unwritten: &[Arc<Unwritten>]) -> u64 {
    unwritten.iter().map(|unwritten| unwritten.index.weight_bytes()).sum()
}

/// The index of a sealed segment.
pub(crate) enum SealedIndex {
    Unwritten(Arc<Unwritten>),
    File(Arc<SegmentIndex>),
}

impl SealedIndex {
    pub(crate) fn of(&self) -> IndexOf {
        match self {
            Self::Unwritten(index) => index.of,
            Self::File(index) => index.of(),
        }
    }

    pub(crate) fn find(&self, stream: StreamHash, versions: VersionRange) -> Option<StreamPostings> {
        match self {
            Self::Unwritten(unwritten) => unwritten.index.find(stream, versions),
            Self::File(index) => index.find(stream, versions),
        }
    }

    pub(crate) fn contains(&self, stream: StreamHash) -> bool {
        match self {
            Self::Unwritten(unwritten) => unwritten.index.contains(stream),
            Self::File(index) => index.contains(stream),
        }
    }

    /// The last waypoint for which `before` holds, given that it holds for the first ones and not for the rest.
    pub(crate) fn waypoint(&self, before: impl Fn(&Waypoint) -> bool) -> Option<Waypoint> {
        match self {
            Self::Unwritten(unwritten) => unwritten.index.waypoint(before),
            Self::File(index) => index.waypoint(before),
        }
    }

    /// The index in the form of its file.
    pub(crate) fn into_file(self) -> Arc<SegmentIndex> {
        match self {
            Self::Unwritten(unwritten) => Arc::new(unwritten.index.seal(unwritten.of)),
            Self::File(index) => index,
        }
    }
}
