//! All replays, folded from the log as it grows. Kept in memory: replays are few.
//!
//! A replay's state comes here on two ways, each at its stream's version: from the log, and at once from whoever
//! has just said or loaded something. The greater version counts, so that nobody who said something has to wait
//! for the log to bring it back.

use crate::{Replay, ReplayEvent, WorkerError};
use annals_aggregate::{Aggregate, Upcasters};
use annals_event::{Category, EventRef, Sequence, StreamName, Version};
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
    replays: Mutex<BTreeMap<ReplayId, Entry>>,
    /// Says that a replay changed.
    news: watch::Sender<()>,
    /// How far the log was followed. Who has the lock follows it; others stand by.
    followed: tokio::sync::Mutex<Sequence>,
}

/// A replay, and the last event of its stream that is in it.
#[derive(Default)]
struct Entry {
    replay: Replay,
    version: Version,
}

impl Directory {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        let (replays, news) = (Mutex::default(), watch::Sender::new(()));
        Self(Arc::new(Shared { store, replays, news, followed: tokio::sync::Mutex::new(Sequence::ZERO) }))
    }

    /// Follows the log until cancelled. A store that is away for a while is waited for. Of several at the same time
    /// one follows, and the next takes over when it ends.
    pub(crate) async fn follow(&self, cancel: &CancellationToken) -> Result<(), WorkerError> {
        cancel.run_until_cancelled(self.follow_on()).await.unwrap_or(Ok(()))
    }

    async fn follow_on(&self) -> Result<(), WorkerError> {
        let mut through = self.0.followed.lock().await;
        loop {
            match self.follow_once(&mut through).await {
                Err(WorkerError::Follow(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "the replays cannot be followed; trying again");
                    tokio::time::sleep(FOLLOW_RETRY).await;
                }
                // Replays that old are over.
                Err(WorkerError::Follow(ReadError::BelowStart { first, .. })) => *through = first.previous(),
                ended => return ended,
            }
        }
    }

    async fn follow_once(&self, through: &mut Sequence) -> Result<(), WorkerError> {
        let category = Category::new(Replay::CATEGORY)
            .map_err(|error| ReadError::Invalid { reason: error.to_string() })?;
        let filter = Filter { categories: vec![category], ..Filter::all() };
        let mut subscription = self.0.store.subscribe(Subscribe::after(*through, filter)).await?;
        loop {
            let delivery = subscription.next().await?;
            self.take_in(&delivery)?;
            *through = delivery.through;
        }
    }

    fn take_in(&self, delivery: &Delivery) -> Result<(), WorkerError> {
        for event in delivery.events.iter() {
            let Some(id) = replay_of(&event) else { continue };
            let decoded = Upcasters::new().decode::<ReplayEvent>(&event);
            let decoded = decoded.map_err(|error| WorkerError::Event(format!("{event:?}: {error}")))?;
            let mut replays = self.replays();
            let known = replays.get(&id).map_or(Version::ZERO, |entry| entry.version);
            // Else it is in already, or retention dropped what came before it: half a replay is none.
            if event.version() == known.next() {
                let entry = replays.entry(id).or_default();
                entry.version = event.version();
                decoded.iter().for_each(|event| entry.replay.evolve(event));
            }
        }
        self.0.news.send_replace(());
        Ok(())
    }

    /// Takes in what somebody knows of a replay before the log brings it. A stream without events is no replay.
    pub(crate) fn learn(&self, id: ReplayId, replay: &Replay, version: Version) {
        if version == Version::ZERO {
            return;
        }
        let mut replays = self.replays();
        let entry = replays.entry(id).or_default();
        if version > entry.version {
            *entry = Entry { replay: replay.clone(), version };
        }
        drop(replays);
        self.0.news.send_replace(());
    }

    /// Waits until `answer` gives something of a replay, the oldest first, now or after a change.
    async fn first<T>(&self, answer: impl Fn(ReplayId, &Replay) -> Option<T>) -> T {
        let mut news = self.0.news.subscribe();
        loop {
            news.borrow_and_update();
            let found = self.replays().iter().find_map(|(id, entry)| answer(*id, &entry.replay));
            if let Some(found) = found {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = news.changed().await;
        }
    }

    /// The replay, once it is as wanted.
    pub(crate) async fn once(&self, id: ReplayId, wanted: impl Fn(&Replay) -> bool) -> Replay {
        self.first(|at, replay| (at == id && wanted(replay)).then(|| replay.clone())).await
    }

    /// The oldest replay of this read model that a worker has something to do for.
    pub(crate) async fn next_work(&self, read_model: &str) -> ReplayId {
        self.first(|id, replay| (replay.read_model == read_model && replay.is_due()).then_some(id)).await
    }

    pub(crate) fn get(&self, id: ReplayId) -> Option<Replay> {
        self.replays().get(&id).map(|entry| entry.replay.clone())
    }

    pub(crate) fn all(&self) -> Vec<(ReplayId, Replay)> {
        self.replays().iter().map(|(id, entry)| (*id, entry.replay.clone())).collect()
    }

    fn replays(&self) -> MutexGuard<'_, BTreeMap<ReplayId, Entry>> {
        // Every change to the map is one insert or one fold: it is whole also after a panic elsewhere.
        self.0.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The replay that the event belongs to; `None`: its stream is no replay's.
fn replay_of(event: &EventRef<'_>) -> Option<ReplayId> {
    StreamName::new(event.stream()).ok()?.id().parse().ok()
}
