//! What is done in each phase of a replay.
//!
//! * The candidate is never folded beyond the live generation: both are compared at one sequence number, and a live
//!   generation that no program continues any more does not move. That it can be folded on to the plan's head is tried on a
//!   copy before it is ready.
//! * A step ends as soon as the replay leaves its phase, by an operator's word or by another worker's, and when the
//!   worker is to stop; only a promotion and a rollback are never left in the middle.

use super::drive::Drive;
use crate::{HostError, Phase, Plan, Replay, ReplayCommand, progress::Meter};
use annals_event::Sequence;
use annals_store::Backoff;
use std::{convert::Infallible, future::Future};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Why a step was not done.
pub(super) enum Interrupted {
    /// The worker is to stop.
    Shutdown,
    /// The replay has left the phase.
    Ended,
    /// Trying again changes nothing.
    Failed(String),
}

pub(super) struct Step<'a> {
    drive: &'a Drive<'a>,
    replay: &'a Replay,
    /// Of this step; cancelled with the replay, with the worker, and when the step is over.
    work: CancellationToken,
    _over: DropGuard,
}

impl<'a> Step<'a> {
    pub(super) fn new(drive: &'a Drive<'a>, replay: &'a Replay) -> Self {
        let work = drive.shutdown.child_token();
        Self { drive, replay, _over: work.clone().drop_guard(), work }
    }

    /// Does what the phase asks for, and says how to record it.
    pub(super) async fn run(&self) -> Result<ReplayCommand, Interrupted> {
        tokio::select! {
            done = self.work() => done,
            never = self.stop_when_done_elsewhere() => match never {},
        }
    }

    /// Tells the work to stop when the replay has left the phase: it was cancelled, another worker was quicker, it cannot be
    /// read any more, or the log was restored and does not have it.
    async fn stop_when_done_elsewhere(&self) -> Infallible {
        let phase = self.replay.phase;
        self.drive.replays.directory.has_left(self.drive.id, phase).await;
        self.work.cancel();
        std::future::pending().await
    }

    async fn work(&self) -> Result<ReplayCommand, Interrupted> {
        let host = self.drive.host;
        let candidate = self.replay.candidate.as_deref().unwrap_or_default();
        let former = self.replay.replaced.as_deref().unwrap_or_default();
        match self.replay.phase {
            Phase::Requested => {
                let from = Sequence::new(self.replay.from);
                self.again(|| host.plan(from)).await.map(ReplayCommand::Plan)
            }
            Phase::Planned => Ok(ReplayCommand::Restore { generation: self.drive.id.to_string() }),
            Phase::Restoring => {
                let plan = self.plan();
                let checkpoint = self.again(|| host.restore(candidate, &plan)).await?.get();
                Ok(ReplayCommand::Fold { checkpoint })
            }
            Phase::Folding => {
                let live = self.again(|| host.live_checkpoint()).await?;
                let until = live.min(Sequence::new(self.plan().head));
                let checkpoint = self.fold(candidate, until).await?.get();
                Ok(ReplayCommand::CatchUp { checkpoint })
            }
            Phase::CatchingUp => {
                let checkpoint = self.catch_up(candidate).await?.get();
                Ok(ReplayCommand::Verify { checkpoint })
            }
            Phase::Verifying => {
                let verified = self.again(|| host.verify(candidate, &self.work)).await?;
                let head = Sequence::new(self.plan().head);
                self.again(|| host.rehearse(candidate, head, &self.work)).await?;
                Ok(ReplayCommand::RecordVerified(verified))
            }
            Phase::Promoting => {
                let promotion = self.again(|| host.promote(candidate)).await?;
                let (replaced, checkpoint) = (promotion.replaced, promotion.checkpoint.get());
                Ok(ReplayCommand::RecordPromoted { replaced, checkpoint })
            }
            Phase::RollingBack => {
                let behind = self.again(|| host.roll_back(candidate, former)).await?;
                Ok(ReplayCommand::RecordRolledBack { behind })
            }
            Phase::Cancelled | Phase::Superseded | Phase::Failed | Phase::Retired => {
                let Some(garbage) = self.replay.garbage() else { return Err(Interrupted::Ended) };
                self.again(|| host.discard(garbage)).await.map(|()| ReplayCommand::RecordDiscarded)
            }
            // Nothing is due in them.
            Phase::Unknown | Phase::Ready | Phase::Promoted | Phase::RolledBack | Phase::Unreadable => {
                Err(Interrupted::Ended)
            }
        }
    }

    fn plan(&self) -> Plan {
        self.replay.plan.clone().unwrap_or_default()
    }

    /// Folds until the candidate is close behind the live generation, however fast the log grows.
    async fn catch_up(&self, candidate: &str) -> Result<Sequence, Interrupted> {
        let mut live = self.again(|| self.drive.host.live_checkpoint()).await?;
        loop {
            let checkpoint = self.fold(candidate, live).await?;
            live = self.again(|| self.drive.host.live_checkpoint()).await?;
            if live.get().saturating_sub(checkpoint.get()) <= self.drive.options.caught_up_within {
                return Ok(checkpoint);
            }
        }
    }

    async fn fold(&self, candidate: &str, until: Sequence) -> Result<Sequence, Interrupted> {
        let host = self.drive.host;
        let begun = self.again(|| host.checkpoint(candidate)).await?.unwrap_or_default();
        let meter = Meter::new(self.plan().fold_from.saturating_sub(1), begun.get(), until.get());
        let meter = meter.after(self.drive.replays.board.progress(self.drive.id));
        let folded = tokio::select! {
            folded = self.again(|| host.fold(candidate, until, &self.work)) => folded?,
            never = self.show_progress(candidate, &meter) => match never {},
        };
        self.show(&meter, folded);
        Ok(folded)
    }

    /// Reads the candidate's control row now and then and shows how far it is.
    async fn show_progress(&self, candidate: &str, meter: &Meter) -> Infallible {
        loop {
            if let Ok(Some(checkpoint)) = self.drive.host.checkpoint(candidate).await {
                self.show(meter, checkpoint);
            }
            tokio::time::sleep(self.drive.options.progress_every).await;
        }
    }

    fn show(&self, meter: &Meter, checkpoint: Sequence) {
        self.drive.replays.board.set(self.drive.id, Some(meter.at(checkpoint.get())));
    }

    /// Tries something until it works, fails for good, or is not wanted any more.
    async fn again<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Interrupted>
    where
        F: Future<Output = Result<T, HostError>>,
    {
        let mut backoff = Backoff::outage();
        loop {
            let reason = match attempt().await {
                Ok(done) => return Ok(done),
                Err(HostError::Failed(reason)) => return Err(Interrupted::Failed(reason)),
                Err(HostError::Cancelled) => return Err(self.stopped()),
                Err(HostError::Unavailable(reason)) => reason,
            };
            if !backoff.has_begun() {
                tracing::warn!(replay = %self.drive.id, %reason, "a step of the replay cannot be done; trying again");
            }
            self.work.run_until_cancelled(backoff.wait()).await.ok_or_else(|| self.stopped())?;
        }
    }

    fn stopped(&self) -> Interrupted {
        if self.drive.shutdown.is_cancelled() { Interrupted::Shutdown } else { Interrupted::Ended }
    }
}
