//! The worker's step in each phase of a replay.
//!
//! * The candidate is never folded beyond the live generation: both are compared at one sequence number, and a live generation
//!   that no program folds does not move. Before the candidate is ready, a copy of it is folded to the plan's head, so that an
//!   event that stops the fold is found first.
//! * A step ends as soon as the replay leaves its phase, whether by an operator's command or another worker's step, or the
//!   worker is told to stop. Only a promotion and a rollback always run to their end.

use super::drive::Drive;
use crate::{Phase, Replay, ReplayCommand, progress::Meter};
use annals_event::Sequence;
use annals_projection::{
    FoldControl, FoldError, FoldStopped, GenerationError, GenerationId, Generations, Plan, Until,
};
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
        let generations = self.generations();
        let named = |generation: Option<GenerationId>| {
            generation.ok_or_else(|| Interrupted::Failed("its events name no generation".to_owned()))
        };
        let (candidate, previous) = (|| named(self.replay.candidate), || named(self.replay.previous));
        match self.replay.phase {
            Phase::Requested => {
                let from = Sequence::new(self.replay.from);
                self.again(|| generations.plan(from)).await.map(ReplayCommand::Plan)
            }
            Phase::Planned => Ok(ReplayCommand::Restore { generation: self.drive.id.candidate() }),
            Phase::Restoring => {
                let (candidate, origin) = (candidate()?, self.plan().origin());
                let created = self.again(|| generations.create(candidate, origin)).await?;
                Ok(ReplayCommand::Fold { checkpoint: created.checkpoint.get() })
            }
            Phase::Folding => {
                let live = self.again(|| generations.live_reach()).await?;
                let checkpoint = self.fold(candidate()?, live.min(self.plan().head)).await?.get();
                Ok(ReplayCommand::CatchUp { checkpoint })
            }
            Phase::CatchingUp => {
                let checkpoint = self.catch_up(candidate()?).await?.get();
                Ok(ReplayCommand::Verify { checkpoint })
            }
            Phase::Verifying => self.verify(candidate()?).await,
            Phase::Promoting => {
                let candidate = candidate()?;
                let promotion = self.again(|| generations.promote(candidate)).await?;
                let (previous, checkpoint) = (promotion.previous, promotion.checkpoint.get());
                Ok(ReplayCommand::RecordPromoted { previous, checkpoint })
            }
            Phase::RollingBack => {
                let previous = previous()?;
                let behind = self.again(|| generations.roll_back(previous)).await?.behind;
                Ok(ReplayCommand::RecordRolledBack { behind })
            }
            Phase::Retiring => {
                let previous = previous()?;
                self.again(|| generations.retire(previous)).await?;
                Ok(ReplayCommand::RecordRetired)
            }
            Phase::Cancelled | Phase::Superseded | Phase::Failed => self.discard().await,
            // Nothing is due in them.
            Phase::Unknown | Phase::Ready | Phase::Promoted => Err(Interrupted::Ended),
            Phase::RolledBack | Phase::Retired | Phase::Unreadable => Err(Interrupted::Ended),
        }
    }

    fn generations(&self) -> &Generations {
        self.drive.generations
    }

    fn plan(&self) -> Plan {
        self.replay.plan.clone().unwrap_or_default()
    }

    fn control(&self) -> FoldControl {
        FoldControl::new(self.work.clone())
    }

    /// Folds until the candidate lags little behind the live generation, however fast the log grows.
    async fn catch_up(&self, candidate: GenerationId) -> Result<Sequence, Interrupted> {
        let generations = self.generations();
        let mut live = self.again(|| generations.live_reach()).await?;
        loop {
            let checkpoint = self.fold(candidate, live).await?;
            live = self.again(|| generations.live_reach()).await?;
            if live.get().saturating_sub(checkpoint.get()) <= self.drive.options.caught_up_within {
                return Ok(checkpoint);
            }
        }
    }

    async fn verify(&self, candidate: GenerationId) -> Result<ReplayCommand, Interrupted> {
        let (generations, head) = (self.generations(), self.plan().head);
        let verified = self.again(|| generations.verify(candidate, self.control())).await?;
        let difference = verified.ok_or_else(|| self.stopped())?;
        self.reached(self.again(|| generations.rehearse(candidate, head, self.control())).await?)?;
        Ok(ReplayCommand::RecordVerified(difference))
    }

    async fn discard(&self) -> Result<ReplayCommand, Interrupted> {
        let leftover = self.replay.leftover().ok_or(Interrupted::Ended)?;
        self.again(|| self.generations().discard(leftover)).await?;
        Ok(ReplayCommand::RecordDiscarded)
    }

    async fn fold(&self, candidate: GenerationId, until: Sequence) -> Result<Sequence, Interrupted> {
        let generations = self.generations();
        let found = self.again(|| generations.find(candidate)).await?;
        let begun = found.map_or(Sequence::ZERO, |status| status.checkpoint);
        let meter = Meter::new(self.plan().fold_from.previous().get(), begun.get(), until.get());
        let meter = meter.after(self.drive.replays.board.progress(self.drive.id));
        let until = Until::Sequence(until);
        let folded = tokio::select! {
            folded = self.again(|| generations.fold_to(candidate, until, self.control())) => folded?,
            never = self.show_progress(candidate, &meter) => match never {},
        };
        self.reached(folded.stopped)?;
        self.show(&meter, folded.status.checkpoint);
        Ok(folded.status.checkpoint)
    }

    /// Reads the candidate's control row now and then and shows how far it is.
    async fn show_progress(&self, candidate: GenerationId, meter: &Meter) -> Infallible {
        loop {
            if let Ok(Some(status)) = self.generations().find(candidate).await {
                self.show(meter, status.checkpoint);
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
        F: Future<Output = Result<T, GenerationError>>,
    {
        let mut backoff = Backoff::outage();
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) if error.is_transient() || is_overtaken(&error) => error,
                Err(error) => return Err(Interrupted::Failed(error.to_string())),
            };
            if !backoff.has_begun() {
                tracing::warn!(replay = %self.drive.id, %error, "a step of the replay cannot be done; trying again");
            }
            self.work.run_until_cancelled(backoff.wait()).await.ok_or_else(|| self.stopped())?;
        }
    }

    fn reached(&self, stopped: FoldStopped) -> Result<(), Interrupted> {
        match stopped {
            FoldStopped::Reached => Ok(()),
            FoldStopped::Cancelled => Err(self.stopped()),
        }
    }

    fn stopped(&self) -> Interrupted {
        if self.drive.shutdown.is_cancelled() { Interrupted::Shutdown } else { Interrupted::Ended }
    }
}

/// Whether somebody else was at the same generation or pointer at the same time: the next look shows what is left to do.
fn is_overtaken(error: &GenerationError) -> bool {
    matches!(error, GenerationError::PointerMoved | GenerationError::Fold(FoldError::Fenced { .. }))
}
