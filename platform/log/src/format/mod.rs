#![doc = include_str!("../../format.md")]

// What always holds of the code: no bytes make anything here panic, hang, or take memory beyond what it is given; what is not
// whole is told from what is.

mod base;
mod checkpoint;
mod cursor;
mod end;
mod frame;
mod index;
mod manifest;
mod payload;
mod records;
mod scan;
mod secret;
mod segment;
mod trail;

pub(crate) use base::{Base, BaseContents, FoundBase, LogStart};
pub(crate) use checkpoint::{Checkpoint, CheckpointBuilder, heads_bytes};
pub(crate) use cursor::{Cursor, Frame, Stop};
pub(crate) use end::LogEnd;
pub(crate) use frame::{
    FRAME_HEADER_BYTES, FrameHeader, GROUP_BYTES_MAX, Kind, LogTag, PAYLOAD_BYTES_MAX, Position, frame_bytes,
    mark_frame,
};
#[cfg(test)]
pub(crate) use index::SEALED_HERE;
pub(crate) use index::{
    ActiveIndex, IndexOf, IndexedRecord, Posting, SegmentIndex, StreamPostings, VersionRange, Waypoint,
};
pub use manifest::Backup;
pub(crate) use manifest::{Digest, Lack, Listed, Manifest, is_primary};
pub(crate) use payload::{AppendPayload, PRELUDE_BYTES, encode_prelude};
pub(crate) use scan::{
    Extent, content_end, content_start, first_header, first_header_anywhere, last_synced_to,
};
pub(crate) use secret::{LogSecret, SECRET_BYTES};
pub(crate) use segment::{
    BadHeader, FRAMES_AT, SEGMENT_FORMAT, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentNumber,
};
pub(crate) use trail::{Trail, advance};
