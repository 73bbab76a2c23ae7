//! What recovery writes: zeros over a torn tail, and once more what may be in the system's cache alone.

use crate::disk::{Disk, DiskFile};
use crate::error::OpenError;
use crate::files::open_error;
use crate::format::{Extent, Kind, LogEnd, LogTag, SegmentHeader, content_end, mark_frame};
use crate::num::{to_u64, to_usize};
use std::io;

const STEP_BYTES: usize = 1 << 20;

/// Writes zeros over all of `extent` that is not zero, and over its first `least` bytes whatever they seem to be, so
/// that nothing in it is ever taken for a frame again: after a failed sync the system's cache shows zeros that are not
/// on the disk.
pub(crate) fn wipe(extent: Extent<'_>, least: u64) -> io::Result<()> {
    let to = content_end(extent)?.max(extent.to.min(extent.from + least));
    if to == extent.from {
        return Ok(());
    }
    let zeros = vec![0; STEP_BYTES];
    let mut at = extent.from;
    while at < to {
        let step = to_usize(to - at).min(STEP_BYTES);
        extent.file.write_at(zeros.get(..step).unwrap_or_default(), at)?;
        at += to_u64(step);
    }
    extent.file.sync_data()
}

/// Why the rest of a segment, of `rest_bytes`, could not be wiped: what is no more than a hole needs space when it is written.
pub(crate) fn wipe_error(disk: &dyn Disk, file: &str, rest_bytes: u64, cause: io::Error) -> OpenError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            OpenError::NoSpace { file: disk.display(file), needed_bytes: rest_bytes, cause }
        }
        _ => open_error(disk, file, cause),
    }
}

/// Writes the bytes of `extent` again where they are, and syncs them.
pub(crate) fn rewrite(extent: Extent<'_>) -> io::Result<()> {
    if extent.from >= extent.to {
        return Ok(());
    }
    let mut bytes = vec![0; to_usize(extent.to - extent.from)];
    let got = extent.file.read_at(&mut bytes, extent.from)?;
    if got < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    extent.file.write_at(&bytes, extent.from)?;
    extent.file.sync_data()
}

/// Writes the footer of `sealed`, which `next` follows, at `offset`, and syncs it.
pub(crate) fn rewrite_footer(
    file: &dyn DiskFile,
    log: LogTag,
    sealed: &SegmentHeader,
    next: &SegmentHeader,
    offset: u64,
) -> io::Result<()> {
    let end = LogEnd {
        next: next.first,
        position: sealed.base.plus(offset),
        chain: next.chain,
        recorded_at: next.recorded_before,
    };
    file.write_at(&mark_frame(Kind::Footer, log, &end).encode(), offset)?;
    file.sync_data()
}
