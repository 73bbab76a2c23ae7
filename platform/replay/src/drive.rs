//! One replay, from the phase it is in to one where nothing is left to do.
//!
//! Each round reads the replay from its own stream, does the step of its phase and records it. The step is done
//! before it is recorded, so after a kill it is done again; hosts make that harmless. Recording is refused when
//! somebody cancelled in between, and then the candidate is given up.

use crate::{
    ReadModelHost, Replay, ReplayCommand, ReplayError, ReplayId, Replays, WorkerError, WorkerOptions,
    step::{Interrupted, Step},
};
use annals_aggregate::{Context, LoadError};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

/// Why a drive ended before its replay did.
pub(crate) enum Stopped {
    /// The worker is to stop.
    Shutdown,
    /// The replay's stream cannot be read.
    Broken(WorkerError),
}

pub(crate) struct Drive<'a> {
    pub(crate) id: ReplayId,
    pub(crate) host: &'a dyn ReadModelHost,
    pub(crate) replays: &'a Replays,
    pub(crate) options: &'a WorkerOptions,
    /// The worker's.
    pub(crate) shutdown: &'a CancellationToken,
}

impl Drive<'_> {
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
            match Step::new(self, &replay).run().await {
                Ok(done) => self.record(done).await?,
                Err(Interrupted::Failed(reason)) => self.record(failure(&replay, reason)).await?,
                Err(Interrupted::Ended) => {}
                Err(Interrupted::Shutdown) => return Err(Stopped::Shutdown),
            }
        }
    }

    /// The replay, from its own stream: the directory may lag behind.
    async fn load(&self) -> Result<Replay, Stopped> {
        let id = self.id.to_string();
        let mut delays = self.options.delays();
        loop {
            match self.replays.repository.load(&id).await {
                Ok(loaded) => {
                    self.replays.directory.learn(self.id, &loaded.state, loaded.version);
                    return Ok(loaded.state);
                }
                Err(LoadError::Read { source, .. }) if source.is_retryable() => {
                    self.pause(&mut delays).await?;
                }
                Err(error) => return Err(Stopped::Broken(error.into())),
            }
        }
    }

    async fn record(&self, command: ReplayCommand) -> Result<(), Stopped> {
        let id = self.id.to_string();
        let mut delays = self.options.delays();
        loop {
            let executed = self.replays.repository.execute(&id, command.clone(), Context::new()).await;
            match executed.map_err(|error| ReplayError::of(self.id, error)) {
                Ok(executed) => {
                    self.replays.directory.learn(self.id, &executed.state, executed.version);
                    return Ok(());
                }
                // Somebody ended the replay: the next round sees it.
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

    async fn pause(&self, delays: &mut ExponentialBackoff) -> Result<(), Stopped> {
        let delay = delays.next().unwrap_or(self.options.retry_max);
        let slept = self.shutdown.run_until_cancelled(tokio::time::sleep(delay)).await;
        slept.ok_or(Stopped::Shutdown)
    }
}

impl WorkerOptions {
    /// The pauses before something is tried again.
    pub(crate) fn delays(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.retry_min)
            .with_max_delay(self.retry_max)
            .without_max_times()
            .with_jitter()
            .build()
    }
}

/// How to record that the step of the replay's phase cannot be done.
fn failure(replay: &Replay, reason: String) -> ReplayCommand {
    use crate::Phase::{Cancelled, Failed, Retired, RollingBack};
    match replay.phase {
        RollingBack => ReplayCommand::FailRollback { reason },
        Cancelled | Failed | Retired => ReplayCommand::FailDiscard { reason },
        _ => ReplayCommand::Fail { reason },
    }
}
