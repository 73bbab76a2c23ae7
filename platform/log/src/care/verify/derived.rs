//! Comparing the files that are derived from the segments with the segments.

use super::walk::Damaged;
use crate::format::{ActiveIndex, Checkpoint, IndexOf, SegmentIndex, Trail, VersionRange};
use crate::num::to_u64;
use crate::state::{Head, Heads};
use annals_event::Version;
use bytes::Bytes;

/// Which links of a made index to earlier segments are known.
#[derive(Clone, Copy)]
pub(super) enum Links {
    /// Those to this segment and later ones; what was before is dropped, and a link there may be any.
    From(u32),
    Unknown,
}

/// Compares an index file with the index that the segment makes; `None` in `made`: the segment is damaged, so the
/// file is held against its own checksums only.
pub(super) fn compare_index(
    bytes: &Bytes,
    of: IndexOf,
    made: Option<ActiveIndex>,
    links: Links,
) -> Option<Damaged> {
    let held = SegmentIndex::parse(bytes.clone(), of);
    let Some(mut made) = made else {
        return held.is_none().then_some((0, "the index does not match its checksums"));
    };
    if let Some(held) = &held {
        let link_in_file = |stream| {
            let none = VersionRange { from: Version::FIRST, to: Version::ZERO };
            held.find(stream, none).map_or(0, |found| found.previous_segment)
        };
        made.relink(|stream, link| match links {
            Links::From(first) if link >= first => link,
            Links::From(first) => Some(link_in_file(stream)).filter(|link| *link < first).unwrap_or(link),
            Links::Unknown => link_in_file(stream),
        });
    }
    let made = made.seal(of);
    let offset = first_difference(bytes, made.as_bytes())?;
    Some((to_u64(offset), "the index is not what the segment makes"))
}

fn first_difference(bytes: &[u8], due: &[u8]) -> Option<usize> {
    let differs = bytes.iter().zip(due).position(|(byte, due)| byte != due);
    differs.or((bytes.len() != due.len()).then_some(bytes.len().min(due.len())))
}

/// Compares a whole checkpoint with where the streams are at the log's end: it may be older, never ahead.
pub(super) fn compare_checkpoint(checkpoint: &Checkpoint, heads: &Heads) -> Option<Damaged> {
    let is_ahead = |head: &Head| {
        let is_lower =
            |now: Head| now.version < head.version || Trail::of(&now).segment < Trail::of(head).segment;
        heads.get(head.stream).is_none_or(is_lower)
    };
    let ahead = checkpoint.heads().find(|(_, head)| is_ahead(head));
    ahead.map(|(offset, _)| (to_u64(offset), "the checkpoint has a stream further than the log"))
}
