//! Where a stream's events are written: kept beside its head, in the note that a head has for the ledger.

use crate::format::segment::SegmentNumber;
use crate::state::{Head, Heads, Note, StreamHash};
use annals_event::Version;

/// The newest two segments with events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trail {
    /// The segment with the last event.
    pub(crate) segment: SegmentNumber,
    /// The newest segment before that one with events of the stream; 0: none.
    pub(crate) previous: u32,
}

impl Trail {
    pub(crate) fn of(head: &Head) -> Self {
        let [segment, previous] = head.note.0;
        Self { segment: SegmentNumber(segment), previous }
    }

    pub(crate) const fn note(self) -> Note {
        Note([self.segment.0, self.previous])
    }

    /// Where the trail leads once there is an event in `segment`.
    fn on_to(self, segment: SegmentNumber) -> Self {
        if self.segment < segment { Self { segment, previous: self.segment.0 } } else { self }
    }
}

/// Moves the stream's head to `version`, whose event is in `segment`; returns the newest segment before that one with
/// events of the stream, 0: none. Moving to where the stream was before changes nothing.
pub(crate) fn advance(heads: &Heads, stream: StreamHash, version: Version, segment: SegmentNumber) -> u32 {
    let moved = heads.advance(stream, version, |head| {
        let trail = head.map_or(Trail { segment, previous: 0 }, |head| Trail::of(head).on_to(segment));
        trail.note()
    });
    Trail::of(&moved).previous
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_remembers_the_segment_before_and_never_turns_back() {
        let (heads, stream) = (Heads::new(), StreamHash(7));
        let moved =
            [(1, 1, 0), (2, 1, 0), (3, 4, 1), (2, 4, 1), (4, 5, 4)].map(|(version, segment, previous)| {
                assert_eq!(advance(&heads, stream, Version::new(version), SegmentNumber(segment)), previous);
                heads.version(stream).get()
            });
        assert_eq!(moved, [1, 2, 3, 3, 4], "what is replayed moves nothing");
    }
}
