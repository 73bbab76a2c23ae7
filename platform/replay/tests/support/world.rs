//! A log, a data folder, and the programs that run on them.

use super::customers::{Ordered, Rows, rows};
use annals_aggregate::Cause;
use annals_event::{Append, ExpectedVersion, Sequence, StreamName};
use annals_projection::{
    Catalog, Generations, Projector, ProjectorError, ProjectorHandle, ProjectorOptions, ReadModel,
};
use annals_replay::{
    Phase, ReplayEvent, ReplayId, ReplayMode, ReplayRequest, ReplayStatus, ReplayWorker, Replays,
    WorkerError, WorkerOptions,
};
use annals_store::{EventStore, GappedStore};
use annals_store_log::LogStore;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come. Long enough for a busy machine; nothing is decided by it.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often one looks.
const POLL: Duration = Duration::from_millis(1);

pub struct World {
    pub store: Arc<dyn EventStore>,
    pub folder: TempDir,
}

impl World {
    /// On the store with gaps.
    pub fn gapped() -> Self {
        Self { store: Arc::new(GappedStore::new()), folder: tempfile::tempdir().unwrap() }
    }

    /// On the embedded log.
    pub async fn log() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log =
            LogStore::open(folder.path().join("log"), annals_store_log::Options::default()).await.unwrap();
        Self { store: Arc::new(log), folder }
    }

    pub fn views(&self) -> PathBuf {
        self.folder.path().join("views")
    }

    pub async fn catalog(&self) -> Catalog {
        annals_projection_sqlite::open(self.views()).await.unwrap()
    }

    pub async fn generations(&self, model: &ReadModel) -> Generations {
        self.generations_from(model, self.store.clone()).await
    }

    pub async fn generations_from(&self, model: &ReadModel, store: Arc<dyn EventStore>) -> Generations {
        Generations::new(self.catalog().await, model.clone(), store)
    }

    /// Starts a projector, and waits until it has folded everything.
    pub async fn project(&self, model: &ReadModel) -> Projecting {
        self.project_from(model, self.store.clone()).await
    }

    pub async fn project_from(&self, model: &ReadModel, store: Arc<dyn EventStore>) -> Projecting {
        let options = ProjectorOptions::new(self.catalog().await, model.clone(), store);
        Projecting::start(options).await
    }

    /// Starts a worker for this read model, with replays of its own.
    pub async fn work(&self, model: &ReadModel) -> Working {
        self.work_with(Worker::of(self, model).await)
    }

    pub fn work_with(&self, worker: Worker) -> Working {
        Working::start(worker)
    }

    pub async fn append(&self, orders: &[Ordered]) -> Sequence {
        let mut head = Sequence::ZERO;
        for chunk in orders.chunks(500) {
            let stream = StreamName::new("shop-1").unwrap();
            let events = chunk.iter().map(Ordered::new_event).collect();
            let append = Append::to(stream, ExpectedVersion::Any, events);
            head = self.store.append(append).await.unwrap().head;
        }
        head
    }

    /// Waits until others have made the log this long.
    pub async fn head_at_least(&self, wanted: Sequence) {
        while self.head().await < wanted {
            tokio::time::sleep(POLL).await;
        }
    }

    pub async fn head(&self) -> Sequence {
        self.store.head().await.unwrap().last
    }

    /// What a projector that was never disturbed makes of the log.
    pub async fn fresh_fold(&self, model: &ReadModel) -> Rows {
        let folder = tempfile::tempdir().unwrap();
        let catalog = annals_projection_sqlite::open(folder.path()).await.unwrap();
        let options = ProjectorOptions::new(catalog, model.clone(), self.store.clone());
        let projecting = Projecting::start(options).await;
        let fresh = projecting.rows_at(self.head().await).await;
        projecting.stop().await;
        fresh
    }

    /// Every file below the folder of the views, without what SQLite keeps beside a database.
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.views()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        let beside = ["sqlite-wal", "sqlite-shm", "sqlite-journal", "lock"];
        files.retain(|file| !beside.iter().any(|suffix| file.to_string_lossy().ends_with(suffix)));
        files.sort();
        files
    }

    /// The types of the events on a replay's stream.
    pub async fn history(&self, id: ReplayId) -> Vec<ReplayEvent> {
        let repository = annals_aggregate::Repository::<annals_replay::Replay>::new(self.store.clone());
        let history = repository.history(&id.to_string()).await.unwrap();
        history.into_iter().map(|recorded| recorded.event).collect()
    }
}

/// A running projector.
pub struct Projecting {
    pub handle: ProjectorHandle,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), ProjectorError>>,
}

impl Projecting {
    pub async fn start(options: ProjectorOptions) -> Self {
        let head = options.store.head().await.unwrap().last;
        let projector = Projector::open(options).await.unwrap();
        let (handle, cancel) = (projector.handle(), CancellationToken::new());
        let task = tokio::spawn(projector.run(cancel.clone()));
        // One of another fold version is served as it is.
        let _ = handle.wait_for(head, Duration::from_secs(if head.get() == 0 { 0 } else { 1 })).await;
        Self { handle, cancel, task }
    }

    pub async fn rows_at(&self, token: Sequence) -> Rows {
        rows(&mut self.handle.wait_for(token, PATIENCE).await.unwrap()).await
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// What a worker is made of.
pub struct Worker {
    pub replays: Replays,
    pub generations: Vec<Generations>,
    pub options: WorkerOptions,
}

impl Worker {
    pub async fn of(world: &World, model: &ReadModel) -> Self {
        Self::on(world.store.clone(), [world.generations(model).await])
    }

    pub fn on(store: Arc<dyn EventStore>, generations: impl IntoIterator<Item = Generations>) -> Self {
        let mut options = WorkerOptions::default();
        options.progress_every = Duration::from_millis(1);
        options.standby_every = Duration::from_millis(5);
        Self { replays: Replays::new(store), generations: generations.into_iter().collect(), options }
    }
}

/// A running worker.
pub struct Working {
    pub replays: Replays,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Working {
    pub fn start(Worker { replays, generations, options }: Worker) -> Self {
        let (cancel, worker) =
            (CancellationToken::new(), ReplayWorker::new(replays.clone(), generations, options));
        let task = tokio::spawn(worker.run(cancel.clone()));
        Self { replays, cancel, task }
    }

    pub async fn request(&self, read_model: &str, from: Sequence, mode: ReplayMode) -> ReplayId {
        let id = ReplayId::generate();
        self.request_as(id, read_model, from, mode).await;
        id
    }

    pub async fn request_as(&self, id: ReplayId, read_model: &str, from: Sequence, mode: ReplayMode) {
        let mut request = ReplayRequest::new(read_model);
        (request.from, request.mode) = (from, mode);
        self.replays.request(id, request, Cause::new().actor("a test")).await.unwrap();
    }

    pub async fn settled(&self, id: ReplayId) -> ReplayStatus {
        within(self.replays.settled(id)).await
    }

    /// Waits until the replay is promoted, and says why if it never will be.
    pub async fn promoted(&self, id: ReplayId) -> ReplayStatus {
        let status = self.settled(id).await;
        assert_eq!(status.replay.phase, Phase::Promoted, "{:?}", status.replay);
        status
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        within(self.task).await.unwrap().unwrap();
    }

    /// Ends it wherever it is.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits until it has died by itself.
    pub async fn died(self) {
        assert!(within(self.task).await.unwrap_err().is_panic());
    }
}

/// What must come, or the test fails.
pub async fn within<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("it came in time")
}

/// Waits until something that others bring about holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} in time"));
}
