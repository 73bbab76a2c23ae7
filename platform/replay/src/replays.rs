//! The operator's side: request replays, watch them, decide about them.

use crate::{
    Phase, Progress, Replay, ReplayCommand, ReplayError, ReplayEvent, ReplayId, ReplayMode, WorkerError,
    board::{Board, Hosted},
    directory::{Directory, Known},
};
use annals_aggregate::{Cause, Executed, Loaded, Repository};
use annals_event::{Sequence, Timestamp};
use annals_projection::{ModelName, Plan};
use annals_store::{ConsumerState, EventStore};
use std::{cmp::Reverse, convert::Infallible, fmt, future::pending, sync::Arc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

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
    pub(crate) hosted: Hosted,
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
    /// When the last of its events was recorded: since then it is where it is. `None`: the log has not brought it yet.
    pub since: Option<Timestamp>,
    /// What a requested replay waits for, since no worker has taken it up. `None` also while the log has not brought it yet.
    pub waiting: Option<Waiting>,
}

/// What a requested replay waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waiting {
    /// For a worker. Who hosts which read model is not in the log: perhaps nobody hosts this one, or its service is down.
    Worker,
    /// For its turn: a worker does the replays of one read model one after the other.
    Replay(ReplayId),
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker => f.write_str(
                "no worker has taken it up yet; if that lasts, no process that hosts the read model is running, or none \
                 hosts one of this name; it can be cancelled",
            ),
            Self::Replay(id) => write!(f, "replay {id} of the same read model comes first"),
        }
    }
}

impl ReplayStatus {
    fn new(id: ReplayId, known: Known, progress: Option<Progress>) -> Self {
        let Known { replay, since, waits_for } = known;
        // What the log has not brought yet no worker can have taken up.
        let waiting = waits_for.map(Waiting::Replay).or(since.map(|_| Waiting::Worker));
        let waiting = waiting.filter(|_| replay.phase == Phase::Requested);
        Self { id, replay, progress, since, waiting }
    }
}

impl Replays {
    /// The replays in `store`.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        let repository = Repository::new(store.clone()).service("annals-replay");
        let (board, hosted) = (Board::default(), Hosted::default());
        Self { repository, directory: Directory::new(store), board, hosted }
    }

    /// Follows the replays until cancelled. A worker in the same process does it as well; both may run.
    pub async fn run(&self, cancel: CancellationToken) -> Result<(), WorkerError> {
        self.directory.follow(&cancel).await
    }

    /// Whether the log is followed, and how far. `Starting` where nobody does.
    pub fn state(&self) -> ConsumerState {
        self.directory.state()
    }

    /// Asks for a replay. Repeating it with the same id asks once.
    ///
    /// Where a worker runs on these replays, a read model that it does not host is refused. Elsewhere nobody can know which
    /// read models there are: a replay of one that no worker hosts stays requested until one does, or until it is cancelled,
    /// and its [status](ReplayStatus::waiting) says so.
    pub async fn request(
        &self,
        id: ReplayId,
        request: ReplayRequest,
        cause: impl Into<Cause>,
    ) -> Result<(), ReplayError> {
        if request.from == Sequence::ZERO {
            return Err(ReplayError::Invalid("`from` is 0; the first sequence number is 1".into()));
        }
        if let Err(error) = ModelName::new(&request.read_model) {
            return Err(ReplayError::Invalid(format!("`read_model`: {error}")));
        }
        if let Some(hosted) = self.hosted.without(&request.read_model) {
            return Err(ReplayError::UnknownReadModel { read_model: request.read_model, hosted });
        }
        let ReplayRequest { read_model, from, mode } = request;
        self.check_place(id, from).await?;
        self.say(id, ReplayCommand::Request { read_model, from: from.get(), mode }, cause.into()).await
    }

    /// `from` must be in the log, or the first place of an empty one.
    async fn check_place(&self, id: ReplayId, from: Sequence) -> Result<(), ReplayError> {
        let head = self.repository.store().head().await;
        let last = head.map_err(|error| ReplayError::Store { id, reason: error.to_string() })?.last;
        if from <= last.max(Sequence::FIRST) {
            return Ok(());
        }
        Err(ReplayError::Invalid(format!("`from` is {from} and the log ends at {last}; name a place in it")))
    }

    /// Makes a ready replay's candidate live.
    pub async fn promote(&self, id: ReplayId, cause: impl Into<Cause>) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::Promote, cause.into()).await
    }

    /// Stops a replay that is not promoted; its candidate is discarded.
    pub async fn cancel(&self, id: ReplayId, cause: impl Into<Cause>) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::Cancel, cause.into()).await
    }

    /// Makes the previous generation of a promoted replay live again.
    pub async fn roll_back(&self, id: ReplayId, cause: impl Into<Cause>) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::RollBack, cause.into()).await
    }

    /// Retires the previous generation of a promoted replay. There is no way back to it.
    pub async fn retire(&self, id: ReplayId, cause: impl Into<Cause>) -> Result<(), ReplayError> {
        self.say(id, ReplayCommand::Retire, cause.into()).await
    }

    async fn say(&self, id: ReplayId, command: ReplayCommand, cause: Cause) -> Result<(), ReplayError> {
        let executed = self.repository.execute(&id.to_string(), command, cause).await;
        let executed = executed.map_err(|error| ReplayError::of(id, error))?;
        self.learn(id, executed);
        Ok(())
    }

    pub(crate) fn learn(&self, id: ReplayId, executed: Executed<Replay>) {
        tell(id, &executed);
        let mut known = Loaded::new();
        (known.state, known.version, known.token) = (executed.state, executed.version, executed.token);
        self.directory.learn(id, &known);
    }

    /// Where the replay is; `None`: there is none with this id.
    pub fn status(&self, id: ReplayId) -> Option<ReplayStatus> {
        Some(ReplayStatus::new(id, self.directory.get(id)?, self.board.progress(id)))
    }

    /// All replays, the one that changed last first.
    pub fn list(&self) -> Vec<ReplayStatus> {
        let status = |(id, known)| ReplayStatus::new(id, known, self.board.progress(id));
        let mut list: Vec<_> = self.directory.all().into_iter().map(status).collect();
        // What the log has not brought yet is the newest of all.
        list.sort_by_key(|status| Reverse((status.since.is_none(), status.since, status.id)));
        list
    }

    /// Waits until a worker has planned the replay or refused it.
    pub async fn planned(&self, id: ReplayId) -> Result<Plan, ReplayStatus> {
        let planned = |replay: &Replay| !matches!(replay.phase, Phase::Unknown | Phase::Requested);
        let status = self.once(id, planned).await;
        status.replay.plan.clone().filter(|plan| plan.refusal.is_none()).ok_or(status)
    }

    /// Waits until the replay does nothing more by itself: it is ready, promoted, rolled back, retired, cancelled,
    /// superseded or failed, or a dry run is planned.
    pub async fn settled(&self, id: ReplayId) -> ReplayStatus {
        let settled = |replay: &Replay| replay.phase != Phase::Unknown && !replay.is_due();
        self.once(id, settled).await
    }

    /// The replay, once it is as wanted. Follows the log meanwhile, unless somebody else here does: a wait ends also where
    /// nothing else was started.
    async fn once(&self, id: ReplayId, wanted: impl Fn(&Replay) -> bool) -> ReplayStatus {
        let follow = async {
            if let Err(error) = self.directory.follow(&CancellationToken::new()).await {
                tracing::warn!(%error, "only what is said in this process is seen of the replays");
            }
            pending::<Infallible>().await
        };
        tokio::select! {
            known = self.directory.once(id, wanted) => ReplayStatus::new(id, known, None),
            never = follow => match never {},
        }
    }
}

/// A line for each event after which something else is live, waits or is over: who reads the lines later sees when rows were swapped.
fn tell(id: ReplayId, Executed { events, state, .. }: &Executed<Replay>) {
    let read_model = &state.read_model;
    for emitted in events {
        let told = match &emitted.event {
            ReplayEvent::Requested(_) => "a replay was requested",
            ReplayEvent::Verified(_) => "a replay is ready",
            ReplayEvent::Promoted(_) => "a replay was promoted",
            ReplayEvent::RolledBack(_) => "a replay was rolled back",
            ReplayEvent::Retired(_) => "a replay's previous rows were retired",
            ReplayEvent::Cancelled(_) => "a replay was cancelled",
            ReplayEvent::Superseded(_) => "a replay was superseded",
            ReplayEvent::Failed(_) => {
                let reason = state.failure.as_ref().map(|failure| failure.reason.as_str());
                warn!(replay = %id, %read_model, reason, "a replay failed");
                continue;
            }
            _ => continue,
        };
        info!(replay = %id, %read_model, "{told}");
    }
}
