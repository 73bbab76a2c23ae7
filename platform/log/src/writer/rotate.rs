//! Going on in a new segment. The order of the steps is what recovery relies on: the new segment's header is durable
//! before its name, the name before the old segment's footer, and the footer before the first frame.

use super::{RESERVED_BYTES, Writer};
use crate::disk::DiskFile;
use crate::error::AppendError;
use crate::files::PREPARED;
use crate::format::{ActiveIndex, FRAME_HEADER_BYTES, FRAMES_AT, Kind, SegmentHeader, mark_frame};
use crate::num::to_u64;
use crate::open::{Preparation, PreparedFile, next_capacity};
use crate::options::planted;
use crate::read::{Purpose, UNWRITTEN_BYTES_MAX};
use crate::stats::add;
use std::{io, sync::Arc};

/// How long a segment is made when the disk is nearly full.
const SEGMENT_BYTES_LOW: u64 = 64 << 10;

impl Writer {
    /// Goes on in a new segment. The group is empty and everything before is durable.
    pub(super) fn rotate(&mut self, frame_bytes: u64, purpose: Purpose) -> Result<(), AppendError> {
        if let Some(reason) = self.shared.poison.reason() {
            return Err(AppendError::Poisoned { reason });
        }
        let maintenance = self.maintenance.clone();
        // Held until the file has its name: nobody else may touch it before.
        let mut preparation = maintenance.preparation.lock();
        let no_space =
            |error: &dyn std::fmt::Display| AppendError::NoSpace { reason: error.to_string().into() };
        let bytes_min = FRAMES_AT + frame_bytes + RESERVED_BYTES;
        self.make_room(&mut preparation, bytes_min, purpose).map_err(|reason| no_space(&reason))?;
        let prepared = preparation.take(bytes_min).map_err(|error| no_space(&error))?;
        let header = self.next_segment(prepared.bytes);
        if let Err(error) = self.name_segment(&prepared, &header) {
            preparation.discard();
            return Err(no_space(&error));
        }
        if let Err(error) = self.seal() {
            return Err(AppendError::Poisoned { reason: self.shared.stop_after(&error) });
        }
        preparation.begin(next_capacity(&self.shared.options, &header));
        self.begin_segment(header, prepared.file);
        Ok(())
    }

    /// Sees to it that the next segment leaves free what is to be left. The platform goes on in a small one.
    fn make_room(
        &mut self,
        preparation: &mut Preparation,
        bytes_min: u64,
        purpose: Purpose,
    ) -> Result<(), String> {
        self.headroom = self.shared.headroom();
        let missing = preparation.missing_bytes(bytes_min);
        match (self.headroom.allows(Purpose::Users, missing), purpose) {
            (Ok(()), _) => return Ok(()),
            (Err(reason), Purpose::Users) => return Err(reason),
            (Err(_), Purpose::Platform) if missing == 0 => return Ok(()),
            (Err(_), Purpose::Platform) => {}
        }
        preparation.restart(SEGMENT_BYTES_LOW.min(self.shared.options.segment_bytes));
        self.headroom = self.shared.headroom();
        self.headroom.allows(purpose, preparation.missing_bytes(bytes_min))
    }

    fn next_segment(&self, capacity_bytes: u64) -> SegmentHeader {
        let end = self.shared.state.read().end;
        SegmentHeader {
            number: self.segment.number.next(),
            log_id: self.shared.log_id,
            secret: self.segment.secret,
            base: end.position.plus(to_u64(FRAME_HEADER_BYTES)),
            capacity_bytes,
            first: end.next,
            chain: end.chain,
            recorded_before: end.recorded_at,
        }
    }

    /// Until this is done nothing has changed for the log.
    fn name_segment(&self, prepared: &PreparedFile, header: &SegmentHeader) -> io::Result<()> {
        if planted!(self.shared.options, HeaderNotSynced) {
            prepared.file.write_at(&header.encode(), 0)?;
        } else {
            header.write_to(&*prepared.file)?;
        }
        add(&self.shared.counters.syncs, 1);
        self.shared.environment.disk.rename(PREPARED, &header.number.file_name())
    }

    /// Makes the next segment's name durable, then ends the active one.
    fn seal(&self) -> io::Result<()> {
        if planted!(self.shared.options, FooterBeforeName) {
            self.write_footer()?;
        }
        if !planted!(self.shared.options, DirectoryNotSynced) {
            self.shared.environment.disk.sync_dir()?;
        }
        self.write_footer()?;
        add(&self.shared.counters.syncs, 2);
        Ok(())
    }

    fn write_footer(&self) -> io::Result<()> {
        let end = self.shared.state.read().end;
        let footer = mark_frame(Kind::Footer, self.shared.tag, &end).encode();
        self.file.write_at(&footer, end.position.since(self.segment.base))?;
        self.file.sync_data()
    }

    fn begin_segment(&mut self, header: SegmentHeader, file: Arc<dyn DiskFile>) {
        self.shared.files.put_active(header.number, file.clone());
        let active = ActiveIndex::with_room_like(self.shared.state.read().active.streams());
        let given_up = {
            let mut state = self.shared.state.write();
            let index = state.begin_segment(header, active);
            state.unindexed.extend(index);
            self.group.begin(header.base, state.end);
            state.give_up_unwritten(UNWRITTEN_BYTES_MAX)
        };
        for index in given_up {
            let segment = index.of.segment.0;
            tracing::warn!(
                segment,
                "the segment's index is dropped from memory, too many wait for the disk; it is made again when it is needed"
            );
        }
        (self.segment, self.file) = (header, file);
    }
}
