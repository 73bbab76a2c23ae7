//! Going over the frames of a segment, verifying each.

use crate::disk::DiskFile;
use crate::format::frame::{
    ALIGN_BYTES, BAD_PADDING, FRAME_HEADER_BYTES, FrameHeader, LogTag, MAGIC, PAYLOAD_BYTES_MAX, Position,
    is_padding,
};
use crate::num::{crc32c, to_u64, to_usize, u64_at};
use std::{io, ops::ControlFlow};

/// How much is read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// The same in a search that begins at a waypoint: about as far as they are apart.
const SMALL_CHUNK_BYTES: usize = 64 << 10;

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

/// What stands at a place.
pub(crate) enum Scanned<'a> {
    /// A whole frame.
    Frame { header: FrameHeader, payload: &'a [u8] },
    /// Something that is not a whole frame.
    Bad(&'static str),
    /// The end of the extent.
    End,
}

pub(crate) struct Scanner<'a> {
    extent: Extent<'a>,
    at: u64,
    step_bytes: usize,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(extent: Extent<'a>) -> Self {
        Self { extent, at: extent.from, step_bytes: CHUNK_BYTES, chunk: Vec::new(), chunk_at: extent.from }
    }

    /// The same for whoever expects to find what it looks for soon: reads less at a time.
    pub(crate) fn in_small_steps(extent: Extent<'a>) -> Self {
        Self { step_bytes: SMALL_CHUNK_BYTES, ..Self::new(extent) }
    }

    /// The offset of what `next` will look at.
    pub(crate) const fn offset(&self) -> u64 {
        self.at
    }

    /// Goes on at `offset`, whatever stands before it.
    pub(crate) const fn resume_at(&mut self, offset: u64) {
        self.at = offset;
    }

    /// What stands at the scanner's place; goes on only over whole frames.
    pub(crate) fn next(&mut self) -> io::Result<Scanned<'_>> {
        if self.at >= self.extent.to {
            return Ok(Scanned::End);
        }
        let (log, position) = (self.extent.log, self.extent.base.plus(self.at));
        let bytes = self.bytes(FRAME_HEADER_BYTES)?;
        let Some(header) = FrameHeader::decode(bytes, log, position) else {
            return Ok(Scanned::Bad("no whole frame begins here"));
        };
        let payload_bytes = crate::num::from_u32(header.payload_bytes);
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Ok(Scanned::Bad("the frame is longer than any frame"));
        }
        let payload_end = FRAME_HEADER_BYTES + payload_bytes;
        let bytes = self.bytes(to_usize(header.frame_bytes()))?;
        let (whole, padding) = bytes.split_at_checked(payload_end).unwrap_or_default();
        if crc32c(whole.get(FRAME_HEADER_BYTES..).unwrap_or_default()) != header.payload_crc {
            return Ok(Scanned::Bad("the frame's payload does not match its checksum"));
        }
        if !is_padding(padding) {
            return Ok(Scanned::Bad(BAD_PADDING));
        }
        let at = to_usize(self.at - self.chunk_at);
        self.at += header.frame_bytes();
        let payload = self.chunk.get(at + FRAME_HEADER_BYTES..at + payload_end).unwrap_or_default();
        Ok(Scanned::Frame { header, payload })
    }

    /// `count` bytes at the scanner's place, or fewer at the end of the extent.
    fn bytes(&mut self, count: usize) -> io::Result<&[u8]> {
        let count = count.min(to_usize(self.extent.to - self.at));
        let at = to_usize(self.at - self.chunk_at);
        if at + count > self.chunk.len() {
            let room = to_usize(self.extent.to - self.at).min(self.step_bytes.max(count));
            self.chunk.resize(room, 0);
            let got = self.extent.file.read_at(&mut self.chunk, self.at)?;
            self.chunk.truncate(got);
            self.chunk_at = self.at;
        }
        let at = to_usize(self.at - self.chunk_at);
        Ok(self.chunk.get(at..(at + count).min(self.chunk.len())).unwrap_or_default())
    }
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
