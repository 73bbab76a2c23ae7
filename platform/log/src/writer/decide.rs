//! What is to become of an append: written, refused, or answered with the result of its original.

use super::Writer;
use crate::error::AppendError;
use crate::low_water::Purpose;
use crate::options::planted;
use crate::pending::Pending;
use crate::repeats;
use crate::state::State;
use crate::stats::add;
use annals_event::{Conflict, Receipt};
use std::sync::Arc;

/// What is to become of an append.
pub(super) enum Decision {
    Write,
    Answer(Result<Receipt, AppendError>),
    /// To be decided again when the group is synced: it may be a repeat of an append in the group.
    AfterSync,
}

impl Writer {
    pub(super) fn decide(&self, pending: &Pending) -> Decision {
        if let Some(reason) = self.shared.poison.reason() {
            return Decision::Answer(Err(AppendError::Poisoned { reason }));
        }
        if self.group.has_request(pending.request_id) {
            return Decision::AfterSync;
        }
        let state = self.shared.state.read();
        if let Some(corruption) = &state.corruption {
            return Decision::Answer(Err(AppendError::ReadOnly { corruption: corruption.clone() }));
        }
        let original = state.window.get(pending.request_id);
        let conflict = original.is_none().then(|| self.conflict(&state, pending)).flatten();
        drop(state);
        match (original, conflict) {
            (Some(frame), _) => {
                Decision::Answer(self.repeated(repeats::by_request(&self.reader(), pending, frame)))
            }
            (None, Some(conflict)) => self.refuse(pending, conflict),
            (None, None) => match self.headroom.allows(Purpose::of(pending), 0) {
                Ok(()) => Decision::Write,
                Err(reason) => Decision::Answer(Err(AppendError::NoSpace { reason: reason.into() })),
            },
        }
    }

    /// The first condition of the append that does not hold.
    fn conflict(&self, state: &State, pending: &Pending) -> Option<Conflict> {
        for condition in pending.conditions() {
            let actual = self.group.version(condition.hash);
            let actual = actual.filter(|_| !planted!(self.shared.options, ConditionsIgnoreGroup));
            let actual = actual.unwrap_or_else(|| self.shared.heads.version(condition.hash));
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
        if repeats::telling_event(pending).is_some_and(|event| self.group.has_event(event)) {
            return Decision::AfterSync;
        }
        match repeats::by_events(&self.reader(), pending) {
            Ok(Some(receipt)) => Decision::Answer(self.repeated(Ok(receipt))),
            Ok(None) => {
                add(&self.shared.counters.conflicts, 1);
                Decision::Answer(Err(conflict.into()))
            }
            Err(error) => Decision::Answer(Err(AppendError::Original(Arc::new(error)))),
        }
    }

    fn repeated(&self, answer: Result<Receipt, AppendError>) -> Result<Receipt, AppendError> {
        add(&self.shared.counters.repeats, u64::from(answer.is_ok()));
        answer
    }
}
