//! Which event is possible in which phase. What [`decide`](annals_aggregate::Aggregate::decide) returns is possible; any other
//! event comes from a newer release, or was written to the stream by hand.

use super::Replay;
use crate::{Phase, ReplayEvent};

impl Replay {
    /// Whether the event can happen to the replay as its events so far tell it.
    pub(super) fn allows(&self, event: &ReplayEvent) -> bool {
        use ReplayEvent as E;
        match event {
            E::Requested { .. } => self.phase == Phase::Unknown,
            E::Planned { .. } => self.phase == Phase::Requested,
            E::RestoringBegun { .. } => self.phase == Phase::Planned,
            E::FoldingBegun { .. } => self.phase == Phase::Restoring,
            E::CatchingUpBegun { .. } => self.phase == Phase::Folding,
            E::VerifyingBegun { .. } => self.phase == Phase::CatchingUp,
            E::Verified { .. } => self.phase == Phase::Verifying,
            E::PromotionRequested {} => self.phase == Phase::Ready,
            E::Promoted { generation, .. } => {
                self.phase == Phase::Promoting && self.candidate == Some(*generation)
            }
            E::RollbackRequested {} => self.phase == Phase::Promoted && self.previous.is_some(),
            E::RollbackFailed { .. } => self.phase == Phase::RollingBack,
            E::RolledBack { generation, .. } => {
                self.phase == Phase::RollingBack && self.previous == Some(*generation)
            }
            E::Retired { generation } => self.phase == Phase::Promoted && self.previous == Some(*generation),
            E::Superseded { .. } => self.phase == Phase::Ready,
            E::Cancelled {} => self.can_end_early(),
            E::Discarded { generation } | E::DiscardFailed { generation, .. } => {
                self.leftover().is_some_and(|leftover| leftover.generation() == *generation)
            }
            E::Failed { .. } => self.can_end_early() || self.phase == Phase::Promoting,
        }
    }
}
