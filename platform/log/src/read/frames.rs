//! Going over the durable frames of one segment, each verified.

use crate::error::ReadError;
use crate::format::{Extent, FrameHeader, Scanned, Scanner, SegmentNumber};
use crate::read::reader::{Readable, Reader};
use std::ops::ControlFlow;

/// Where a frame is.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
}

/// How many frames are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of the segment.
    All,
    /// A few, near where the way begins: less is read at a time.
    Few,
}

/// Calls `visit` with the frames from `offset` on, until it says that it is enough, or what is wrong with the frame.
pub(crate) fn each_frame(
    reader: &Reader,
    readable: &Readable,
    offset: u64,
    wanted: Wanted,
    mut visit: impl FnMut(Spot, &FrameHeader, &[u8]) -> Result<ControlFlow<()>, &'static str>,
) -> Result<(), ReadError> {
    let (segment, base) = (readable.segment.number, readable.segment.base);
    let file = reader.shared.files.get(segment).map_err(|error| reader.io_error(segment, error))?;
    let extent = Extent { file: &*file, log: reader.shared.tag, base, from: offset, to: readable.end };
    let mut scanner = match wanted {
        Wanted::All => Scanner::new(extent),
        Wanted::Few => Scanner::in_small_steps(extent),
    };
    loop {
        let offset = scanner.offset();
        let visited = match scanner.next().map_err(|error| reader.io_error(segment, error))? {
            Scanned::End => return Ok(()),
            Scanned::Bad(what) => Err(what),
            Scanned::Frame { header, payload } => visit(Spot { segment, offset }, &header, payload),
        };
        if visited.map_err(|what| reader.corrupted(segment, offset, what))?.is_break() {
            return Ok(());
        }
    }
}
