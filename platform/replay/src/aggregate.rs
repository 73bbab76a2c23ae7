//! The decisions about one replay: who may do what, when.
//!
//! ```text
//!  request ─ Requested ─ Planned ─ Restoring ─ Folding ─ CatchingUp ─ Verifying ─ Ready ─ Promoting ─ Promoted
//!                │          └ a dry run ends here                            promote ┘         │
//!                └──── cancel until Ready, or a failure ─ Cancelled | Failed       roll back ─ RollingBack ─ RolledBack
//!                                    a newer one is Ready ─ Superseded
//! ```
//!
//! * The worker's steps and an operator's commands race for the stream's next version, and the second is refused here. So a
//!   cancelled replay cannot be promoted, and a promoted one cannot be cancelled.
//! * A worker that repeats a step after a crash finds nothing to do, and gets no error.
//! * A replay with an event that is impossible in its phase is unreadable from there on: every command is refused. One with an
//!   event that cannot be decoded is not even loaded.

mod possible;

use crate::{Failure, Phase, ReplayCommand, ReplayEvent, ReplayId, ReplayMode, ReplayRefused, event};
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
    /// What it leaves was discarded.
    pub discarded: bool,
    /// Why what it leaves could not be discarded: it is still there.
    pub discard_failure: Option<String>,
    /// Why it failed; of a promoted one, why it was not rolled back.
    pub failure: Option<Failure>,
    /// How far behind the log the previous generation was when it was rolled back to.
    pub rolled_back_behind: Option<u64>,
    /// The newer replay whose candidate is ready in the place of this one's.
    pub superseded_by: Option<String>,
    /// Why it cannot be read by this release. The rest is what its events told before.
    pub unreadable: Option<String>,
}

/// A generation that a replay leaves, and that nobody needs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A candidate that never was live: nobody reads it.
    Candidate(GenerationId),
    /// One that was live: somebody may still be reading it.
    Previous(GenerationId),
}

impl Leftover {
    /// The generation's id.
    pub const fn generation(self) -> GenerationId {
        match self {
            Self::Candidate(generation) | Self::Previous(generation) => generation,
        }
    }
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
            Do::Restore { generation } => {
                let snapshot = self
                    .plan
                    .as_ref()
                    .and_then(|plan| plan.snapshot.as_ref())
                    .map(|snapshot| snapshot.sequence.get());
                self.step(Phase::Planned, || {
                    vec![ReplayEvent::RestoringBegun(event::RestoringBegun { generation, snapshot })]
                })
            }
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
                let promoted =
                    |generation| ReplayEvent::Promoted(event::Promoted { generation, previous, checkpoint });
                self.step(Phase::Promoting, || self.candidate.map(promoted).into_iter().collect())
            }
            Do::RecordRolledBack { behind } => {
                let rolled_back =
                    |generation| ReplayEvent::RolledBack(event::RolledBack { generation, behind });
                self.step(Phase::RollingBack, || self.previous.map(rolled_back).into_iter().collect())
            }
            Do::Supersede { by } => self.supersede(by),
            Do::RecordDiscarded => Ok(self.discarded()),
            Do::Fail { phase, reason } => self.fail(phase, reason),
            Do::FailRollback { reason } => self.fail_rollback(reason),
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
    /// Takes in an event that is possible.
    fn take_in(&mut self, event: &ReplayEvent) {
        match event {
            ReplayEvent::Requested(event::Requested { read_model, from, mode }) => {
                self.read_model.clone_from(read_model);
                (self.from, self.mode, self.phase) = (*from, *mode, Phase::Requested);
            }
            ReplayEvent::Planned(event::Planned { plan }) => {
                self.plan = Some(plan.clone());
                self.phase = Phase::Planned;
            }
            ReplayEvent::RestoringBegun(event::RestoringBegun { generation, .. }) => {
                self.candidate = Some(*generation);
                self.phase = Phase::Restoring;
            }
            ReplayEvent::FoldingBegun(_) => self.phase = Phase::Folding,
            ReplayEvent::CatchingUpBegun(_) => self.phase = Phase::CatchingUp,
            ReplayEvent::VerifyingBegun(_) => self.phase = Phase::Verifying,
            ReplayEvent::Verified(event::Verified { difference }) => {
                self.difference = Some(difference.clone());
                self.phase = Phase::Ready;
            }
            ReplayEvent::PromotionRequested(event::PromotionRequested {}) => self.phase = Phase::Promoting,
            ReplayEvent::Promoted(event::Promoted { previous, .. }) => {
                self.previous = *previous;
                self.phase = Phase::Promoted;
            }
            ReplayEvent::RollbackRequested(event::RollbackRequested {}) => {
                self.failure = None;
                self.phase = Phase::RollingBack;
            }
            ReplayEvent::RollbackFailed(event::RollbackFailed { reason }) => {
                self.failure = Some(Failure { phase: self.phase, reason: reason.clone() });
                self.phase = Phase::Promoted;
            }
            ReplayEvent::RolledBack(event::RolledBack { behind, .. }) => {
                self.rolled_back_behind = Some(*behind);
                self.phase = Phase::RolledBack;
            }
            ReplayEvent::Retired(_)
            | ReplayEvent::Cancelled(_)
            | ReplayEvent::Superseded(_)
            | ReplayEvent::Discarded(_)
            | ReplayEvent::DiscardFailed(_)
            | ReplayEvent::Failed(_) => self.take_in_end(event),
        }
    }

    /// Takes in how it ended, and what became of what it leaves.
    fn take_in_end(&mut self, event: &ReplayEvent) {
        match event {
            ReplayEvent::Retired(_) => self.phase = Phase::Retired,
            ReplayEvent::Cancelled(_) => self.phase = Phase::Cancelled,
            ReplayEvent::Superseded(event::Superseded { by }) => {
                self.superseded_by = Some(by.clone());
                self.phase = Phase::Superseded;
            }
            ReplayEvent::Discarded(_) => self.discarded = true,
            ReplayEvent::DiscardFailed(event::DiscardFailed { reason, .. }) => {
                self.discard_failure = Some(reason.clone())
            }
            ReplayEvent::Failed(event::Failed { failure }) => {
                self.failure = Some(failure.clone());
                self.phase = Phase::Failed;
            }
            _ => {}
        }
    }
}

impl Replay {
    /// Whether a worker has something to do for it.
    pub fn is_due(&self) -> bool {
        use Phase::{CatchingUp, Folding, Promoting, Requested, Restoring, RollingBack, Verifying};
        match self.phase {
            Phase::Planned => self.mode != ReplayMode::Plan,
            Requested | Restoring | Folding | CatchingUp | Verifying | Promoting | RollingBack => true,
            _ => self.leftover().is_some(),
        }
    }

    /// What it leaves, if that was not discarded yet.
    pub fn leftover(&self) -> Option<Leftover> {
        if self.discarded || self.discard_failure.is_some() {
            return None;
        }
        match self.phase {
            Phase::Cancelled | Phase::Superseded | Phase::Failed => self.candidate.map(Leftover::Candidate),
            Phase::Retired => self.previous.map(Leftover::Previous),
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

    fn discarded(&self) -> Vec<ReplayEvent> {
        let discarded = |leftover: Leftover| {
            ReplayEvent::Discarded(event::Discarded { generation: leftover.generation() })
        };
        self.leftover().map(discarded).into_iter().collect()
    }

    fn request(
        &self,
        read_model: String,
        from: u64,
        mode: ReplayMode,
    ) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        let same = (&self.read_model, self.from, self.mode) == (&read_model, from, mode);
        match self.phase {
            Phase::Unknown => Ok(vec![ReplayEvent::Requested(event::Requested { read_model, from, mode })]),
            _ if same => Ok(vec![]),
            _ => Err(ReplayRefused::AlreadyRequested),
        }
    }

    fn planned(&self, plan: Plan) -> Vec<ReplayEvent> {
        let refusal = plan.refusal.clone();
        let failure = |reason| {
            ReplayEvent::Failed(event::Failed { failure: Failure { phase: Phase::Planned, reason } })
        };
        std::iter::once(ReplayEvent::Planned(event::Planned { plan })).chain(refusal.map(failure)).collect()
    }

    fn verified(&self, difference: Difference) -> Vec<ReplayEvent> {
        let promote = match self.mode {
            ReplayMode::Plan | ReplayMode::Build => false,
            ReplayMode::PromoteIfIdentical => difference.is_none(),
            ReplayMode::Promote => true,
        };
        let verified = ReplayEvent::Verified(event::Verified { difference });
        std::iter::once(verified)
            .chain(promote.then_some(ReplayEvent::PromotionRequested(event::PromotionRequested {})))
            .collect()
    }

    fn promote(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::Ready => Ok(vec![ReplayEvent::PromotionRequested(event::PromotionRequested {})]),
            Phase::Promoting | Phase::Promoted => Ok(vec![]),
            phase => Err(refused(phase, "only a ready one, whose candidate was verified, can be promoted")),
        }
    }

    fn cancel(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::Cancelled => Ok(vec![]),
            _ if self.can_end_early() => Ok(vec![ReplayEvent::Cancelled(event::Cancelled {})]),
            phase => Err(refused(phase, "it is too late to cancel it; a promoted one can be rolled back")),
        }
    }

    fn supersede(&self, by: ReplayId) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::Ready => Ok(vec![ReplayEvent::Superseded(event::Superseded { by: by.to_string() })]),
            phase => Err(refused(phase, "only a ready one is superseded")),
        }
    }

    fn roll_back(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match (self.phase, &self.previous) {
            (Phase::Promoted, Some(_)) => {
                Ok(vec![ReplayEvent::RollbackRequested(event::RollbackRequested {})])
            }
            (Phase::Promoted, None) => Err(refused(Phase::Promoted, "its previous generation is gone")),
            (Phase::RollingBack | Phase::RolledBack, _) => Ok(vec![]),
            (phase, _) => Err(refused(phase, "only a promoted one can be rolled back")),
        }
    }

    fn retire(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match (self.phase, &self.previous) {
            (Phase::Promoted, Some(generation)) => {
                Ok(vec![ReplayEvent::Retired(event::Retired { generation: *generation })])
            }
            (Phase::Retired, _) => Ok(vec![]),
            (phase, _) => {
                Err(refused(phase, "only the previous generation of a promoted one can be retired"))
            }
        }
    }

    fn fail(&self, step: Phase, reason: String) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            phase if phase != step => Ok(vec![]),
            phase if self.can_end_early() || phase == Phase::Promoting => {
                Ok(vec![ReplayEvent::Failed(event::Failed { failure: Failure { phase, reason } })])
            }
            phase => Err(refused(phase, "it has ended already")),
        }
    }

    fn fail_rollback(&self, reason: String) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::RollingBack => Ok(vec![ReplayEvent::RollbackFailed(event::RollbackFailed { reason })]),
            Phase::Promoted => Ok(vec![]),
            phase => Err(refused(phase, "nobody asked for a rollback")),
        }
    }

    fn fail_discard(&self, reason: String) -> Vec<ReplayEvent> {
        let failed = |leftover: Leftover| {
            ReplayEvent::DiscardFailed(event::DiscardFailed { generation: leftover.generation(), reason })
        };
        self.leftover().map(failed).into_iter().collect()
    }

    /// A step of the worker out of the phase `before`; in a later phase it was done already.
    fn step(
        &self,
        before: Phase,
        events: impl FnOnce() -> Vec<ReplayEvent>,
    ) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        let ended = matches!(self.phase, Phase::Cancelled | Phase::Superseded | Phase::Failed);
        match self.phase {
            phase if phase == before => Ok(events()),
            phase if ended => Err(refused(phase, "it has ended; there is nothing more to do")),
            phase if order(phase) > order(before) => Ok(vec![]),
            phase => Err(refused(phase, "a step of the worker came too early")),
        }
    }
}

fn refused(phase: Phase, why: &'static str) -> ReplayRefused {
    ReplayRefused::WrongPhase { phase, why }
}

/// The phases in the order in which a replay passes them.
fn order(phase: Phase) -> u8 {
    match phase {
        Phase::Unknown => 0,
        Phase::Requested => 1,
        Phase::Planned => 2,
        Phase::Restoring => 3,
        Phase::Folding => 4,
        Phase::CatchingUp => 5,
        Phase::Verifying => 6,
        Phase::Ready => 7,
        Phase::Promoting => 8,
        Phase::Promoted => 9,
        Phase::RollingBack => 10,
        Phase::RolledBack
        | Phase::Retired
        | Phase::Cancelled
        | Phase::Superseded
        | Phase::Failed
        | Phase::Unreadable => 11,
    }
}
