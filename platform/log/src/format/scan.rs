//! Searching a part of a segment in which nothing says where frames begin.

use crate::disk::DiskFile;
use crate::format::frame::{ALIGN_BYTES, FRAME_HEADER_BYTES, FrameHeader, LogTag, MAGIC, Position};
use crate::num::{to_u64, to_usize, u64_at};
use std::{io, ops::ControlFlow};

/// How much is read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// A part of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Extent<'a> {
    pub(crate) file: &'a dyn DiskFile,
    pub(crate) log: LogTag,
    /// The position of the file's first byte.
    pub(crate) base: Position,
    /// From which offset.
    pub(crate) from: u64,
    /// To which offset.
    pub(crate) to: u64,
}

/// The last `synced_to` that any whole frame header in the extent carries. A header alone is enough: its payload may be
/// torn, its word is not.
pub(crate) fn last_synced_to(extent: Extent<'_>) -> io::Result<Option<Position>> {
    let mut last = None;
    let visited = visit_headers(extent, |_, header| {
        last = last.max(Some(header.synced_to));
        ControlFlow::Continue(())
    });
    visited.map(|()| last)
}

/// The first whole frame header in the extent, and its offset.
pub(crate) fn first_header(extent: Extent<'_>) -> io::Result<Option<(u64, FrameHeader)>> {
    let mut first = None;
    let visited = visit_headers(extent, |offset, header| {
        first = Some((offset, header));
        ControlFlow::Break(())
    });
    visited.map(|()| first)
}

/// The first whole frame header in the extent by its own word for where it stands, and its offset.
pub(crate) fn first_header_anywhere(extent: Extent<'_>) -> io::Result<Option<(u64, FrameHeader)>> {
    let mut first = None;
    let visited = visit_candidates(extent, |offset, bytes| {
        let position = Position::new(u64_at(bytes, FrameHeader::POSITION_AT));
        let header = FrameHeader::decode(bytes, extent.log, position);
        first = header.filter(|header| header.position.get() >= offset).map(|header| (offset, header));
        if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.map(|()| first)
}

/// Calls `visit` for each whole frame header in the extent.
fn visit_headers(
    extent: Extent<'_>,
    mut visit: impl FnMut(u64, FrameHeader) -> ControlFlow<()>,
) -> io::Result<()> {
    visit_candidates(extent, |offset, bytes| {
        match FrameHeader::decode(bytes, extent.log, extent.base.plus(offset)) {
            Some(header) => visit(offset, header),
            None => ControlFlow::Continue(()),
        }
    })
}

/// Calls `visit` with the bytes at every place in the extent where a frame may begin, because after damage nothing says
/// where the next one does.
fn visit_candidates(
    extent: Extent<'_>,
    mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut at = extent.from.next_multiple_of(to_u64(ALIGN_BYTES));
    let mut chunk = vec![0; CHUNK_BYTES];
    while at < extent.to {
        let want = to_usize(extent.to - at).min(CHUNK_BYTES);
        let got = extent.file.read_at(chunk.get_mut(..want).unwrap_or_default(), at)?;
        let bytes = chunk.get(..got).unwrap_or_default();
        for (index, candidate) in bytes.chunks_exact(ALIGN_BYTES).enumerate() {
            let rest = || bytes.get(index * ALIGN_BYTES..).unwrap_or_default();
            if candidate.starts_with(&MAGIC) && visit(at + to_u64(index * ALIGN_BYTES), rest()).is_break() {
                return Ok(());
            }
        }
        if got < want || at + to_u64(got) >= extent.to {
            break;
        }
        // Headers may lie across two chunks.
        at += to_u64(got - FRAME_HEADER_BYTES);
    }
    Ok(())
}

/// Where the first byte that is not zero in the extent stands.
pub(crate) fn content_start(extent: Extent<'_>) -> io::Result<Option<u64>> {
    let mut at = extent.from;
    let mut chunk = vec![0; CHUNK_BYTES];
    while at < extent.to {
        let want = to_usize(extent.to - at).min(CHUNK_BYTES);
        let got = extent.file.read_at(chunk.get_mut(..want).unwrap_or_default(), at)?;
        if let Some(first) = chunk.get(..got).unwrap_or_default().iter().position(|&byte| byte != 0) {
            return Ok(Some(at + to_u64(first)));
        }
        if got < want {
            break;
        }
        at += to_u64(got);
    }
    Ok(None)
}

/// Where the last byte that is not zero in the extent ends; `from` when there is none.
pub(crate) fn content_end(extent: Extent<'_>) -> io::Result<u64> {
    let (mut at, mut end) = (extent.from, extent.from);
    let mut chunk = vec![0; CHUNK_BYTES];
    while at < extent.to {
        let want = to_usize(extent.to - at).min(CHUNK_BYTES);
        let got = extent.file.read_at(chunk.get_mut(..want).unwrap_or_default(), at)?;
        if let Some(last) = chunk.get(..got).unwrap_or_default().iter().rposition(|&byte| byte != 0) {
            end = at + to_u64(last) + 1;
        }
        if got < want {
            break;
        }
        at += to_u64(got);
    }
    Ok(end)
}
