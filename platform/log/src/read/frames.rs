//! Going over the durable frames of one segment.

use crate::error::ReadError;
use crate::format::{Cursor, Extent, Frame, Stop};
use crate::read::reader::{Readable, Reader};
use std::ops::ControlFlow;

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
    visit: impl FnMut(&Frame<'_>) -> Result<ControlFlow<()>, &'static str>,
) -> Result<(), ReadError> {
    let (segment, base) = (readable.segment.number, readable.segment.base);
    let file = reader.shared.files.get(segment).map_err(|error| reader.io_error(segment, error))?;
    let extent = Extent { file: &*file, log: reader.shared.tag, base, from: offset, to: readable.end };
    let mut cursor = match wanted {
        Wanted::All => Cursor::new(extent),
        Wanted::Few => Cursor::in_small_steps(extent),
    };
    match cursor.each(visit).map_err(|error| reader.io_error(segment, error))? {
        Stop::End | Stop::Enough(_) => Ok(()),
        Stop::Bad { offset, what } => Err(reader.corrupted(segment, offset, what)),
    }
}
