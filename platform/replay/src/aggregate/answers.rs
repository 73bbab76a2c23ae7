//! What each command comes to in each phase: events, nothing because it was done already, or a refusal.

use super::Replay;
use crate::{Failure, Phase, ReplayEvent, ReplayId, ReplayMode, ReplayRefused, event};
use annals_projection::{Difference, GenerationId, Plan};

impl Replay {
    pub(super) fn discarded(&self) -> Vec<ReplayEvent> {
        let discarded = |generation| ReplayEvent::Discarded(event::Discarded { generation });
        self.leftover().map(discarded).into_iter().collect()
    }

    pub(super) fn request(
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

    pub(super) fn planned(&self, plan: Plan) -> Vec<ReplayEvent> {
        let refusal = plan.refusal.clone();
        let failure = |reason| {
            ReplayEvent::Failed(event::Failed { failure: Failure { phase: Phase::Planned, reason } })
        };
        std::iter::once(ReplayEvent::Planned(event::Planned { plan })).chain(refusal.map(failure)).collect()
    }

    pub(super) fn restoring(&self, generation: GenerationId) -> Vec<ReplayEvent> {
        let snapshot = self.plan.as_ref().and_then(|plan| plan.snapshot.as_ref());
        let snapshot = snapshot.map(|snapshot| snapshot.sequence.get());
        vec![ReplayEvent::RestoringBegun(event::RestoringBegun { generation, snapshot })]
    }

    pub(super) fn verified(&self, difference: Difference) -> Vec<ReplayEvent> {
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

    pub(super) fn promote(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::Ready => Ok(vec![ReplayEvent::PromotionRequested(event::PromotionRequested {})]),
            Phase::Promoting | Phase::Promoted => Ok(vec![]),
            phase => Err(refused(phase, "only a ready one, whose candidate was verified, can be promoted")),
        }
    }

    pub(super) fn cancel(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::Cancelled => Ok(vec![]),
            _ if self.can_end_early() => Ok(vec![ReplayEvent::Cancelled(event::Cancelled {})]),
            phase => Err(refused(phase, "it is too late to cancel it; a promoted one can be rolled back")),
        }
    }

    pub(super) fn supersede(&self, by: ReplayId) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            Phase::Ready => Ok(vec![ReplayEvent::Superseded(event::Superseded { by: by.to_string() })]),
            phase => Err(refused(phase, "only a ready one is superseded")),
        }
    }

    pub(super) fn roll_back(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match (self.phase, &self.previous) {
            (Phase::Promoted, Some(_)) => {
                Ok(vec![ReplayEvent::RollbackRequested(event::RollbackRequested {})])
            }
            (Phase::Promoted, None) => Err(refused(Phase::Promoted, "its previous generation is gone")),
            (Phase::RollingBack | Phase::RolledBack, _) => Ok(vec![]),
            (phase, _) => Err(refused(phase, "only a promoted one can be rolled back")),
        }
    }

    pub(super) fn retire(&self) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match (self.phase, &self.previous) {
            (Phase::Promoted, Some(_)) => {
                Ok(vec![ReplayEvent::RetirementRequested(event::RetirementRequested {})])
            }
            (Phase::Retiring | Phase::Retired, _) => Ok(vec![]),
            (phase, _) => {
                Err(refused(phase, "only the previous generation of a promoted one can be retired"))
            }
        }
    }

    pub(super) fn fail(&self, step: Phase, reason: String) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            phase if phase != step => Ok(vec![]),
            phase if self.can_end_early() || phase == Phase::Promoting => {
                Ok(vec![ReplayEvent::Failed(event::Failed { failure: Failure { phase, reason } })])
            }
            phase => Err(refused(phase, "it has ended already")),
        }
    }

    pub(super) fn fail_rollback(&self, reason: String) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        let failed = ReplayEvent::RollbackFailed(event::RollbackFailed { reason });
        self.stay_promoted(Phase::RollingBack, failed)
    }

    pub(super) fn fail_retirement(&self, reason: String) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        let failed = ReplayEvent::RetirementFailed(event::RetirementFailed { reason });
        self.stay_promoted(Phase::Retiring, failed)
    }

    /// What was asked of a promoted one, and is being done in the phase `doing`, is not possible.
    fn stay_promoted(&self, doing: Phase, failed: ReplayEvent) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match self.phase {
            phase if phase == doing => Ok(vec![failed]),
            Phase::Promoted => Ok(vec![]),
            phase => Err(refused(phase, "nobody asked for what could not be done")),
        }
    }

    pub(super) fn fail_discard(&self, reason: String) -> Vec<ReplayEvent> {
        let failed = |generation| ReplayEvent::DiscardFailed(event::DiscardFailed { generation, reason });
        self.leftover().map(failed).into_iter().collect()
    }

    /// A step of the worker out of the phase `before`; in a later phase it was done already.
    pub(super) fn step(
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

    /// A step that was done with a generation which the replay's events name.
    pub(super) fn step_on(
        &self,
        before: Phase,
        generation: Option<GenerationId>,
        event: impl FnOnce(GenerationId) -> ReplayEvent,
    ) -> Result<Vec<ReplayEvent>, ReplayRefused> {
        match generation {
            Some(generation) => self.step(before, || vec![event(generation)]),
            None if self.phase == before => Err(refused(before, "its events name no generation")),
            None => self.step(before, Vec::new),
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
        Phase::RollingBack | Phase::Retiring => 10,
        Phase::RolledBack
        | Phase::Retired
        | Phase::Cancelled
        | Phase::Superseded
        | Phase::Failed
        | Phase::Unreadable => 11,
    }
}
