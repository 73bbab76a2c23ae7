//! Carries one replay from the phase it is in to one where nothing is left to do.
//!
//! Each round reads the replay from its own stream, does the step of its phase and records it. The step is done
//! before it is recorded, so after a kill it is repeated, which is harmless. If somebody cancelled in between,
//! recording is refused and the candidate is discarded. A replay that becomes unreadable is left as it is, with its
//! candidate.

use super::{
    WorkerOptions,
    step::{Interrupted, Step},
};
use crate::{Phase, Replay, ReplayCommand, ReplayError, ReplayId, Replays, error::passes_by_itself};
use annals_aggregate::Cause;
use annals_projection::Generations;
use annals_store::Backoff;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a worker that is to stop waits for the store.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// The worker is to stop before the replay has ended.
pub(super) struct Shutdown;

pub(super) struct Drive<'a> {
    pub(super) id: ReplayId,
    pub(super) generations: &'a Generations,
    pub(super) replays: &'a Replays,
    pub(super) options: &'a WorkerOptions,
    /// The worker's.
    pub(super) shutdown: &'a CancellationToken,
}

impl Drive<'_> {
    /// Says whether there was something to do.
    pub(super) async fn run(self) -> Result<bool, Shutdown> {
        let driven = self.until_settled().await;
        self.replays.board.set(self.id, None);
        driven
    }

    async fn until_settled(&self) -> Result<bool, Shutdown> {
        let mut busy = false;
        while let Some(replay) = self.load().await? {
            if !replay.is_due() {
                match self.replays.directory.superseded_by(self.id) {
                    Some(by) if replay.phase == Phase::Ready => {
                        self.record(ReplayCommand::Supersede { by }).await?;
                        continue;
                    }
                    _ => break,
                }
            }
            busy = true;
            match Step::new(self, &replay).run().await {
                Ok(done) => self.record(done).await?,
                Err(Interrupted::Failed(reason)) => self.record(failure(&replay, reason)).await?,
                Err(Interrupted::Ended) => {}
                Err(Interrupted::Shutdown) => return Err(Shutdown),
            }
        }
        Ok(busy)
    }

    /// The replay, from its own stream: the directory may lag. `None`: it cannot be read.
    async fn load(&self) -> Result<Option<Replay>, Shutdown> {
        let id = self.id.to_string();
        let mut backoff = Backoff::outage();
        loop {
            match self.in_time(self.replays.repository.load(&id)).await? {
                Ok(loaded) => {
                    self.replays.directory.learn(self.id, &loaded);
                    return Ok(Some(loaded.state));
                }
                Err(error) if passes_by_itself(&error) => self.wait(&mut backoff).await?,
                Err(error) => {
                    self.replays.directory.cannot_read(self.id, &error);
                    return Ok(None);
                }
            }
        }
    }

    async fn record(&self, command: ReplayCommand) -> Result<(), Shutdown> {
        let id = self.id.to_string();
        let mut backoff = Backoff::outage();
        loop {
            let recording = self.replays.repository.execute(&id, command.clone(), Cause::new());
            let executed = self.in_time(recording).await?;
            match executed.map_err(|error| ReplayError::of(self.id, error)) {
                Ok(executed) => {
                    self.replays.learn(self.id, executed);
                    return Ok(());
                }
                // Somebody ended the replay, or wrote what cannot be read here: the next round sees it.
                Err(error @ (ReplayError::Refused { .. } | ReplayError::Unreadable { .. })) => {
                    tracing::info!(%error, "a step was not recorded");
                    return Ok(());
                }
                Err(error) => {
                    if !backoff.has_begun() {
                        tracing::warn!(replay = %self.id, %error, "a step cannot be recorded; trying again");
                    }
                    self.wait(&mut backoff).await?;
                }
            }
        }
    }

    /// What the store answers; while the worker is to stop it has [`ANSWER_TIME_MAX`]. A step that was not recorded is done
    /// again, as after a kill.
    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Shutdown> {
        let late = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(ANSWER_TIME_MAX).await;
        };
        tokio::select! {
            answer = answer => Ok(answer),
            () = late => Err(Shutdown),
        }
    }

    async fn wait(&self, backoff: &mut Backoff) -> Result<(), Shutdown> {
        self.shutdown.run_until_cancelled(backoff.wait()).await.ok_or(Shutdown)
    }
}

/// How to record that the step of the replay's phase cannot be done.
fn failure(replay: &Replay, reason: String) -> ReplayCommand {
    use crate::Phase::{Cancelled, Failed, Retiring, RollingBack, Superseded};
    match replay.phase {
        RollingBack => ReplayCommand::FailRollback { reason },
        Retiring => ReplayCommand::FailRetirement { reason },
        Cancelled | Superseded | Failed => ReplayCommand::FailDiscard { reason },
        phase => ReplayCommand::Fail { phase, reason },
    }
}
