//! One replay, from the phase it is in to one where nothing is left to do.
//!
//! Each round reads the replay from its own stream, does the step of its phase and records it. The step is done
//! before it is recorded, so after a kill it is done again; hosts make that harmless. Recording is refused when
//! somebody cancelled in between, and then the candidate is removed.

use crate::{
    HostError, Phase, Plan, ReadModelHost, Replay, ReplayCommand, ReplayError, ReplayId, Replays,
    WorkerError, WorkerOptions, progress::Meter,
};
use annals_aggregate::{Context, LoadError};
use annals_event::Sequence;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::{convert::Infallible, future::Future};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Why a drive ended before its replay did.
pub(crate) enum Stopped {
    /// The worker is to stop.
    Shutdown,
    /// The replay's stream cannot be read.
    Broken(WorkerError),
}

pub(crate) struct Drive<'a> {
    id: ReplayId,
    host: &'a dyn ReadModelHost,
    replays: &'a Replays,
    options: &'a WorkerOptions,
    /// The worker's.
    shutdown: &'a CancellationToken,
    /// Of the work on the candidate: also cancelled with the replay.
    work: CancellationToken,
    _stop_work: DropGuard,
}

impl<'a> Drive<'a> {
    pub(crate) fn new(
        id: ReplayId,
        host: &'a dyn ReadModelHost,
        replays: &'a Replays,
        options: &'a WorkerOptions,
        shutdown: &'a CancellationToken,
    ) -> Self {
        let work = shutdown.child_token();
        Self { id, host, replays, options, shutdown, _stop_work: work.clone().drop_guard(), work }
    }

    pub(crate) async fn run(self) -> Result<(), Stopped> {
        let driven = self.until_settled().await;
        self.replays.board.set(self.id, None);
        driven
    }

    async fn until_settled(&self) -> Result<(), Stopped> {
        loop {
            let replay = self.load().await?;
            if !replay.is_due() {
                return Ok(());
            }
            if let Some(command) = self.step(&replay).await? {
                self.record(command).await?;
            }
        }
    }

    /// The replay, from its own stream: the directory may lag behind.
    async fn load(&self) -> Result<Replay, Stopped> {
        let id = self.id.to_string();
        let mut delays = self.delays();
        loop {
            match self.replays.repository.load(&id).await {
                Ok(loaded) => {
                    self.replays.directory.contains(loaded.token).await;
                    return Ok(loaded.state);
                }
                Err(LoadError::Read { source, .. }) if source.is_retryable() => {
                    self.pause(&mut delays).await?
                }
                Err(error) => return Err(Stopped::Broken(error.into())),
            }
        }
    }

    /// Does what the phase asks for, and says how to record it.
    async fn step(&self, replay: &Replay) -> Result<Option<ReplayCommand>, Stopped> {
        let candidate = replay.candidate.as_deref().unwrap_or_default();
        let done = match replay.phase {
            Phase::Requested => {
                let from = Sequence::new(replay.from);
                self.again(|| self.host.plan(from)).await?.map(ReplayCommand::Plan)
            }
            Phase::Planned => Ok(ReplayCommand::Restore { generation: self.id.to_string() }),
            Phase::Restoring => {
                let plan = replay.plan.clone().unwrap_or_default();
                self.again(|| self.host.restore(candidate, &plan)).await?.map(fold)
            }
            Phase::Folding => {
                let plan = replay.plan.clone().unwrap_or_default();
                self.fold(candidate, &plan, Sequence::new(plan.head)).await?.map(catch_up)
            }
            Phase::CatchingUp => self.catch_up(candidate, replay).await?.map(verify),
            Phase::Verifying => {
                let verifying = self.again(|| self.host.verify(candidate, &self.work));
                self.cancellable(verifying).await?.map(ReplayCommand::RecordVerified)
            }
            Phase::Promoting => {
                let promotion = self.again(|| self.host.promote(candidate)).await?;
                promotion.map(|done| ReplayCommand::RecordPromoted {
                    replaced: done.replaced,
                    checkpoint: done.checkpoint.get(),
                })
            }
            Phase::RollingBack => {
                let former = replay.replaced.as_deref().unwrap_or_default();
                let behind = self.again(|| self.host.roll_back(candidate, former)).await?;
                behind.map(|behind| ReplayCommand::RecordRolledBack { behind })
            }
            Phase::Cancelled | Phase::Failed | Phase::Retired => {
                let garbage = replay.garbage().unwrap_or_default();
                self.again(|| self.host.discard(garbage)).await?.map(|()| ReplayCommand::RecordDiscarded)
            }
            Phase::Unknown | Phase::Ready | Phase::Promoted | Phase::RolledBack => return Ok(None),
        };
        match done {
            Ok(command) => Ok(Some(command)),
            Err(HostError::Cancelled) if self.shutdown.is_cancelled() => Err(Stopped::Shutdown),
            Err(HostError::Cancelled) => Ok(None),
            Err(error) => Ok(Some(ReplayCommand::Fail { reason: error.to_string() })),
        }
    }

    async fn fold(
        &self,
        candidate: &str,
        plan: &Plan,
        until: Sequence,
    ) -> Result<Result<Sequence, HostError>, Stopped> {
        let begun = match self.again(|| self.host.checkpoint(candidate)).await? {
            Ok(checkpoint) => checkpoint.unwrap_or_default(),
            Err(error) => return Ok(Err(error)),
        };
        let meter = Meter::new(plan.fold_from.saturating_sub(1), begun.get(), until.get());
        let folding = self.again(|| self.host.fold(candidate, until, &self.work));
        tokio::select! {
            folded = self.cancellable(folding) => folded,
            never = self.show_progress(candidate, &meter) => match never {},
        }
    }

    /// Reads the candidate's control row now and then and shows how far it is.
    async fn show_progress(&self, candidate: &str, meter: &Meter) -> Infallible {
        loop {
            if let Ok(Some(checkpoint)) = self.host.checkpoint(candidate).await {
                self.replays.board.set(self.id, Some(meter.at(checkpoint.get())));
            }
            tokio::time::sleep(self.options.progress_every).await;
        }
    }

    /// Does `work`, and tells it to stop when the replay is ended from outside.
    async fn cancellable<T>(&self, work: impl Future<Output = T>) -> T {
        let stop = async {
            self.replays.directory.ended(self.id).await;
            self.work.cancel();
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            done = work => done,
            never = stop => match never {},
        }
    }

    /// Folds until the candidate is close behind the live generation, however fast the log grows.
    async fn catch_up(
        &self,
        candidate: &str,
        replay: &Replay,
    ) -> Result<Result<Sequence, HostError>, Stopped> {
        let plan = replay.plan.clone().unwrap_or_default();
        loop {
            let live = match self.again(|| self.host.live_checkpoint()).await? {
                Ok(live) => live,
                Err(error) => return Ok(Err(error)),
            };
            let folded = self.fold(candidate, &plan, live).await?;
            let Ok(checkpoint) = folded else { return Ok(folded) };
            let now = match self.again(|| self.host.live_checkpoint()).await? {
                Ok(now) => now,
                Err(error) => return Ok(Err(error)),
            };
            if now.get().saturating_sub(checkpoint.get()) <= self.options.caught_up_within {
                return Ok(Ok(checkpoint));
            }
        }
    }

    /// Tries a step until it works, fails for good, or is cancelled.
    async fn again<T, F>(&self, mut step: impl FnMut() -> F) -> Result<Result<T, HostError>, Stopped>
    where
        F: Future<Output = Result<T, HostError>>,
    {
        let mut delays = self.delays();
        loop {
            match step().await {
                Err(HostError::Unavailable(reason)) => {
                    tracing::warn!(replay = %self.id, %reason, "a step of the replay cannot be done; trying again");
                    self.pause(&mut delays).await?;
                    if self.work.is_cancelled() {
                        return Ok(Err(HostError::Cancelled));
                    }
                }
                done => return Ok(done),
            }
        }
    }

    async fn record(&self, command: ReplayCommand) -> Result<(), Stopped> {
        let id = self.id.to_string();
        let mut delays = self.delays();
        loop {
            let executed = self.replays.repository.execute(&id, command.clone(), Context::new()).await;
            match executed.map_err(|error| ReplayError::of(self.id, error)) {
                Ok(_) => return Ok(()),
                // Somebody ended the replay, or another worker was quicker: the next round sees it.
                Err(ReplayError::Refused { reason, .. }) => {
                    tracing::info!(replay = %self.id, %reason, "a step was not recorded");
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(replay = %self.id, %error, "a step cannot be recorded; trying again");
                    self.pause(&mut delays).await?;
                }
            }
        }
    }

    fn delays(&self) -> backon::ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.options.retry_min)
            .with_max_delay(self.options.retry_max)
            .without_max_times()
            .with_jitter()
            .build()
    }

    async fn pause(&self, delays: &mut backon::ExponentialBackoff) -> Result<(), Stopped> {
        let delay = delays.next().unwrap_or(self.options.retry_max);
        let slept = self.shutdown.run_until_cancelled(tokio::time::sleep(delay)).await;
        slept.ok_or(Stopped::Shutdown)
    }
}

fn fold(checkpoint: Sequence) -> ReplayCommand {
    ReplayCommand::Fold { checkpoint: checkpoint.get() }
}

fn catch_up(checkpoint: Sequence) -> ReplayCommand {
    ReplayCommand::CatchUp { checkpoint: checkpoint.get() }
}

fn verify(checkpoint: Sequence) -> ReplayCommand {
    ReplayCommand::Verify { checkpoint: checkpoint.get() }
}
