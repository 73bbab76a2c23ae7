//! What is to become of an append: written, refused, or answered with the result of its original.
//!
//! What always holds:
//!
//! * The decision is made from memory, in a number of steps that depends on the append alone, however many there are in
//!   its group and whatever is on the disk.
//! * No append is written twice: its request id is neither in the window nor in the group, and either the window can say
//!   that it was never used, or a condition would have been broken by the first time ([`Pending::is_protected`]).

use super::Writer;
use crate::error::AppendError;
use crate::options::planted;
use crate::read::answer::Original;
use crate::read::low_water::Purpose;
use crate::read::repeats;
use crate::read::shared::State;
use crate::state::pending::Pending;
use crate::state::window::Doubt;
use crate::stats::add;
use annals_event::{Conflict, Receipt, Version};
use std::time::Duration;

/// What is to become of an append.
pub(super) enum Decision {
    Write,
    Answer(Result<Receipt, AppendError>),
    /// It is not written, and once the group is synced its original is to be looked for.
    LookUp(Original),
}

impl Writer {
    /// `now` is the time that the append would be recorded at, if it is not earlier than that of the one before.
    pub(super) fn decide(&self, pending: &Pending, now: i64) -> Decision {
        let refused = |error| Decision::Answer(Err(error));
        if let Some(reason) = self.shared.poison.reason() {
            return refused(AppendError::Poisoned { reason });
        }
        if let Some(first) = self.group.request(pending.request_id) {
            return Decision::LookUp(Original::At(first));
        }
        let state = self.shared.state.read();
        if let Some(corruption) = &state.corruption {
            return refused(AppendError::ReadOnly { corruption: corruption.clone() });
        }
        if let Some(first) = state.window.get(pending.request_id) {
            return Decision::LookUp(Original::At(first));
        }
        if !pending.is_protected()
            && let Err(doubt) = state.window.judge(pending.request_id, now.max(self.group.end.recorded_at))
        {
            return refused(doubted(pending, doubt));
        }
        if let Some(conflict) = self.conflict(&state, pending) {
            return self.refuse(pending, conflict);
        }
        match self.headroom.allows(Purpose::of(pending), 0) {
            Ok(()) => Decision::Write,
            Err(reason) => refused(AppendError::NoSpace { reason: reason.into() }),
        }
    }

    /// The first condition of the append that does not hold.
    fn conflict(&self, state: &State, pending: &Pending) -> Option<Conflict> {
        for condition in pending.conditions() {
            let actual = self.version(condition.hash);
            if !condition.expected.allows(actual) {
                let (stream, expected) = (condition.stream.clone(), condition.expected);
                return Some(Conflict::Stream { stream, expected, actual });
            }
        }
        for update in &pending.marks {
            let actual =
                self.group.marks.get(&update.mark).or_else(|| state.marks.get(&update.mark)).copied();
            if actual != update.expected {
                let (mark, expected) = (update.mark.clone(), update.expected);
                return Some(Conflict::Mark { mark, expected, actual });
            }
        }
        None
    }

    /// A conflict is no refusal when the append was made before.
    fn refuse(&self, pending: &Pending, conflict: Conflict) -> Decision {
        match repeats::pinned(pending) {
            Some(pinned) if self.version(pinned.condition.hash) >= pinned.version => {
                Decision::LookUp(Original::Unless(conflict))
            }
            // No event is where its own would be.
            _ => {
                add(&self.shared.counters.conflicts, 1);
                Decision::Answer(Err(conflict.into()))
            }
        }
    }

    /// Where the stream is, the group included.
    fn version(&self, stream: crate::state::heads::StreamHash) -> Version {
        let in_group = self.group.version(stream);
        let in_group = in_group.filter(|_| !planted!(self.shared.options, ConditionsIgnoreGroup));
        in_group.unwrap_or_else(|| self.shared.heads.version(stream))
    }
}

fn doubted(pending: &Pending, doubt: Doubt) -> AppendError {
    let request_id = pending.request_id;
    match doubt {
        Doubt::Ahead { micros } => {
            let ahead = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
            AppendError::RequestAhead { request_id, ahead }
        }
        Doubt::Old { judged_after } => AppendError::RequestUnjudged { request_id, judged_after },
    }
}
