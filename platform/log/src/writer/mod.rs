//! The engine, without threads: what it does depends on its calls and its environment alone.
//!
//! What always holds:
//!
//! * At most one group is in flight: the next one is written only after the last one's sync.
//! * No answer leaves before the sync of the group that it may rest on.
//! * After a failed write or sync, or once the folder is no longer the log's, nothing is written any more.

mod group;
mod rotate;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;

use crate::care::{
    Astray, LOOK_APART_MICROS, Maintenance, RetainError, Retained, Retention, Watch, When, check_folder,
    retain,
};
use crate::disk::{DiskFile, Environment};
use crate::error::{AppendError, Corruption, MaintenanceError, OpenError};
use crate::files::{maintenance_error, open_error};
use crate::format::{
    FRAME_HEADER_BYTES, GROUP_BYTES_MAX, Kind, Position, SegmentHeader, SegmentNumber, mark_frame,
};
use crate::num;
use crate::num::{to_u64, to_usize};
use crate::open::{
    Locked, Preparation, Prepared, Recovered, backup_manifest, become_log, create, lock_folder,
    next_capacity, recover, within_limits,
};
use crate::options::{Options, planted};
use crate::read::{
    Answer, Headroom, IndexCache, LogTime, LookUp, Purpose, Reader, RetentionState, SegmentFiles, Shared,
    TailGroup,
};
use crate::state::{Decision, Known, Pending};
use crate::stats::{Stats, add};
use annals_event::{Append, Receipt};
use group::{Answered, Group, frame_bytes_of};
use parking_lot::{Mutex, RwLock};
use std::{io, sync::Arc};

/// Kept free at a segment's end for a close mark and the footer.
const RESERVED_BYTES: u64 = 2 * to_u64(FRAME_HEADER_BYTES);

/// The only one that writes. Driven by one thread; [`Log`](crate::Log) is a shell around it.
pub struct Writer {
    shared: Arc<Shared>,
    maintenance: Arc<Maintenance>,
    /// The active segment.
    segment: SegmentHeader,
    file: Arc<dyn DiskFile>,
    group: Group,
    answers: Vec<Answered>,
    /// The space on the disk, as the last group found it.
    headroom: Headroom,
    /// The last frame is a close mark.
    closed: bool,
    /// Held as long as anything may be written.
    locked: Locked,
    /// When the folder was last looked at, by what passes.
    looked_at: Option<u64>,
}

impl Writer {
    /// Opens the log in `environment`, making it when it is missing, and recovers what a crash left.
    pub fn open(environment: Environment, options: Options) -> Result<Self, OpenError> {
        let (disk, options) = (&*environment.disk, within_limits(options));
        let names = disk.list().map_err(|error| open_error(disk, "", error))?;
        if !names.iter().any(|name| SegmentNumber::of_file_name(name).is_some()) {
            crate::open::check_new(&environment, &names)?;
        }
        let locked = lock_folder(&environment)?;
        let names = disk.list().map_err(|error| open_error(disk, "", error))?;
        let backup = backup_manifest(disk, &names)?;
        let durable_to = backup.as_ref().map_or(Position::default(), |backup| backup.end);
        let recovered = match recover(&environment, &options, durable_to)? {
            Some(recovered) => recovered,
            None => create(&environment, &options)?,
        };
        if let Some(backup) = backup {
            become_log(disk, &backup, &recovered.state)?;
        }
        Ok(Self::start(environment, options, recovered, locked))
    }

    fn start(environment: Environment, options: Options, recovered: Recovered, locked: Locked) -> Self {
        let Recovered { state, file, closed, checkpointed, segment } = recovered;
        let (log_id, secret) = (segment.log_id, segment.secret);
        let tag = secret.frame_tag();
        let disk = environment.disk.clone();
        let preparation = Preparation::new(disk.clone(), next_capacity(&options, &segment));
        let files = SegmentFiles::new(disk);
        files.put_active(segment.number, file.clone());
        let group = Group::new(tag, secret.request_hasher(), segment.base, state.end);
        let indexes = IndexCache::new(options.index_cache_bytes_max);
        let time = LogTime::new(environment.clock.clone(), state.end.recorded_at, options.trust_clock);
        let shared = Arc::new(Shared {
            environment,
            options,
            log_id,
            opening: locked.opening,
            tag,
            hasher: secret.stream_hasher(),
            heads: state.decided.heads.clone(),
            state: RwLock::new(state),
            files,
            indexes,
            poison: crate::read::Poison::default(),
            shortage: crate::read::Shortage::default(),
            counters: crate::stats::Counters::default(),
            scrub: crate::read::ScrubState::default(),
            waiters: Mutex::default(),
            retention: RetentionState::default(),
            backing_up: Mutex::default(),
            time,
            drafting: Mutex::default(),
            blocks: crate::read::RecentBlocks::default(),
        });
        let headroom = shared.headroom();
        let maintenance = Arc::new(Maintenance::new(shared.clone(), preparation, checkpointed));
        let (answers, looked_at) = (Vec::new(), None);
        Self { shared, maintenance, segment, file, group, answers, headroom, closed, locked, looked_at }
    }

    /// Writes a group of appends: each is checked against all before it, all are synced together, and only then
    /// is anything answered or visible. The results stand in the order of the appends.
    pub fn commit(&mut self, group: Vec<Append>) -> Vec<Result<Receipt, AppendError>> {
        let encode = |append| Pending::encode(append, &self.shared.hasher);
        let pending = group.into_iter().map(encode).collect();
        self.commit_pending(pending).into_iter().map(Answer::get).collect()
    }

    pub(crate) fn commit_pending(
        &mut self,
        group: Vec<Result<Pending, annals_event::InvalidAppend>>,
    ) -> Vec<Answer> {
        self.headroom = self.shared.headroom();
        let bytes: u64 = group.iter().flatten().map(frame_bytes_of).sum();
        self.group.reserve(to_usize(bytes));
        let now = self.stamp();
        for (at, pending) in group.into_iter().enumerate() {
            match pending {
                Ok(pending) => self.take(at, pending, now),
                Err(invalid) => self.answers.push((at, Answer::Ready(Err(invalid.into())))),
            }
        }
        self.flush();
        self.answers.sort_unstable_by_key(|(at, _)| *at);
        self.answers.drain(..).map(|(_, answer)| answer).collect()
    }

    /// A reader of what is durable.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    /// What the log did since it was opened.
    pub fn stats(&self) -> Stats {
        stats(&self.shared)
    }

    /// Does one step (at most 1 MiB, synced) of preparing the next segment's file.
    pub fn prepare_step(&self) -> Result<Prepared, MaintenanceError> {
        self.maintenance.prepare_step()
    }

    /// Writes the index files of sealed segments that have none yet.
    pub fn write_indexes(&self) -> Result<(), MaintenanceError> {
        self.maintenance.write_indexes()
    }

    /// Writes a checkpoint.
    pub fn checkpoint(&self) -> Result<(), MaintenanceError> {
        self.maintenance.checkpoint()
    }

    /// Drops the oldest segments that `retention` does not keep and nobody holds.
    pub fn retain(&self, retention: Retention) -> Result<Retained, RetainError> {
        retain(&self.reader(), retention, When::Now)
    }

    /// The same, once it is worth it: see [`Log::retain_when_due`](crate::Log::retain_when_due).
    pub fn retain_when_due(&self, retention: Retention) -> Result<Retained, RetainError> {
        retain(&self.reader(), retention, When::Due)
    }

    /// The damage that keeps the log from being written, if there is any.
    pub fn corruption(&self) -> Option<Corruption> {
        self.shared.state.read().corruption.clone()
    }

    /// Writes a close mark, index files and a checkpoint. A log that stopped is left as it is.
    pub fn close(mut self) -> Result<(), MaintenanceError> {
        self.finish()
    }

    pub(crate) fn finish(&mut self) -> Result<(), MaintenanceError> {
        if let Err(astray) = check_folder(&self.shared, &*self.locked.lock) {
            self.shared.stop_writing(&astray);
        }
        let frozen = self.shared.poison.reason().is_some() || self.corruption().is_some();
        if frozen || self.closed && self.maintenance.is_checkpoint_current() {
            return Ok(());
        }
        self.maintenance.write_indexes()?;
        self.write_close_mark().map_err(|error| {
            self.shared.stop_after(&error);
            maintenance_error(&*self.shared.environment.disk, &self.segment.number.file_name(), error)
        })?;
        self.maintenance.preparation.lock().discard();
        self.maintenance.checkpoint()
    }

    pub(crate) fn maintenance(&self) -> Arc<Maintenance> {
        self.maintenance.clone()
    }

    /// What looks after the log's folder beside the appends.
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.shared.clone(), &self.locked)
    }

    /// What the appends of a commit are recorded at: they came at once.
    fn stamp(&self) -> i64 {
        if planted!(self.shared.options, TimeGoesBack) {
            return self.shared.environment.clock.now_micros();
        }
        self.shared.time.stamp()
    }

    fn take(&mut self, at: usize, pending: Pending, now: i64) {
        let purpose = Purpose::of(&pending);
        let answer = match self.decide(&pending, now) {
            Decision::Write => Answer::Ready(self.write(&pending, now)),
            Decision::Refuse(error) => Answer::Ready(Err(error)),
            Decision::LookUp(original) => Answer::LookUp(LookUp::new(self.reader(), pending, original)),
        };
        if let (Answer::Ready(answer), Purpose::Users) = (&answer, purpose) {
            self.shared.shortage.note(answer);
        }
        self.group.answers.push((at, answer));
    }

    /// `now` is the time that the append would be recorded at, if it is not earlier than that of the one before.
    fn decide(&self, pending: &Pending, now: i64) -> Decision {
        if let Some(reason) = self.shared.poison.reason() {
            return Decision::Refuse(AppendError::Poisoned { reason });
        }
        let state = self.shared.state.read();
        if let Some(corruption) = &state.corruption {
            return Decision::Refuse(AppendError::ReadOnly { corruption: corruption.clone() });
        }
        let known = Known {
            decided: &state.decided,
            changes: &self.group.changes,
            opening: self.shared.opening,
            now: now.max(self.group.end.recorded_at),
            options: &self.shared.options,
        };
        let decision = known.decide(pending);
        match (&decision, self.headroom.allows(Purpose::of(pending), 0)) {
            (Decision::Write, Err(reason)) => {
                Decision::Refuse(AppendError::NoSpace { reason: reason.into() })
            }
            (Decision::Refuse(AppendError::Conflict(_)), _) => {
                add(&self.shared.counters.conflicts, 1);
                decision
            }
            _ => decision,
        }
    }

    /// Adds the append to the group, making room for it first.
    fn write(&mut self, pending: &Pending, now: i64) -> Result<Receipt, AppendError> {
        let bytes = frame_bytes_of(pending);
        let fits = |writer: &Self| {
            let room = writer.segment.capacity_bytes.saturating_sub(RESERVED_BYTES);
            writer.group.end_offset() + bytes <= room
        };
        let full = self.group.bytes.len() + to_usize(bytes) > GROUP_BYTES_MAX;
        if full || !fits(self) {
            self.flush();
        }
        if !fits(self) {
            self.rotate(bytes, Purpose::of(pending))?;
        }
        if let Some(reason) = self.shared.poison.reason() {
            return Err(AppendError::Poisoned { reason });
        }
        if planted!(self.shared.options, TimeGoesBack) {
            self.group.end.recorded_at = now;
        }
        Ok(self.group.push(pending, now, |stream| self.shared.heads.version(stream)))
    }

    /// Writes and syncs the group, makes it visible, and releases its answers.
    fn flush(&mut self) {
        if !self.group.is_empty() {
            match self.write_group().map(|()| self.look()) {
                Ok(Ok(())) => self.publish(),
                Ok(Err(astray)) => self.fail(self.shared.stop_writing(&astray)),
                Err(error) if planted!(self.shared.options, GoesOnAfterFailedSync) => {
                    self.fail(error.to_string().into());
                }
                Err(error) => self.fail(self.shared.stop_after(&error)),
            }
        }
        self.answers.append(&mut self.group.answers);
        let (base, end) = (self.segment.base, self.shared.state.read().end);
        self.group.begin(base, end);
    }

    /// Looks whether the group is where the next opener will look for it, unless that was done a moment ago.
    fn look(&mut self) -> Result<(), Astray> {
        let elapsed = self.shared.environment.clock.elapsed_micros();
        if self.looked_at.is_none_or(|at| elapsed.saturating_sub(at) >= LOOK_APART_MICROS) {
            check_folder(&self.shared, &*self.locked.lock)?;
            self.looked_at = Some(elapsed);
        }
        Ok(())
    }

    fn write_group(&self) -> io::Result<()> {
        self.file.write_at(&self.group.bytes, self.group.offset())?;
        if planted!(self.shared.options, AcknowledgeBeforeSync) {
            return Ok(());
        }
        let synced = self.file.sync_data();
        if planted!(self.shared.options, SyncRetried) {
            return synced.or_else(|_| self.file.sync_data());
        }
        synced
    }

    /// Makes everyone who waits for the group's sync know that the log stopped writing.
    fn fail(&mut self, reason: Arc<str>) {
        if planted!(self.shared.options, FailedGroupVisible) {
            self.publish();
        }
        let keeps_refusals = planted!(self.shared.options, RefuseBeforeSync);
        for (_, answer) in &mut self.group.answers {
            // These rest on no sync, and tell more: nothing was written.
            let stands = matches!(
                answer,
                Answer::Ready(Err(AppendError::Invalid(_)
                    | AppendError::NoSpace { .. }
                    | AppendError::RequestAhead { .. }
                    | AppendError::RequestUnjudged { .. }))
            );
            if !(stands || keeps_refusals && !matches!(answer, Answer::Ready(Ok(_)))) {
                *answer = Answer::Ready(Err(AppendError::Poisoned { reason: reason.clone() }));
            }
        }
    }

    fn publish(&mut self) {
        self.closed = false;
        let group = &mut self.group;
        let bytes = std::mem::take(&mut group.bytes);
        let counters = &self.shared.counters;
        add(&counters.groups, 1);
        add(&counters.syncs, 1);
        add(&counters.appends, to_u64(group.frames.len()));
        add(&counters.events, to_u64(group.records.len()));
        add(&counters.bytes, to_u64(bytes.len()));
        let first = group.frames.first().map_or(group.end.next, |frame| frame.first);
        let recent = TailGroup::new(first, bytes.into(), std::mem::take(&mut group.offsets));
        let (head, _given_up) = {
            let mut state = self.shared.state.write();
            let mut records = group.records.as_slice();
            for frame in &group.frames {
                let of_frame = num::from_u32(frame.events).min(records.len());
                let (here, rest) = records.split_at(of_frame);
                state.apply(frame, here);
                records = rest;
            }
            state.decided.marks.extend(group.changes.take_marks());
            let given_up = if group.records.is_empty() { Vec::new() } else { state.tail.push(recent) };
            (state.head(), given_up)
        };
        let due = self.shared.waiters.lock().take_due(head);
        due.into_iter().for_each(|wake| wake(head));
    }

    /// Says that the log was closed in order, and that everything before is durable.
    fn write_close_mark(&mut self) -> io::Result<()> {
        let end = self.shared.state.read().end;
        let offset = end.position.since(self.segment.base);
        if self.closed || offset + RESERVED_BYTES > self.segment.capacity_bytes {
            return Ok(());
        }
        let mark = mark_frame(Kind::Close, self.shared.tag, &end);
        let encoded = mark.encode();
        self.file.write_at(&encoded, offset)?;
        self.file.sync_data()?;
        self.shared.state.write().apply(&mark, &[]);
        self.closed = true;
        Ok(())
    }
}

pub(crate) fn stats(shared: &Shared) -> Stats {
    let segments = to_u64(shared.state.read().segments.len());
    shared.counters.stats(segments)
}
