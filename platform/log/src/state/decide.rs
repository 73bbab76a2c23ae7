//! What is to become of an append: written, refused, or answered with the result of its original.
//!
//! What always holds:
//!
//! * The decision is made from memory, in a number of steps that depends on the append alone, however many there are in
//!   its group and whatever is on the disk.
//! * No append is written twice: its request id is neither in the window nor in the group, and either the window can say
//!   that it was never used, or a condition would have been broken by the first time ([`Pending::is_protected`]).

use crate::error::AppendError;
use crate::options::{Options, planted};
use crate::state::changes::Changes;
use crate::state::decided::Decided;
use crate::state::heads::StreamHash;
use crate::state::pending::Pending;
use crate::state::window::Doubt;
use annals_event::{Conflict, Opening, Sequence, Version};
use std::time::Duration;

/// What is to become of an append.
pub(crate) enum Decision {
    Write,
    Refuse(AppendError),
    /// It is not written, and once the group is synced its original is to be looked for.
    LookUp(Original),
}

/// What is known of an append's original.
pub(crate) enum Original {
    /// It is here, or another append with the same request id is.
    At(Sequence),
    /// If there is one, its events are there. If there is none, the append is refused.
    Unless(Conflict),
}

/// What an append is decided on.
pub(crate) struct Known<'a> {
    pub(crate) decided: &'a Decided,
    /// By the appends before it in its group.
    pub(crate) changes: &'a Changes,
    pub(crate) opening: Opening,
    /// When the append would be recorded.
    pub(crate) now: i64,
    pub(crate) options: &'a Options,
}

impl Known<'_> {
    pub(crate) fn decide(&self, pending: &Pending) -> Decision {
        let id = pending.request_id;
        if let Some(first) = self.changes.request(id).or_else(|| self.decided.window.get(id)) {
            return Decision::LookUp(Original::At(first));
        }
        if !pending.is_protected()
            && let Err(doubt) = self.decided.window.judge(id, self.now)
        {
            return Decision::Refuse(doubted(pending, doubt));
        }
        match self.conflict(pending) {
            Some(conflict) => self.refuse(pending, conflict),
            None => Decision::Write,
        }
    }

    /// The first condition of the append that does not hold.
    fn conflict(&self, pending: &Pending) -> Option<Conflict> {
        let actual = self.opening;
        if let Some(expected) = pending.opening.filter(|expected| *expected != actual) {
            return Some(Conflict::Opening { expected, actual });
        }
        for condition in pending.conditions() {
            let actual = self.version(condition.hash);
            if !condition.expected.allows(actual) {
                let (stream, expected) = (condition.stream.clone(), condition.expected);
                return Some(Conflict::Stream { stream, expected, actual });
            }
        }
        for update in &pending.marks {
            let actual =
                self.changes.mark(&update.mark).or_else(|| self.decided.marks.get(&update.mark).copied());
            if actual != update.expected {
                let (mark, expected) = (update.mark.clone(), update.expected);
                return Some(Conflict::Mark { mark, expected, actual });
            }
        }
        None
    }

    /// A conflict is no refusal when the append was made before.
    fn refuse(&self, pending: &Pending, conflict: Conflict) -> Decision {
        match pending.pinned() {
            Some(pinned) if self.version(pinned.condition.hash) >= pinned.version => {
                Decision::LookUp(Original::Unless(conflict))
            }
            // No event is where its own would be.
            _ => Decision::Refuse(conflict.into()),
        }
    }

    /// Where the stream is, the group included.
    fn version(&self, stream: StreamHash) -> Version {
        let in_group = self.changes.version(stream);
        let in_group = in_group.filter(|_| !planted!(self.options, ConditionsIgnoreGroup));
        in_group.unwrap_or_else(|| self.decided.heads.version(stream))
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
