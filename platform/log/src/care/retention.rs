//! Retention: dropping the oldest segments of a log.
//!
//! What always holds:
//!
//! * Only whole sealed segments are dropped, the oldest first, and none with an event that is held.
//! * First a [base](crate::format::Base) that stands for them is durable, then readers see them no more, and only then their
//!   files are removed. A crash in between leaves a log that begins where it did before, or right after them.
//! * The base is made from the segments themselves, each frame verified. Damage in them is named, and they stay.
//! * Unless somebody asks, or room is short, a base is written only when it frees at least its own size: all bases together
//!   take no more bytes than were dropped.
//! * Nothing is dropped from a log that is damaged or that stopped writing.
//! * Age is judged by the log's own time, not by the clock's word: see [`LogTime`](crate::read::LogTime). What was recorded in
//!   the future counts as recorded now, and what was recorded before the machine knew the time counts as old as what follows.

mod plan;

use crate::error::{Corruption, MaintenanceError, OpenError, ReadError};
use crate::files::{BASE, replace_file};
use crate::format::{
    Base, BaseContents, FRAMES_AT, FoundBase, Frame, Kind, LogStart, SegmentHeader, SegmentNumber,
};
use crate::open::remove_segments;
use crate::options::planted;
use crate::read::{Readable, Reader, Shared, Wanted, each_frame};
use crate::state::{Chain, Request, StreamHash};
use annals_event::{Sequence, Version};
use plan::{Plan, plan};
use std::{collections::HashMap, ops::ControlFlow, sync::Arc, time::Duration};

/// How much of a log is kept. A sealed segment may go when either limit says so; without limits nothing goes. In the
/// background what may go stays until it outweighs what must be written for it, 24 bytes a stream and remembered request,
/// and for at most an eighth of the age limit longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments whose events are all older may go.
    pub age_max: Option<Duration>,
    /// The oldest segments may go while the files of all segments take more than this.
    pub bytes_max: Option<u64>,
}

/// What a log dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// The first event that is still there.
    pub first: Sequence,
    /// How many segments were dropped.
    pub segments: u32,
    /// How many bytes their files took.
    pub bytes: u64,
}

/// Why segments that might go were not dropped. The log goes on as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetainError {
    /// A segment that was to be dropped, or the base, is damaged.
    #[error("{0}; nothing is dropped from a damaged log, restore it from a backup")]
    Corrupted(Corruption),
    /// The log stopped writing.
    #[error("the log stopped writing: {reason}")]
    Poisoned {
        /// Why, and what to do.
        reason: Arc<str>,
    },
    /// A segment could not be read.
    #[error(transparent)]
    Read(ReadError),
    /// The base could not be read.
    #[error(transparent)]
    Base(OpenError),
    /// The base could not be written.
    #[error(transparent)]
    Write(#[from] MaintenanceError),
}

impl From<ReadError> for RetainError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupted(corruption) => Self::Corrupted(corruption),
            other => Self::Read(other),
        }
    }
}

/// When to drop what may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At once: somebody asked for it.
    Now,
    /// When it outweighs the base that must be written for it, when room is short, or when it is overdue.
    Due,
}

/// Drops what `retention` does not keep.
pub(crate) fn retain(reader: &Reader, retention: Retention, when: When) -> Result<Retained, RetainError> {
    let _running = reader.shared.retention.running.lock();
    let mut retained = Retained { first: reader.first(), ..Retained::default() };
    loop {
        check_sound(reader)?;
        let earlier = reader.shared.retention.holds.lock().promised;
        let Some(plan) = plan(&reader.shared, retention, when) else { return Ok(retained) };
        let base = fold(reader, &plan).inspect_err(|_| promise(&reader.shared, earlier))?;
        let dropped = replace(&reader.shared, &base, plan.begins)?;
        promise(&reader.shared, None);
        retained.first = plan.begins.first;
        for segment in dropped {
            retained.segments += 1;
            retained.bytes += segment.capacity_bytes;
        }
    }
}

/// Puts the base in the place of the segments before `begins`; returns them.
fn replace(
    shared: &Shared,
    base: &BaseContents,
    begins: SegmentHeader,
) -> Result<Vec<SegmentHeader>, MaintenanceError> {
    let write = || replace_file(&*shared.environment.disk, BASE, &base.encode());
    if planted!(shared.options, BaseAfterDrop) {
        let dropped = drop_before(shared, begins);
        return write().map(|()| dropped);
    }
    // If this fails nobody knows which base is there: the promise stays until a later try succeeds.
    write()?;
    Ok(drop_before(shared, begins))
}

fn promise(shared: &Shared, promised: Option<SegmentHeader>) {
    shared.retention.holds.lock().promised = promised;
}

fn check_sound(reader: &Reader) -> Result<(), RetainError> {
    if let Some(corruption) = reader.corruption() {
        return Err(RetainError::Corrupted(corruption));
    }
    let reason = reader.shared.poison.reason();
    reason.map_or(Ok(()), |reason| Err(RetainError::Poisoned { reason }))
}

/// The base that stands for the segments of the plan and all before them.
fn fold(reader: &Reader, plan: &Plan) -> Result<BaseContents, RetainError> {
    let mut fold = Fold::begin(reader, plan)?;
    let from = fold.contents.start.segment;
    for readable in plan.segments.iter().filter(|readable| readable.segment.number >= from) {
        fold.take_segment(reader, readable)?;
    }
    Ok(fold.finish(plan.begins))
}

/// A base in the making.
struct Fold {
    /// What is known from the base before.
    contents: BaseContents,
    /// What the segments add.
    heads: HashMap<StreamHash, Version>,
    end: (Sequence, Chain),
}

impl Fold {
    fn begin(reader: &Reader, plan: &Plan) -> Result<Self, RetainError> {
        let disk = &*reader.shared.environment.disk;
        let damaged = |what| RetainError::Corrupted(Base::damaged(disk, 0, what));
        let contents = match FoundBase::in_folder(disk).map_err(RetainError::Base)? {
            FoundBase::Nothing => {
                plan.segments.first().map(|first| BaseContents::nothing_before(&first.segment))
            }
            FoundBase::Whole(base) => Base::contents(&base),
            FoundBase::Damaged(corruption) => return Err(RetainError::Corrupted(corruption)),
        };
        let contents = contents.ok_or_else(|| damaged(Base::NOT_WELL_FORMED))?;
        let starts = plan.segments.iter().map(|readable| &readable.segment).chain([&plan.begins]);
        if !starts.map(LogStart::of).any(|start| start == contents.start) {
            return Err(damaged(Base::NOT_THIS_LOGS));
        }
        let end = (contents.start.first, contents.start.chain);
        Ok(Self { contents, heads: HashMap::new(), end })
    }

    fn take_segment(&mut self, reader: &Reader, readable: &Readable) -> Result<(), RetainError> {
        let Readable { segment, end, next } = readable;
        each_frame(reader, readable, FRAMES_AT, Wanted::All, |frame| {
            self.take_frame(reader, frame)?;
            Ok(ControlFlow::Continue(()))
        })?;
        match next {
            Some(next) if self.end == (next.first, next.chain) => Ok(()),
            _ => Err(reader
                .corrupted(segment.number, *end, "it does not end where the next segment begins")
                .into()),
        }
    }

    fn take_frame(&mut self, reader: &Reader, frame: &Frame<'_>) -> Result<(), &'static str> {
        let header = &frame.header;
        header.check_follows(self.end.0, self.end.1)?;
        self.contents.marks.extend(frame.marks()?);
        for record in frame.records(&reader.shared.hasher, |_, _| true)? {
            let version = self.heads.entry(record.stream).or_insert(record.version);
            *version = record.version.max(*version);
        }
        if header.kind == Kind::Append {
            let request = Request { id: header.request_id, first: header.first };
            self.contents.requests.push(request, header.recorded_at);
            while self.contents.requests.drop_oldest(reader.shared.options.requests).is_some() {}
        }
        self.end = (header.next(), header.chain());
        Ok(())
    }

    fn finish(self, begins: SegmentHeader) -> BaseContents {
        let Self { mut contents, mut heads, .. } = self;
        for (stream, version) in &mut contents.heads {
            *version = heads.remove(stream).unwrap_or(*version);
        }
        contents.heads.extend(heads);
        contents.heads.sort_unstable_by_key(|(stream, _)| *stream);
        contents.start = LogStart::of(&begins);
        contents
    }
}

/// Lets the log begin with `begins`; returns the segments that are gone.
fn drop_before(shared: &Shared, begins: SegmentHeader) -> Vec<SegmentHeader> {
    // Nobody writes an index of a segment that is just being removed.
    let _drafting = shared.drafting.lock();
    let (dropped, unwritten): (Vec<SegmentHeader>, Vec<_>) = {
        let mut state = shared.state.write();
        let count = state.segments.partition_point(|segment| segment.number < begins.number);
        let dropped = Arc::make_mut(&mut state.segments).drain(..count).collect();
        let count = state.unindexed.partition_point(|index| index.of.segment < begins.number);
        (dropped, state.unindexed.drain(..count).collect())
    };
    // Outside of the lock: giving an index back takes time.
    drop(unwritten);
    shared.files.forget_before(begins.number);
    shared.indexes.forget_before(begins.number);
    let numbers: Vec<SegmentNumber> = dropped.iter().map(|segment| segment.number).collect();
    let disk = &*shared.environment.disk;
    remove_segments(disk, &numbers);
    if let Err(error) = disk.sync_dir() {
        tracing::warn!(%error, "what was dropped from the log may be back on the disk until the next open");
    }
    tracing::info!(segments = numbers.len(), first = begins.first.get(), "dropped the log's oldest segments");
    dropped
}

#[cfg(test)]
mod tests;
