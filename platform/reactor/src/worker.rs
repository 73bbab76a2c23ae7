//! What is chosen about a worker, and how it starts and ends.

mod running;

use crate::{Reactor, ReactorError, ReactorHandle, Start};
use annals_aggregate::Repositories;
use annals_event::{Append, Conflict, MarkName, Opening, Sequence};
use annals_store::{Activity, AppendError, Backoff, ConsumerBoard, EventStore};
use running::Running;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;

/// What may be chosen about a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// At most so many source events go into one append.
    pub batch_events_max: usize,
    /// Progress over events without outputs is saved when it comes to so many sequence numbers: a worker that is started looks
    /// at no more of them again.
    pub progress_every: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch_events_max: 1_000, progress_every: 10_000 }
    }
}

/// How long a worker that is told to stop waits for the store. Without an answer it ends as in a crash: safe.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(2);

/// Runs a [`Reactor`].
pub struct ReactorWorker {
    reactor: Reactor,
    repositories: Repositories,
    options: Options,
    board: ConsumerBoard,
}

impl ReactorWorker {
    /// A worker that executes the reactor's commands on the aggregates of `repositories`: with their store, service name and
    /// snapshots. One [`Repository`](annals_aggregate::Repository) says as much for a reactor of one target.
    pub fn new(repositories: impl Into<Repositories>, reactor: Reactor, options: Options) -> Self {
        Self { reactor, repositories: repositories.into(), options, board: ConsumerBoard::new() }
    }

    /// A view of the worker from outside.
    pub fn handle(&self) -> ReactorHandle {
        ReactorHandle::new(self.board.watch())
    }

    /// Follows the log until `stop` is cancelled. The append that is under way is then finished, if the store answers within
    /// [`STOP_TIME_MAX`]. What was passed over since is not saved: by now the log may be one that was restored and has other
    /// events there.
    ///
    /// Dropping the future instead is like a crash: safe, but source events may be looked at again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ReactorError> {
        let ended = tokio::select! {
            ended = self.work(stop.clone()) => ended,
            never = self.board.follow_log(&**self.store()) => match never {},
            () = stopped_in_vain(stop) => {
                tracing::warn!(reactor = self.reactor.name(), "the event store does not answer; stopping without it");
                Ok(())
            }
        };
        match &ended {
            Ok(()) => self.board.set(Activity::Stopped { reason: "it was shut down".to_owned() }),
            Err(error) => self.board.failed(error.to_string(), self.store()),
        }
        ended
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), ReactorError> {
        let (mark, filter) = (self.reactor.mark().clone(), self.reactor.filter().clone());
        let Some((opening, saved)) = self.read_mark(&mark, &stop).await? else { return Ok(()) };
        self.board.place(saved.unwrap_or_default());
        let start = self.reactor.start().at(SystemTime::now().into());
        let mut running = Running { worker: self, mark, filter, saved, opening, start, stop };
        running.follow_on().await
    }

    /// `Ok(None)`: the worker is to stop.
    async fn read_mark(
        &self,
        mark: &MarkName,
        stop: &CancellationToken,
    ) -> Result<Option<(Opening, Option<Sequence>)>, ReactorError> {
        let mut backoff = Backoff::outage();
        while !stop.is_cancelled() {
            let asked = async {
                let opening = self.store().head().await?.opening;
                Ok::<_, ReactorError>((
                    opening,
                    self.mark_or_start(mark, opening, self.reactor.start()).await?,
                ))
            };
            match asked.await {
                Ok(found) => return Ok(Some(found)),
                Err(error) if error.is_retryable() => {
                    self.wait_out(&error, &mut backoff, stop).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Where the mark is; if it was never set, where it is set now: before the first event that counts.
    async fn mark_or_start(
        &self,
        mark: &MarkName,
        opening: Opening,
        start: Start,
    ) -> Result<Option<Sequence>, ReactorError> {
        if let Some(saved) = self.store().mark(mark).await? {
            return Ok(Some(saved));
        }
        let Some(after) = start.after(&**self.store()).await? else { return Ok(None) };
        let first = Append::new().set_mark(mark.clone(), None, after).only_in(opening);
        match self.store().append(first).await {
            Ok(_) => Ok(Some(after)),
            // Another copy was faster, or an answer was lost.
            Err(AppendError::Conflict(Conflict::Mark { actual, .. })) => Ok(actual),
            Err(cause) => Err(ReactorError::Append { through: after, cause }),
        }
    }

    /// Waits before the store is asked again; not when the worker is to stop.
    async fn wait_out(&self, error: &ReactorError, backoff: &mut Backoff, stop: &CancellationToken) {
        if !backoff.has_begun() {
            tracing::warn!(reactor = self.reactor.name(), %error, "waiting for the event store");
        }
        self.board.set(error.waiting());
        stop.run_until_cancelled(backoff.wait()).await;
    }

    fn store(&self) -> &Arc<dyn EventStore> {
        self.repositories.store()
    }
}

async fn stopped_in_vain(stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_TIME_MAX).await;
}
