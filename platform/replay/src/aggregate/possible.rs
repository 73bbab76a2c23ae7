//! Which event is possible in which phase. What [`decide`](annals_aggregate::Aggregate::decide) returns is possible; any other
//! event comes from a newer release, or was written to the stream by hand.

use super::Replay;
use crate::{Phase, ReplayEvent, event};

impl Replay {
    /// Whether the event can happen to the replay as its events so far tell it.
    pub(super) fn allows(&self, event: &ReplayEvent) -> bool {
        use ReplayEvent as E;
        match event {
            E::Requested(_) => self.phase == Phase::Unknown,
            E::Planned(_) => self.phase == Phase::Requested,
            E::RestoringBegun(_) => self.phase == Phase::Planned,
            E::FoldingBegun(_) => self.phase == Phase::Restoring,
            E::CatchingUpBegun(_) => self.phase == Phase::Folding,
            E::VerifyingBegun(_) => self.phase == Phase::CatchingUp,
            E::Verified(_) => self.phase == Phase::Verifying,
            E::PromotionRequested(event::PromotionRequested {}) => self.phase == Phase::Ready,
            E::Promoted(event::Promoted { generation, .. }) => {
                self.phase == Phase::Promoting && self.candidate == Some(*generation)
            }
            E::RollbackRequested(event::RollbackRequested {}) => {
                self.phase == Phase::Promoted && self.previous.is_some()
            }
            E::RollbackFailed(_) => self.phase == Phase::RollingBack,
            E::RolledBack(event::RolledBack { generation, .. }) => {
                self.phase == Phase::RollingBack && self.previous == Some(*generation)
            }
            E::RetirementRequested(event::RetirementRequested {}) => {
                self.phase == Phase::Promoted && self.previous.is_some()
            }
            E::RetirementFailed(_) => self.phase == Phase::Retiring,
            E::Retired(event::Retired { generation }) => {
                let possible = matches!(self.phase, Phase::Promoted | Phase::Retiring);
                possible && self.previous == Some(*generation)
            }
            E::Superseded(_) => self.phase == Phase::Ready,
            E::Cancelled(event::Cancelled {}) => self.can_end_early(),
            E::Discarded(event::Discarded { generation })
            | E::DiscardFailed(event::DiscardFailed { generation, .. }) => {
                let of = if self.phase == Phase::Retiring { self.previous } else { self.leftover() };
                of == Some(*generation)
            }
            E::Failed(_) => self.can_end_early() || self.phase == Phase::Promoting,
        }
    }
}
