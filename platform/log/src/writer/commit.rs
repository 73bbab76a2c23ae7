//! Group commit: appends are decided, written and synced together, and only then shown and answered.

use super::group::frame_bytes_of;
use super::{RESERVED_BYTES, Writer};
use crate::care::{Astray, LOOK_APART_MICROS, check_folder};
use crate::error::AppendError;
use crate::format::GROUP_BYTES_MAX;
use crate::num::{self, to_u64, to_usize};
use crate::options::planted;
use crate::read::{Answer, LookUp, Purpose, TailGroup};
use crate::state::{Decision, Known, Pending};
use crate::stats::add;
use annals_event::{Append, InvalidAppend, Receipt};
use std::{io, sync::Arc};

impl Writer {
    /// Writes a group of appends: each is checked against all before it, all are synced together, and only then
    /// is anything answered or visible. The results stand in the order of the appends.
    pub fn commit(&mut self, group: Vec<Append>) -> Vec<Result<Receipt, AppendError>> {
        let encode = |append| Pending::encode(append, &self.shared.hasher);
        let pending = group.into_iter().map(encode).collect();
        self.commit_pending(pending).into_iter().map(Answer::get).collect()
    }

    pub(crate) fn commit_pending(&mut self, group: Vec<Result<Pending, InvalidAppend>>) -> Vec<Answer> {
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
}
