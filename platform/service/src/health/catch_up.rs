//! The first time that a read model has all that was in the log when somebody first looked.

use super::ConsumerKind;
use annals_event::Sequence;
use annals_store::{Activity, ConsumerState};

/// How far the first catch-up of a consumer has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum CatchUp {
    /// The log's head is not known yet.
    Begun,
    /// It is done at this position.
    Until(Sequence),
    /// Whatever comes now is lag.
    Done,
}

impl CatchUp {
    /// Nobody asks a reactor, so nobody need wait for one.
    pub(super) const fn of(kind: ConsumerKind) -> Self {
        match kind {
            ConsumerKind::ReadModel => Self::Begun,
            ConsumerKind::Reactor | ConsumerKind::Other => Self::Done,
        }
    }

    /// Whether it is done. A consumer that goes no further by itself serves what it has, in this process as in all others. One that
    /// has stopped has still to catch up if it is started again.
    pub(super) fn is_done(&mut self, state: &ConsumerState) -> bool {
        if matches!(state.activity, Activity::Stopped { .. }) {
            return true;
        }
        let goes_on =
            matches!(state.activity, Activity::Starting | Activity::Running | Activity::Retrying { .. });
        *self = match *self {
            _ if !goes_on => Self::Done,
            Self::Begun if state.stale_since.is_none() => Self::Until(state.head),
            so_far => so_far,
        };
        if let Self::Until(head) = *self
            && state.position >= head
        {
            *self = Self::Done;
        }
        matches!(self, Self::Done)
    }
}
