//! All replays, folded from the log as it grows. Kept in memory: replays are few.

use crate::{Phase, Replay, ReplayEvent, WorkerError};
use annals_aggregate::{Aggregate, Upcasters};
use annals_event::{Category, EventRef, Sequence, StreamName};
use annals_store::{Delivery, EventStore, Filter, ReadError, Subscribe};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long to wait before the log is followed again after it could not be reached.
const FOLLOW_RETRY: Duration = Duration::from_millis(500);

/// Which replay. Later ones have greater ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ReplayId(Uuid);

impl ReplayId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReplayId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

/// The replays, kept up by [`Directory::follow`]. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Shared>);

struct Shared {
    store: Arc<dyn EventStore>,
    replays: Mutex<BTreeMap<ReplayId, Replay>>,
    through: watch::Sender<Sequence>,
}

impl Directory {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        let through = watch::Sender::new(Sequence::ZERO);
        Self(Arc::new(Shared { store, replays: Mutex::default(), through }))
    }

    /// Follows the log until cancelled. A store that is away for a while is waited for.
    pub(crate) async fn follow(&self, cancel: &CancellationToken) -> Result<(), WorkerError> {
        while let Some(followed) = cancel.run_until_cancelled(self.follow_once()).await {
            match followed {
                Err(WorkerError::Follow(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "the replays cannot be followed; trying again");
                    cancel.run_until_cancelled(tokio::time::sleep(FOLLOW_RETRY)).await;
                }
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn follow_once(&self) -> Result<(), WorkerError> {
        let category = Category::new(Replay::CATEGORY)
            .map_err(|error| ReadError::Invalid { reason: error.to_string() })?;
        let filter = Filter { categories: vec![category], ..Filter::all() };
        let through = *self.0.through.borrow();
        let mut subscription = self.0.store.subscribe(Subscribe::after(through, filter)).await?;
        loop {
            self.take_in(&subscription.next().await?)?;
        }
    }

    fn take_in(&self, delivery: &Delivery) -> Result<(), WorkerError> {
        let mut replays = self.replays();
        for event in delivery.events.iter() {
            if let Some((id, decoded)) = decode(&event)? {
                replays.entry(id).or_default().evolve(&decoded);
            }
        }
        drop(replays);
        self.0.through.send_replace(delivery.through);
        Ok(())
    }

    /// Waits until `answer` gives something, now or after a change.
    pub(crate) async fn wait_for<T>(
        &self,
        mut answer: impl FnMut(&BTreeMap<ReplayId, Replay>) -> Option<T>,
    ) -> T {
        let mut through = self.0.through.subscribe();
        loop {
            through.borrow_and_update();
            if let Some(answer) = answer(&self.replays()) {
                return answer;
            }
            // The sender lives as long as `self`.
            let _ = through.changed().await;
        }
    }

    /// Waits until everything up to `sequence` is in the directory.
    pub(crate) async fn contains(&self, sequence: Sequence) {
        let _ = self.0.through.subscribe().wait_for(|through| *through >= sequence).await;
    }

    /// The oldest replay of this read model that a worker has something to do for.
    pub(crate) async fn next_work(&self, read_model: &str) -> ReplayId {
        let due = |(_, replay): &(&ReplayId, &Replay)| replay.read_model == read_model && replay.is_due();
        self.wait_for(|replays| replays.iter().find(due).map(|(id, _)| *id)).await
    }

    /// Waits until the replay was ended from outside.
    pub(crate) async fn ended(&self, id: ReplayId) {
        let ended = |replay: &Replay| matches!(replay.phase, Phase::Cancelled | Phase::Failed);
        self.wait_for(|replays| replays.get(&id).is_some_and(ended).then_some(())).await;
    }

    pub(crate) fn get(&self, id: ReplayId) -> Option<Replay> {
        self.replays().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<(ReplayId, Replay)> {
        self.replays().iter().map(|(id, replay)| (*id, replay.clone())).collect()
    }

    fn replays(&self) -> MutexGuard<'_, BTreeMap<ReplayId, Replay>> {
        // Every change to the map is one insert or one fold: it is whole also after a panic elsewhere.
        self.0.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The replay that the event belongs to. Events of types or streams that this release does not know are passed over.
fn decode(event: &EventRef<'_>) -> Result<Option<(ReplayId, ReplayEvent)>, WorkerError> {
    let stream = StreamName::new(event.stream()).map_err(|error| WorkerError::Event(error.to_string()))?;
    let decoded = Upcasters::new().decode(event);
    let Some(decoded) = decoded.map_err(|error| WorkerError::Event(format!("{event:?}: {error}")))? else {
        return Ok(None);
    };
    Ok(stream.id().parse().ok().map(|id| (id, decoded)))
}
