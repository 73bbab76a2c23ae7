//! The worker's side: carries out the replays of the read models that this process hosts, one at a time each.
//! Several workers may host one read model: the one with the lease works, and when it is gone another goes on.

use crate::{
    Lease, Progress, ReadModelHost, ReplayId, Replays, WorkerError,
    drive::{Drive, Shutdown},
};
use futures::future::{join_all, try_join};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How the worker works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// How often the progress of a fold is read from the candidate's control row.
    pub progress_every: Duration,
    /// The first pause before a step that could not be done is tried again; it doubles up to `retry_max`.
    pub retry_min: Duration,
    /// The longest pause before a step that could not be done is tried again.
    pub retry_max: Duration,
    /// The candidate is verified once it is at most so many sequence numbers behind the live generation.
    pub caught_up_within: u64,
    /// How often one looks whether the lease of another worker is free.
    pub standby_every: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            progress_every: Duration::from_millis(100),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(10),
            caught_up_within: 1_000,
            standby_every: Duration::from_millis(500),
        }
    }
}

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

/// The read models that workers of this process host; none: it has no worker, and they are not known.
#[derive(Clone, Default)]
pub(crate) struct Hosted(Arc<Mutex<BTreeSet<String>>>);

impl Hosted {
    fn add<'a>(&self, read_models: impl Iterator<Item = &'a str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(read_models.map(str::to_owned));
    }

    /// All of them, if the read model is not among them.
    pub(crate) fn without(&self, read_model: &str) -> Option<Vec<String>> {
        let hosted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = !hosted.is_empty() && !hosted.contains(read_model);
        unknown.then(|| hosted.iter().cloned().collect())
    }
}

/// Where the worker writes the progress of its replays, for [`Replays`] in the same process to read.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<HashMap<ReplayId, Progress>>>);

impl Board {
    pub(crate) fn progress(&self, id: ReplayId) -> Option<Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }
    pub(crate) fn set(&self, id: ReplayId, progress: Option<Progress>) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Some(progress) => board.insert(id, progress),
            None => board.remove(&id),
        };
    }
}
