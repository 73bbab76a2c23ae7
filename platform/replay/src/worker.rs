//! The worker's side: carries out the replays of the read models that this process hosts, one at a time each.
//! Several workers may host one read model: the one with the lease works, and when it is gone another goes on.

mod drive;
mod options;
mod step;

pub use options::WorkerOptions;

use crate::{Lease, ReadModelHost, ReplayId, Replays, WorkerError};
use drive::{Drive, Shutdown};
use futures::future::{join_all, try_join};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Carries out replays.
pub struct ReplayWorker {
    replays: Replays,
    hosts: Vec<Arc<dyn ReadModelHost>>,
    options: WorkerOptions,
}

impl ReplayWorker {
    /// A worker for the replays of `hosts`. From now on `replays` refuses requests for other read models.
    pub fn new(replays: Replays, hosts: Vec<Arc<dyn ReadModelHost>>, options: WorkerOptions) -> Self {
        replays.hosted.add(hosts.iter().map(|host| host.read_model()));
        Self { replays, hosts, options }
    }

    /// Works until cancelled. What was not finished then, goes on from there when a worker runs again.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), WorkerError> {
        let hosts = self.hosts.iter().map(|host| self.serve(host.as_ref(), &cancel));
        let working = async {
            join_all(hosts).await;
            Ok(())
        };
        try_join(self.replays.run(cancel.clone()), working).await.map(|_| ())
    }

    async fn serve(&self, host: &dyn ReadModelHost, cancel: &CancellationToken) {
        while let Some((id, lease)) = cancel.run_until_cancelled(self.next(host)).await {
            let (replays, options) = (&self.replays, &self.options);
            let driven = Drive { id, host, replays, options, shutdown: cancel }.run().await;
            drop(lease);
            match driven {
                Ok(true) => {}
                // The list lags behind, or is of a log that was restored meanwhile and is being made anew.
                Ok(false) => tokio::time::sleep(self.options.standby_every).await,
                Err(Shutdown) => return,
            }
        }
    }

    /// The next replay of the host's read model, and the right to carry it out. Another worker may have done it
    /// before the lease was free.
    async fn next(&self, host: &dyn ReadModelHost) -> (ReplayId, Lease) {
        loop {
            let id = self.replays.directory.next_work(host.read_model()).await;
            match host.lease().await {
                Ok(Some(lease)) => return (id, lease),
                Ok(None) => tracing::debug!(replay = %id, "another worker is at it"),
                Err(error) => {
                    let read_model = host.read_model();
                    tracing::warn!(read_model, %error, "its lease cannot be taken; trying again");
                }
            }
            tokio::time::sleep(self.options.standby_every).await;
        }
    }
}
