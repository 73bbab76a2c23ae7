//! The operator's side: ask for replays, watch them, decide about them.

use crate::{
    Phase, Plan, Progress, Replay, ReplayCommand, ReplayError, ReplayId, ReplayMode, WorkerError,
    directory::Directory, worker::Board,
};
use annals_aggregate::{Context, Repository};
use annals_event::Sequence;
use annals_store::EventStore;
use std::{convert::Infallible, future::pending, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Asks for replays and decides about them. Cloning it is cheap.
///
/// It works wherever the log is reachable: the worker that carries a replay out may be in another process. What is
/// said here is seen here at once. For what happens elsewhere the log has to be followed: by
/// [`run`](Self::run), by a [`ReplayWorker`](crate::ReplayWorker) that was made with a clone of this, or by whoever waits
/// in [`planned`](Self::planned) or [`settled`](Self::settled). [`status`](Self::status) and [`list`](Self::list) say what
/// is known so far.
#[derive(Clone)]
pub struct Replays {
    pub(crate) repository: Repository<Replay>,
    pub(crate) directory: Directory,
    pub(crate) board: Board,
}

/// What to rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRequest {
    /// Which read model.
    pub read_model: String,
    /// From which sequence number on events are folded anew: the operator's word that rows are right below it.
    /// `Sequence::FIRST`: all events.
    pub from: Sequence,
    /// How far the replay goes by itself.
    pub mode: ReplayMode,
}

impl ReplayRequest {
    /// Rebuild this read model from the first event on, and wait with the candidate for somebody to promote it.
    pub fn new(read_model: impl Into<String>) -> Self {
        Self { read_model: read_model.into(), from: Sequence::FIRST, mode: ReplayMode::Build }
    }
}

/// Where a replay is.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayStatus {
    /// Which replay.
    pub id: ReplayId,
    /// What its events tell.
    pub replay: Replay,
    /// How far its candidate is; only where the worker is in this process and at work on it.
    pub progress: Option<Progress>,
}

impl Replays {
    /// The replays in `store`.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        let repository = Repository::new(store.clone()).service("annals-replay");
        Self { repository, directory: Directory::new(store), board: Board::default() }
    }

    /// Follows the replays until cancelled. A worker in the same process does it as well; both may run.
    pub async fn run(&self, cancel: CancellationToken) -> Result<(), WorkerError> {
        self.directory.follow(&cancel).await
    }

    /// Asks for a replay. Repeating it with the same id asks once.
    ///
    /// Nobody can know here which read models there are: a replay of one that no worker hosts stays requested until one
    /// does, or until it is cancelled.
    pub async fn request(
        &self,
        id: ReplayId,
        request: ReplayRequest,
        context: Context,
    ) -> Result<(), ReplayError> {
        if request.from == Sequence::ZERO {
            return Err(ReplayError::Invalid("`from` is 0; the first sequence number is 1".into()));
        }
        if request.read_model.is_empty() {
            return Err(ReplayError::Invalid("`read_model` is empty; name the read model to rebuild".into()));
        }
        let ReplayRequest { read_model, from, mode } = request;
        self.say(id, ReplayCommand::Request { read_model, from: from.get(), mode }, context).await
    }

    /// Makes a ready replay's candidate live.
    pub async fn promote(&self, id: ReplayId, context: Context) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::Promote, context).await
    }

    /// Stops a replay that is not promoted; its candidate is removed.
    pub async fn cancel(&self, id: ReplayId, context: Context) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::Cancel, context).await
    }

    /// Makes live again what a promoted replay replaced.
    pub async fn roll_back(&self, id: ReplayId, context: Context) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::RollBack, context).await
    }

    /// Removes what a promoted replay replaced. There is no way back to it.
    pub async fn retire(&self, id: ReplayId, context: Context) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::Retire, context).await
    }

    async fn say(&self, id: ReplayId, command: ReplayCommand, context: Context) -> Result<(), ReplayError> {
        let executed = self.repository.execute(&id.to_string(), command, context).await;
        let executed = executed.map_err(|error| ReplayError::of(id, error))?;
        self.directory.learn(id, &executed.state, executed.version);
        Ok(())
    }

    /// Where the replay is; `None`: there is none with this id.
    pub fn status(&self, id: ReplayId) -> Option<ReplayStatus> {
        let replay = self.directory.get(id)?;
        Some(ReplayStatus { id, replay, progress: self.board.progress(id) })
    }

    /// All replays, oldest first.
    pub fn list(&self) -> Vec<ReplayStatus> {
        let status = |(id, replay)| ReplayStatus { id, replay, progress: self.board.progress(id) };
        self.directory.all().into_iter().map(status).collect()
    }

    /// Waits until a worker has planned the replay or refused it.
    pub async fn planned(&self, id: ReplayId) -> Result<Plan, ReplayStatus> {
        let planned = |replay: &Replay| !matches!(replay.phase, Phase::Unknown | Phase::Requested);
        let replay = self.once(id, planned).await;
        match replay.plan.clone().filter(|plan| plan.refusal.is_none()) {
            Some(plan) => Ok(plan),
            None => Err(ReplayStatus { id, replay, progress: None }),
        }
    }

    /// Waits until the replay does nothing more by itself: it is ready, promoted, rolled back, retired, cancelled or
    /// failed, or a dry run is planned.
    pub async fn settled(&self, id: ReplayId) -> ReplayStatus {
        let settled = |replay: &Replay| replay.phase != Phase::Unknown && !replay.is_due();
        ReplayStatus { id, replay: self.once(id, settled).await, progress: None }
    }

    /// The replay, once it is as wanted. Follows the log meanwhile, unless somebody else here does: a wait ends also where
    /// nothing else was started.
    async fn once(&self, id: ReplayId, wanted: impl Fn(&Replay) -> bool) -> Replay {
        let follow = async {
            if let Err(error) = self.directory.follow(&CancellationToken::new()).await {
                tracing::warn!(%error, "only what is said in this process is seen of the replays");
            }
            pending::<Infallible>().await
        };
        tokio::select! {
            replay = self.directory.once(id, wanted) => replay,
            never = follow => match never {},
        }
    }
}
