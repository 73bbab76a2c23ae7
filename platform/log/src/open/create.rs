//! Making a new log, and how long its segments are made.
//!
//! What always holds: a log exists once its first segment has its name; before that nothing of it counts.

use crate::disk::Environment;
use crate::error::OpenError;
use crate::files::{PREPARED, open_error};
use crate::format::{LogSecret, Position, SegmentHeader, SegmentNumber};
use crate::open::prepare::{Preparation, PreparedFile};
use crate::open::recovery::Recovered;
use crate::options::Options;
use crate::read::State;
use crate::state::Chain;
use annals_event::{LogId, Sequence};
use std::io;

const SEGMENT_BYTES_MIN: u64 = 4 << 10;
/// Offsets in a segment have 32 bits.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// How much larger each segment of a young log is than the one before.
const SEGMENT_GROWTH: u64 = 4;

fn clamped(bytes: u64) -> u64 {
    bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
}

/// The same settings with sizes that segments can have.
pub(crate) fn within_limits(options: Options) -> Options {
    let first_segment_bytes = clamped(options.first_segment_bytes.min(options.segment_bytes));
    Options { segment_bytes: clamped(options.segment_bytes), first_segment_bytes, ..options }
}

/// How long the segment after `active` is made.
pub(crate) fn next_capacity(options: &Options, active: &SegmentHeader) -> u64 {
    clamped(options.segment_bytes.min(active.capacity_bytes.saturating_mul(SEGMENT_GROWTH)))
}

/// Makes a new log: it exists once its first segment has its name.
pub(crate) fn create(environment: &Environment, options: &Options) -> Result<Recovered, OpenError> {
    let disk = &*environment.disk;
    let target = options.first_segment_bytes;
    let mut preparation = Preparation::new(environment.disk.clone(), target);
    let prepared = preparation.take(target);
    let PreparedFile { file, bytes } = prepared.map_err(|error| {
        let cause = io::Error::new(error.cause.kind(), error.cause);
        OpenError::Io { file: error.file, cause }
    })?;
    let segment = SegmentHeader {
        number: SegmentNumber::FIRST,
        log_id: LogId::from_uuid(environment.new_uuid()),
        secret: LogSecret::new(&*environment.entropy),
        base: Position::new(0),
        capacity_bytes: bytes,
        first: Sequence::FIRST,
        chain: Chain::default(),
        recorded_before: 0,
    };
    let name = segment.number.file_name();
    let named =
        segment.write_to(&*file).and_then(|()| disk.rename(PREPARED, &name)).and_then(|()| disk.sync_dir());
    named.map_err(|error| open_error(disk, &name, error))?;
    let state = State::at_start_of(segment, options);
    Ok(Recovered { state, file, closed: false, checkpointed: 0, segment })
}
