//! The decisions about one replay: who may do what, when.
//!
//! ```text
//!  request ─ Requested ─ Planned ─ Restoring ─ Folding ─ CatchingUp ─ Verifying ─ Ready ─ Promoting ─ Promoted
//!                │          └ a dry run ends here                            promote ┘         │
//!                └──── cancel until Ready, or a failure ─ Cancelled | Failed       roll back ─ RollingBack ─ RolledBack
//!                                    a newer one is Ready ─ Superseded                        retire ─ Retiring ─ Retired
//! ```
//!
//! * The worker's steps and an operator's commands race for the stream's next version, and the second is refused here. So a
//!   cancelled replay cannot be promoted, and a promoted one cannot be cancelled.
//! * A worker that repeats a step after a crash finds nothing to do, and gets no error.
//! * A replay with an event that is impossible in its phase is unreadable from there on: every command is refused. One with an
//!   event that cannot be decoded is not even loaded.

mod answers;
mod possible;
mod taken_in;

use crate::{Failure, Phase, ReplayCommand, ReplayEvent, ReplayMode, ReplayRefused, event};
use annals_aggregate::Aggregate;
use annals_event::Event;
use annals_projection::{Difference, GenerationId, Plan};

/// One replay, as its events tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Which read model is rebuilt.
    pub read_model: String,
    /// From which sequence number on events are folded anew.
    pub from: u64,
    /// How far it goes by itself.
    pub mode: ReplayMode,
    /// Where it is.
    pub phase: Phase,
    /// What the worker planned.
    pub plan: Option<Plan>,
    /// The candidate generation.
    pub candidate: Option<GenerationId>,
    /// What verifying found.
    pub difference: Option<Difference>,
    /// What was live before the candidate.
    pub previous: Option<GenerationId>,
    /// Its candidate, which is not wanted, was discarded.
    pub discarded: bool,
    /// Why the candidate could not be discarded: it is still there.
    pub discard_failure: Option<String>,
    /// Why it failed; of a promoted one, why it was not rolled back, or the previous generation not retired.
    pub failure: Option<Failure>,
    /// How far behind the log the previous generation was when it was rolled back to.
    pub rolled_back_behind: Option<u64>,
    /// The newer replay whose candidate is ready in the place of this one's.
    pub superseded_by: Option<String>,
    /// Why it cannot be read by this release. The rest is what its events told before.
    pub unreadable: Option<String>,
}

impl Aggregate for Replay {
    const CATEGORY: &'static str = "$replay";
    const PASSES_OVER_UNKNOWN_TYPES: bool = false;
    type Event = ReplayEvent;
    type Command = ReplayCommand;
    type Error = ReplayRefused;

    fn decide(&self, command: ReplayCommand) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        use ReplayCommand as Do;
        if let Some(reason) = &self.unreadable {
            return Err(ReplayRefused::Unreadable { reason: reason.clone() });
        }
        match command {
            Do::Request { read_model, from, mode } => self.request(read_model, from, mode),
            _ if self.phase == Phase::Unknown => Err(ReplayRefused::Unknown),
            Do::Promote => self.promote(),
            Do::Cancel => self.cancel(),
            Do::RollBack => self.roll_back(),
            Do::Retire => self.retire(),
            Do::Plan(plan) => self.step(Phase::Requested, || self.planned(plan)),
            Do::Restore { generation } => self.step(Phase::Planned, || self.restoring(generation)),
            Do::Fold { checkpoint } => self.step(Phase::Restoring, || {
                vec![ReplayEvent::FoldingBegun(event::FoldingBegun { checkpoint })]
            }),
            Do::CatchUp { checkpoint } => self.step(Phase::Folding, || {
                vec![ReplayEvent::CatchingUpBegun(event::CatchingUpBegun { checkpoint })]
            }),
            Do::Verify { checkpoint } => self.step(Phase::CatchingUp, || {
                vec![ReplayEvent::VerifyingBegun(event::VerifyingBegun { checkpoint })]
            }),
            Do::RecordVerified(difference) => self.step(Phase::Verifying, || self.verified(difference)),
            Do::RecordPromoted { previous, checkpoint } => {
                self.step_on(Phase::Promoting, self.candidate, |generation| {
                    ReplayEvent::Promoted(event::Promoted { generation, previous, checkpoint })
                })
            }
            Do::RecordRolledBack { behind } => {
                self.step_on(Phase::RollingBack, self.previous, |generation| {
                    ReplayEvent::RolledBack(event::RolledBack { generation, behind })
                })
            }
            Do::RecordRetired => self.step_on(Phase::Retiring, self.previous, |generation| {
                ReplayEvent::Retired(event::Retired { generation })
            }),
            Do::Supersede { by } => self.supersede(by),
            Do::RecordDiscarded => Ok(self.discarded()),
            Do::Fail { phase, reason } => self.fail(phase, reason),
            Do::FailRollback { reason } => self.fail_rollback(reason),
            Do::FailRetirement { reason } => self.fail_retirement(reason),
            Do::FailDiscard { reason } => Ok(self.fail_discard(reason)),
        }
    }

    fn evolve(&mut self, event: &ReplayEvent) {
        if self.unreadable.is_some() {
            return;
        }
        if !self.allows(event) {
            let (event_type, phase) = (event.event_type(), self.phase);
            let reason = format!("{event_type:?} cannot happen to a replay that is {phase}");
            self.make_unreadable(reason);
            return;
        }
        self.take_in(event);
    }
}

impl Replay {
    /// Whether a worker has something to do for it.
    pub fn is_due(&self) -> bool {
        use Phase::{CatchingUp, Folding, Promoting, Requested, Restoring, Retiring, RollingBack, Verifying};
        match self.phase {
            Phase::Planned => self.mode != ReplayMode::Plan,
            Requested | Restoring | Folding | CatchingUp | Verifying => true,
            Promoting | RollingBack | Retiring => true,
            _ => self.leftover().is_some(),
        }
    }

    /// The candidate of a replay that ended before it was live, if it was not discarded yet.
    pub fn leftover(&self) -> Option<GenerationId> {
        if self.discarded || self.discard_failure.is_some() {
            return None;
        }
        match self.phase {
            Phase::Cancelled | Phase::Superseded | Phase::Failed => self.candidate,
            _ => None,
        }
    }

    /// Where it is, is not known from here on.
    pub(crate) fn make_unreadable(&mut self, reason: String) {
        self.phase = Phase::Unreadable;
        self.unreadable = Some(reason);
    }

    /// Whether an operator may still end it, and an error does.
    pub(crate) fn can_end_early(&self) -> bool {
        use Phase::{CatchingUp, Folding, Planned, Ready, Requested, Restoring, Verifying};
        matches!(self.phase, Requested | Planned | Restoring | Folding | CatchingUp | Verifying | Ready)
    }
}
