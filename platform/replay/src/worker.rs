//! The worker's side: carries out the replays of the read models that this process hosts, one at a time for each read model.
//! If several workers host one read model, the one with the lease works, and another continues when it is gone.

mod drive;
mod options;
mod step;

pub use options::WorkerOptions;

use crate::{ReplayId, Replays, WorkerError};
use annals_projection::{Generations, Lease};
use drive::{Drive, Shutdown};
use futures::future::{join_all, try_join};
use tokio_util::sync::CancellationToken;

/// Carries out replays.
pub struct ReplayWorker {
    replays: Replays,
    generations: Vec<Generations>,
    options: WorkerOptions,
}

impl ReplayWorker {
    /// A worker for the replays of the read models of `generations`. From now on `replays` refuses requests for others.
    pub fn new(replays: Replays, generations: Vec<Generations>, options: WorkerOptions) -> Self {
        replays.hosted.add(generations.iter().map(read_model));
        Self { replays, generations, options }
    }

    /// Works until cancelled. What was not finished then, goes on from there when a worker runs again.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), WorkerError> {
        let served = self.generations.iter().map(|generations| self.serve(generations, &cancel));
        let working = async {
            join_all(served).await;
            Ok(())
        };
        try_join(self.replays.run(cancel.clone()), working).await.map(|_| ())
    }

    async fn serve(&self, generations: &Generations, cancel: &CancellationToken) {
        while let Some((id, lease)) = cancel.run_until_cancelled(self.next(generations)).await {
            let (replays, options) = (&self.replays, &self.options);
            let driven = Drive { id, generations, replays, options, shutdown: cancel }.run().await;
            drop(lease);
            match driven {
                Ok(true) => {}
                // The list lags, or is being rebuilt after a restore of the log.
                Ok(false) => tokio::time::sleep(self.options.standby_every).await,
                Err(Shutdown) => return,
            }
        }
    }

    /// The next replay of the read model, and the right to carry it out. Another worker may have done it
    /// before the lease was free.
    async fn next(&self, generations: &Generations) -> (ReplayId, Lease) {
        loop {
            let id = self.replays.directory.next_work(read_model(generations)).await;
            match generations.try_lease().await {
                Ok(Some(lease)) => return (id, lease),
                Ok(None) => tracing::debug!(replay = %id, "another worker is at it"),
                Err(error) => {
                    let read_model = read_model(generations);
                    tracing::warn!(read_model, %error, "its lease cannot be taken; trying again");
                }
            }
            tokio::time::sleep(self.options.standby_every).await;
        }
    }
}

fn read_model(generations: &Generations) -> &str {
    generations.model().name().as_str()
}
