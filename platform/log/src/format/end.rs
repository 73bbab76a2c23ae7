//! Where a log ends.

use crate::format::frame::{FrameHeader, Position};
use crate::format::segment::SegmentHeader;
use crate::state::Chain;
use annals_event::Sequence;

/// The end of the log, or of the part of it that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// The next event's sequence number.
    pub(crate) next: Sequence,
    /// Where the next frame begins.
    pub(crate) position: Position,
    pub(crate) chain: Chain,
    /// When the last event was recorded.
    pub(crate) recorded_at: i64,
}

impl LogEnd {
    /// The end when a segment has just begun.
    pub(crate) const fn at_start_of(segment: &SegmentHeader) -> Self {
        Self {
            next: segment.first,
            position: segment.frames(),
            chain: segment.chain,
            recorded_at: segment.recorded_before,
        }
    }

    /// The end before a frame, by the frame's own word.
    pub(crate) const fn before(frame: &FrameHeader) -> Self {
        Self {
            next: frame.first,
            position: frame.position,
            chain: frame.previous,
            recorded_at: frame.recorded_at,
        }
    }

    /// The end after one more frame.
    pub(crate) fn after(self, frame: &FrameHeader) -> Self {
        Self {
            next: frame.next(),
            position: frame.end(),
            chain: frame.chain(),
            recorded_at: self.recorded_at.max(frame.recorded_at),
        }
    }
}
