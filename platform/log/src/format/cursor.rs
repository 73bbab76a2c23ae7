//! Going over the frames of a segment in order.
//!
//! What always holds: a frame that is shown is whole and stands where its header says. Whether it follows the one before it,
//! and what its records say, is for whoever knows more than the frame: [`FrameHeader::check_follows`], [`Frame::records`].

use crate::format::frame::{FRAME_HEADER_BYTES, FrameHeader, Kind, PAYLOAD_BYTES_MAX};
use crate::format::payload::AppendPayload;
use crate::format::scan::Extent;
use crate::num::{from_u32, to_usize};
use annals_event::{MarkName, Sequence};
use std::{io, ops::ControlFlow};

/// How much is read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// The same in a search that begins at a waypoint: about as far as they are apart.
const SMALL_CHUNK_BYTES: usize = 64 << 10;

/// A whole frame.
pub(crate) struct Frame<'a> {
    pub(crate) header: FrameHeader,
    pub(crate) payload: &'a [u8],
    /// Where it begins in the segment.
    pub(crate) offset: u64,
}

impl Frame<'_> {
    /// The payload of an append, taken apart; `None`: it is a frame of another kind.
    pub(crate) fn append(&self) -> Result<Option<AppendPayload<'_>>, &'static str> {
        if self.header.kind != Kind::Append {
            return Ok(None);
        }
        AppendPayload::parse(self.payload).map(Some).ok_or("the frame's payload is too short")
    }

    /// The marks that an append set.
    pub(crate) fn marks(&self) -> Result<Vec<(MarkName, Sequence)>, &'static str> {
        let Some(append) = self.append()? else { return Ok(Vec::new()) };
        append.marks().ok_or("the frame's marks are not well-formed")
    }
}

/// Where going over frames ended.
pub(crate) enum Stop {
    /// At the end of the extent.
    End,
    /// After the frame with this header: whoever visited it had seen enough.
    Enough(FrameHeader),
    /// At something that is not a whole frame, or not what whoever visited it knows that it must be.
    Bad { offset: u64, what: &'static str },
}

pub(crate) struct Cursor<'a> {
    extent: Extent<'a>,
    at: u64,
    step_bytes: usize,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(extent: Extent<'a>) -> Self {
        Self { extent, at: extent.from, step_bytes: CHUNK_BYTES, chunk: Vec::new(), chunk_at: extent.from }
    }

    /// The same for whoever expects to find what it looks for soon: reads less at a time.
    pub(crate) fn in_small_steps(extent: Extent<'a>) -> Self {
        Self { step_bytes: SMALL_CHUNK_BYTES, ..Self::new(extent) }
    }

    /// Goes on at `offset`, whatever stands before it.
    pub(crate) const fn resume_at(&mut self, offset: u64) {
        self.at = offset;
    }

    /// Calls `visit` with one frame after the other until it has seen enough or says what is wrong with one.
    pub(crate) fn each(
        &mut self,
        mut visit: impl FnMut(&Frame<'_>) -> Result<ControlFlow<()>, &'static str>,
    ) -> io::Result<Stop> {
        while self.at < self.extent.to {
            let offset = self.at;
            let frame = match self.frame()? {
                Ok(frame) => frame,
                Err(what) => return Ok(Stop::Bad { offset, what }),
            };
            let (header, visited) = (frame.header, visit(&frame));
            self.at += header.frame_bytes();
            match visited {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(Stop::Enough(header)),
                Err(what) => return Ok(Stop::Bad { offset, what }),
            }
        }
        Ok(Stop::End)
    }

    /// The frame at the cursor's place, or why there is none.
    fn frame(&mut self) -> io::Result<Result<Frame<'_>, &'static str>> {
        let (offset, extent) = (self.at, self.extent);
        let bytes = self.bytes(FRAME_HEADER_BYTES)?;
        let Some(header) = FrameHeader::decode(bytes, extent.log, extent.base.plus(offset)) else {
            return Ok(Err(FrameHeader::NONE));
        };
        if from_u32(header.payload_bytes) > PAYLOAD_BYTES_MAX {
            return Ok(Err("the frame is longer than any frame"));
        }
        let bytes = self.bytes(to_usize(header.frame_bytes()))?;
        let payload = header.payload_in(bytes.get(FRAME_HEADER_BYTES..).unwrap_or_default());
        Ok(payload.map(|payload| Frame { header, payload, offset }))
    }

    /// `count` bytes at the cursor's place, or fewer at the end of the extent.
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
