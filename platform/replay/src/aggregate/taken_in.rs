//! How each event changes what is known of a replay.
//!
//! Earlier builds recorded the decision to retire as `replay.retired`, and what came of it as `replay.discarded` or
//! `replay.discard_failed`. To a replay that is promoted or retiring these mean what they meant then.

use super::Replay;
use crate::{Failure, Phase, ReplayEvent, event};

impl Replay {
    /// Takes in an event that is possible.
    pub(super) fn take_in(&mut self, event: &ReplayEvent) {
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
            ReplayEvent::RollbackFailed(event::RollbackFailed { reason }) => self.stays_promoted(reason),
            ReplayEvent::RolledBack(event::RolledBack { behind, .. }) => {
                self.rolled_back_behind = Some(*behind);
                self.phase = Phase::RolledBack;
            }
            ReplayEvent::RetirementRequested(event::RetirementRequested {}) => {
                self.failure = None;
                self.phase = Phase::Retiring;
            }
            ReplayEvent::RetirementFailed(event::RetirementFailed { reason }) => self.stays_promoted(reason),
            ReplayEvent::Retired(_) if self.phase == Phase::Promoted => self.phase = Phase::Retiring,
            ReplayEvent::Retired(_) => self.phase = Phase::Retired,
            ReplayEvent::Cancelled(_)
            | ReplayEvent::Superseded(_)
            | ReplayEvent::Discarded(_)
            | ReplayEvent::DiscardFailed(_)
            | ReplayEvent::Failed(_) => self.take_in_end(event),
        }
    }

    /// What was asked of it is not possible: it is where it was before.
    fn stays_promoted(&mut self, reason: &str) {
        self.failure = Some(Failure { phase: self.phase, reason: reason.to_owned() });
        self.phase = Phase::Promoted;
    }

    /// Takes in how it ended, and what became of its candidate, or of the previous generation.
    fn take_in_end(&mut self, event: &ReplayEvent) {
        match event {
            ReplayEvent::Cancelled(_) => self.phase = Phase::Cancelled,
            ReplayEvent::Superseded(event::Superseded { by }) => {
                self.superseded_by = Some(by.clone());
                self.phase = Phase::Superseded;
            }
            ReplayEvent::Discarded(_) if self.phase == Phase::Retiring => self.phase = Phase::Retired,
            ReplayEvent::Discarded(_) => self.discarded = true,
            ReplayEvent::DiscardFailed(event::DiscardFailed { reason, .. })
                if self.phase == Phase::Retiring =>
            {
                self.stays_promoted(reason)
            }
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
