//! Copying a log, file by file, while it is being written.

use super::{BackupError, CUT};
use crate::care::checkpoint::Encoded;
use crate::disk::{Disk, DiskFile};
use crate::files::{BASE, read_file, write_in_steps};
use crate::format::{Base, Digest, FRAME_HEADER_BYTES, Listed, SegmentHeader, SegmentNumber};
use crate::num::{to_u64, to_usize};
use crate::read::{Purpose, Reader, footer_offset, readable_at};
use std::{io, sync::Arc};

/// How much of a segment is copied and synced at a time, so that the syncs of appends do not wait for one big one.
const STEP_BYTES: u64 = 1 << 20;

/// More than a manifest and the names of the files take.
const MANIFEST_BYTES: u64 = 64 << 10;

/// What is to be copied.
pub(super) struct Plan {
    /// The segments, oldest first, each with where its copy ends and whether it is sealed.
    segments: Vec<(SegmentHeader, u64, Kind)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sealed,
    Active,
}

impl Plan {
    /// All up to where `made` says that the log was durable.
    pub(super) fn new(reader: &Reader, made: &Encoded) -> Self {
        let segments = Arc::clone(&reader.shared.state.read().segments);
        let kept: Vec<_> = segments.iter().take_while(|segment| segment.number <= made.replay_from).collect();
        let ends = kept.iter().zip(kept.iter().skip(1)).map(|(segment, next)| {
            (**segment, footer_offset(segment, next) + to_u64(FRAME_HEADER_BYTES), Kind::Sealed)
        });
        let active = kept.last().map(|active| (**active, made.end.position.since(active.base), Kind::Active));
        Self { segments: ends.chain(active).collect() }
    }
}

/// Copies to an empty folder, and takes note of what it wrote.
pub(super) struct Copy<'a> {
    reader: &'a Reader,
    to: &'a dyn Disk,
    pub(super) files: Vec<Listed>,
}

impl<'a> Copy<'a> {
    pub(super) fn new(reader: &'a Reader, to: &'a dyn Disk) -> Self {
        Self { reader, to, files: Vec::new() }
    }

    /// Whether the disk has room for the plan and a checkpoint of this size, and for what the log keeps free.
    pub(super) fn check_room(&self, plan: &Plan, checkpoint_bytes: u64) -> Result<(), BackupError> {
        let Ok(free_bytes) = self.to.free_bytes() else { return Ok(()) };
        let mut needed_bytes = MANIFEST_BYTES.saturating_add(checkpoint_bytes);
        if plan.needs_base() {
            needed_bytes = needed_bytes.saturating_add(self.length(BASE)?);
        }
        for (segment, end, kind) in &plan.segments {
            let index = match kind {
                Kind::Sealed => self.length(&segment.number.index_file_name())?,
                Kind::Active => 0,
            };
            needed_bytes = needed_bytes.saturating_add(*end).saturating_add(index);
        }
        let kept_bytes = self.reader.shared.headroom().kept_bytes(Purpose::Users);
        if free_bytes < needed_bytes.saturating_add(kept_bytes) {
            let folder = self.to.display("");
            return Err(BackupError::NoRoom { folder, needed_bytes, free_bytes, kept_bytes });
        }
        Ok(())
    }

    /// 0 for a file that is missing: an index is made again, in about no time beside its segment.
    fn length(&self, name: &str) -> Result<u64, BackupError> {
        let disk = &*self.reader.shared.environment.disk;
        match disk.open(name).and_then(|file| file.len()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            length => length.map_err(|cause| BackupError::Io { file: disk.display(name), cause }),
        }
    }

    pub(super) fn all(&mut self, plan: &Plan) -> Result<(), BackupError> {
        if plan.needs_base() {
            self.base()?;
        }
        for (segment, end, kind) in &plan.segments {
            self.segment(segment, *end)?;
            if *kind == Kind::Sealed {
                self.index(segment)?;
            }
        }
        Ok(())
    }

    fn base(&mut self) -> Result<(), BackupError> {
        let disk = &*self.reader.shared.environment.disk;
        let read = read_file(disk, BASE, Base::bytes_max);
        let bytes = read.map_err(|cause| BackupError::Io { file: disk.display(BASE), cause })?;
        self.file(BASE, &bytes)
    }

    fn index(&mut self, segment: &SegmentHeader) -> Result<(), BackupError> {
        let readable = {
            let state = self.reader.shared.state.read();
            let at = state.segments.partition_point(|held| held.number < segment.number);
            readable_at(&state, at)
        };
        let Some(readable) = readable else { return Ok(()) };
        let index = self.reader.index(&readable)?.into_file();
        self.file(&segment.number.index_file_name(), index.as_bytes())
    }

    /// The segment's bytes before `end`; zeros follow, which take no space until the backup is opened as a log.
    fn segment(&mut self, segment: &SegmentHeader, end: u64) -> Result<(), BackupError> {
        let name = segment.number.file_name();
        let file = self.to.create_new(&name).map_err(self.failed(&name))?;
        let (mut at, mut digest) = (0, Digest::default());
        while at < end {
            let step = to_usize((end - at).min(STEP_BYTES));
            let bytes = self.reader.read_bytes(segment.number, at, step)?;
            if bytes.len() < step {
                let damage = self.reader.corrupted(segment.number, at + to_u64(bytes.len()), CUT);
                return Err(damage.into());
            }
            digest.add(&bytes);
            write_synced(&*file, &bytes, at).map_err(self.failed(&name))?;
            at += to_u64(step);
        }
        let length = segment.capacity_bytes.max(end);
        file.set_len(length).and_then(|()| file.sync_all()).map_err(self.failed(&name))?;
        digest.fill_to(length);
        self.files.push(digest.of(&name));
        Ok(())
    }

    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let file = self.to.create_new(name).map_err(self.failed(name))?;
        write_in_steps(&*file, bytes).map_err(self.failed(name))?;
        let mut digest = Digest::default();
        digest.add(bytes);
        self.files.push(digest.of(name));
        Ok(())
    }

    pub(super) fn failed(&self, name: &str) -> impl Fn(io::Error) -> BackupError + use<> {
        let file = self.to.display(name);
        move |cause| BackupError::Io { file: file.clone(), cause }
    }
}

impl Plan {
    fn needs_base(&self) -> bool {
        self.segments.first().is_some_and(|(first, ..)| first.number > SegmentNumber::FIRST)
    }

    pub(super) fn first(&self) -> Option<&SegmentHeader> {
        self.segments.first().map(|(first, ..)| first)
    }
}

fn write_synced(file: &dyn DiskFile, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_at(bytes, at)?;
    file.sync_data()
}
