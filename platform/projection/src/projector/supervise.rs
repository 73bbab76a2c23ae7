//! Decides which generations are tended, and follows the pointer.

use super::{
    Projector, ProjectorError, ProjectorOptions,
    first::find_or_create,
    progress::Board,
    snapshots::SnapshotTaker,
    status,
    tend::{Retry, Tender},
};
use crate::{
    FoldError, GenerationError, GenerationId, Live,
    backend::{Instance, Slot},
    fold::check_log,
    generations::sweep,
};
use annals_store::Activity;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// How often the pointer, and the rows that it stands for, are looked at for changes that others made.
pub(super) const POINTER_POLL: Duration = Duration::from_millis(500);
/// How long the previous generation is left to whoever took it over.
const FENCED_PAUSE: Duration = Duration::from_secs(30);
/// How long rows of another log are left alone before the log is checked again.
const LOG_LOOK: Duration = Duration::from_secs(5);
/// How often retired generations are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How long a retired generation's rows stay for readers that still have them open.
const RETIRED_GRACE: Duration = Duration::from_secs(60);

/// What was live when the pointer was last looked at, and which rows that and the previous generation had.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    live: Live,
    rows: [Option<Instance>; 2],
}

pub(super) struct Supervisor {
    options: ProjectorOptions,
    board: Arc<Board>,
    tending: HashMap<GenerationId, CancellationToken>,
    tasks: JoinSet<(GenerationId, Result<(), GenerationError>)>,
    /// Generations that are not tended while the pointer stays as it is, or until this time.
    left_alone: HashMap<GenerationId, Option<Instant>>,
    seen: Option<Seen>,
    swept: Instant,
}

impl Supervisor {
    pub(super) fn new(projector: &Projector) -> Self {
        Self {
            options: projector.options.clone(),
            board: projector.board.clone(),
            tending: HashMap::new(),
            tasks: JoinSet::new(),
            left_alone: HashMap::new(),
            seen: None,
            swept: Instant::now(),
        }
    }

    pub(super) async fn run(mut self, cancel: CancellationToken) -> Result<(), ProjectorError> {
        let ended = tokio::select! {
            ended = self.follow_pointer() => ended,
            () = cancel.cancelled() => Ok(()),
        };
        self.tending.values().for_each(CancellationToken::cancel);
        while self.tasks.join_next().await.is_some() {}
        Ok(ended?)
    }

    async fn follow_pointer(&mut self) -> Result<(), GenerationError> {
        let mut changes = self.options.catalog.changes();
        let mut retry = Retry::new(&self.options, Some(self.board.clone()));
        loop {
            match self.step(&mut changes).await {
                Ok(()) => retry.reset(),
                Err(error) if error.is_transient() || matches!(error, GenerationError::PointerMoved) => {
                    // Everything begins anew afterwards, and says so.
                    self.seen = None;
                    retry.pause(&error).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings what is tended in line with the pointer, then waits for news.
    async fn step(&mut self, changes: &mut watch::Receiver<u64>) -> Result<(), GenerationError> {
        changes.mark_unchanged();
        let live = self.look().await?;
        self.tend(live).await?;
        self.sweep().await;
        tokio::select! {
            Some(ended) = self.tasks.join_next() => {
                let Ok((id, result)) = ended else {
                    return Err(FoldError::Panicked.into());
                };
                self.tending.remove(&id);
                match result {
                    Ok(()) => Ok(()),
                    Err(error) => self.ended(id, error).await,
                }
            }
            _ = changes.changed() => Ok(()),
            () = tokio::time::sleep(POINTER_POLL) => Ok(()),
        }
    }

    async fn sweep(&mut self) {
        if self.swept.elapsed() < SWEEP_EVERY {
            return;
        }
        self.swept = Instant::now();
        let ProjectorOptions { catalog, model, .. } = &self.options;
        if let Err(error) = sweep(catalog, model, RETIRED_GRACE).await {
            warn!(read_model = %self.options.model.name(), %error, "a retired generation could not be removed; trying again later");
        }
    }

    async fn look(&mut self) -> Result<Live, GenerationError> {
        let seen = match self.seen_now().await? {
            Some(seen) => seen,
            None => self.build_anew().await?,
        };
        let is_new = self.seen != Some(seen);
        if is_new {
            self.left_alone.clear();
            // Who was live may not be any more: each begins anew in its new place.
            self.stop_all().await;
        }
        let id = seen.live.generation;
        if is_new || !self.tending.contains_key(&id) {
            // Where nobody here folds, another process may.
            self.board.bind(id, status(&self.options, id).await?.checkpoint);
        }
        self.seen = Some(seen);
        Ok(seen.live)
    }

    /// What is live; `None`: nothing is, or its rows are gone.
    async fn seen_now(&self) -> Result<Option<Seen>, GenerationError> {
        let ProjectorOptions { catalog, model, .. } = &self.options;
        let Some(live) = catalog.live(model).await? else { return Ok(None) };
        let (slot, backend) = (Slot::of(model), catalog.backend());
        let current = backend.instance(&slot, live.generation).await?;
        let previous = match live.previous {
            Some(previous) => backend.instance(&slot, previous).await?,
            None => None,
        };
        Ok(current.map(|_| Seen { live, rows: [current, previous] }))
    }

    /// The read model was deleted under the running process.
    async fn build_anew(&mut self) -> Result<Seen, GenerationError> {
        let folder = self.options.catalog.place();
        let reason =
            format!("its rows in {folder} were deleted while they were served; it is rebuilt from the log");
        error!(read_model = %self.options.model.name(), %reason);
        self.board.set(Activity::Retrying { reason });
        self.stop_all().await;
        find_or_create(&self.options).await?;
        self.seen_now().await?.ok_or(GenerationError::PointerMoved)
    }

    async fn stop_all(&mut self) {
        self.tending.drain().for_each(|(_, cancel)| cancel.cancel());
        while self.tasks.join_next().await.is_some() {}
    }

    async fn tend(&mut self, live: Live) -> Result<(), GenerationError> {
        self.left_alone.retain(|_, until| until.is_none_or(|until| until > Instant::now()));
        for id in [Some(live.generation), live.previous].into_iter().flatten() {
            if self.tending.contains_key(&id) || self.left_alone.contains_key(&id) {
                continue;
            }
            match self.refusal(id).await {
                Ok(None) => self.spawn(id, live),
                Ok(Some(reason)) => self.leave_alone(id, live, reason),
                Err(error) if error.is_transient() && id != live.generation => {
                    warn!(read_model = %self.options.model.name(), generation = %id, %error, "the previous generation cannot be looked at now; trying again later");
                    self.left_alone.insert(id, Some(Instant::now() + FENCED_PAUSE));
                }
                Err(error) => self.refused(id, live, error)?,
            }
        }
        Ok(())
    }

    /// Why this program cannot continue the generation.
    async fn refusal(&self, id: GenerationId) -> Result<Option<String>, GenerationError> {
        let status = status(&self.options, id).await?;
        // First the log: rows of another one say nothing of its events, whatever fold made them.
        check_log(&*self.options.store, id, &status).await?;
        Ok(status.refusal(&self.options.model))
    }

    /// A generation cannot be tended. If it is the live one the projector is over, unless a replay can help.
    fn refused(
        &mut self,
        id: GenerationId,
        live: Live,
        error: GenerationError,
    ) -> Result<(), GenerationError> {
        if id != live.generation {
            self.leave_alone(id, live, error.to_string());
        } else if error.log_mismatch().is_some() {
            self.board.refused(id, &error);
            // A replay makes rows of this log; or somebody puts the right one back.
            self.left_alone.insert(id, Some(Instant::now() + LOG_LOOK));
        } else {
            return Err(error);
        }
        Ok(())
    }

    fn leave_alone(&mut self, id: GenerationId, live: Live, reason: String) {
        self.left_alone.insert(id, None);
        if id == live.generation {
            warn!(read_model = %self.options.model.name(), generation = %id, %reason, "the live generation is served as it is; it needs a replay");
            self.board.set(Activity::NeedsReplay { reason });
        } else {
            warn!(read_model = %self.options.model.name(), generation = %id, %reason, "the previous generation is not kept up to date");
        }
    }

    fn spawn(&mut self, id: GenerationId, live: Live) {
        let is_live = id == live.generation;
        let snapshots = match (&self.options.snapshots, is_live) {
            (Some(policy), true) => Some(SnapshotTaker::new(&self.options, policy.clone(), id)),
            _ => None,
        };
        let tender = Tender {
            id,
            options: self.options.clone(),
            board: is_live.then(|| self.board.clone()),
            snapshots,
        };
        let cancel = CancellationToken::new();
        self.tending.insert(id, cancel.clone());
        self.tasks.spawn(async move { (id, tender.run(cancel).await) });
    }

    /// A generation is no longer tended. If that matters, the projector is over.
    async fn ended(&mut self, id: GenerationId, error: GenerationError) -> Result<(), GenerationError> {
        let before = self.seen.map(|seen| seen.live);
        let live = self.look().await?;
        let fenced = matches!(error, GenerationError::Fold(FoldError::Fenced { .. }));
        // A promotion fences after it has moved the pointer. Fenced without that: another worker is at it.
        if fenced && before != Some(live) {
            return Ok(());
        }
        if fenced && id != live.generation {
            // A rollback brings it up to date. If nothing comes of that, it is tended again.
            self.left_alone.insert(id, Some(Instant::now() + FENCED_PAUSE));
            return Ok(());
        }
        self.refused(id, live, error)
    }
}
