//! Going on in a new segment. The order of the steps is what recovery relies on: the new segment's header is durable
//! before its name, the name before the old segment's footer, and the footer before the first frame.

use super::{RESERVED_BYTES, Writer};
use crate::create::next_capacity;
use crate::disk::DiskFile;
use crate::error::AppendError;
use crate::files::PREPARED;
use crate::frame::{HEADER_BYTES, Kind};
use crate::group::mark_frame;
use crate::num::to_u64;
use crate::options::planted;
use crate::prepare::{PreparedFile, write_header};
use crate::segment::{FRAMES_AT, SegmentHeader};
use crate::stats::add;
use std::{io, sync::Arc};

impl Writer {
    /// Goes on in a new segment. The group is empty and everything before is durable.
    pub(super) fn rotate(&mut self, frame_bytes: u64) -> Result<(), AppendError> {
        if let Some(reason) = self.shared.poison.reason() {
            return Err(AppendError::Poisoned { reason });
        }
        let maintenance = self.maintenance.clone();
        // Held until the file has its name: nobody else may touch it before.
        let mut preparation = maintenance.preparation.lock();
        let no_space =
            |error: &dyn std::fmt::Display| AppendError::NoSpace { reason: error.to_string().into() };
        let prepared =
            preparation.take(FRAMES_AT + frame_bytes + RESERVED_BYTES).map_err(|error| no_space(&error))?;
        let header = self.next_segment(prepared.bytes);
        if let Err(error) = self.name_segment(&prepared, &header) {
            preparation.discard();
            return Err(no_space(&error));
        }
        if let Err(error) = self.seal() {
            let reason = self.shared.poison.set(&error);
            return Err(AppendError::Poisoned { reason });
        }
        preparation.begin(next_capacity(&self.shared.options, &header));
        self.begin_segment(header, prepared.file);
        Ok(())
    }

    fn next_segment(&self, capacity_bytes: u64) -> SegmentHeader {
        let end = self.shared.state.read().end;
        SegmentHeader {
            number: self.segment.number.next(),
            log_id: self.shared.log_id,
            base: end.position.plus(to_u64(HEADER_BYTES)),
            capacity_bytes,
            first: end.next,
            chain: end.chain,
            recorded_before: end.recorded_at,
        }
    }

    /// Until this is done nothing has changed for the log.
    fn name_segment(&self, prepared: &PreparedFile, header: &SegmentHeader) -> io::Result<()> {
        write_header(&*prepared.file, header)?;
        add(&self.shared.counters.syncs, 1);
        self.shared.environment.disk.rename(PREPARED, &header.number.file_name())
    }

    /// Makes the next segment's name durable, then ends the active one.
    fn seal(&self) -> io::Result<()> {
        if !planted!(self.shared.options, DirectoryNotSynced) {
            self.shared.environment.disk.sync_dir()?;
        }
        let end = self.shared.state.read().end;
        let footer = mark_frame(Kind::Footer, self.shared.tag, &end).encode();
        self.file.write_at(&footer, end.position.since(self.segment.base))?;
        self.file.sync_data()?;
        add(&self.shared.counters.syncs, 2);
        Ok(())
    }

    fn begin_segment(&mut self, header: SegmentHeader, file: Arc<dyn DiskFile>) {
        self.shared.files.put(header.number, file.clone());
        let mut state = self.shared.state.write();
        let index = state.begin_segment(header);
        state.unindexed.extend(index.map(Arc::new));
        self.group.begin(header.base, state.end);
        drop(state);
        (self.segment, self.file) = (header, file);
    }
}
