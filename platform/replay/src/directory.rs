//! All replays, folded from the log as it grows. Kept in memory: replays are few.
//!
//! A replay's state comes here on two ways, each at its stream's version: from the log, and at once from whoever
//! has just said or loaded something. The greater version counts, so that nobody who said something has to wait
//! for the log to bring it back.
//!
//! A replay with an event that cannot be read is in the list as unreadable, with the reason and with what its events told
//! before, until the process ends: a later release reads it anew.

use crate::{Replay, WorkerError};
use annals_aggregate::{Aggregate, LoadError, Loaded, Upcasters};
use annals_event::{Category, EventBatch, EventRef, Sequence, StreamName, Version};
use annals_store::{Delivery, EventStore, Filter, ReadError, Subscribe};
use serde::Serialize;
use std::{
    borrow::Cow,
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

#[derive(Default)]
struct Entry {
    /// The replay, as far as its stream is known and can be read.
    loaded: Loaded<Replay>,
    /// Why its stream cannot be read further.
    unreadable: Option<String>,
}

impl Entry {
    /// Takes in an event of the replay's stream, alone in its batch.
    fn take_in(&mut self, id: ReplayId, event: &EventBatch) {
        let folded = self.loaded.fold(event, &Upcasters::new());
        let reason = folded.err().map(|error| error.to_string());
        if let Some(reason) = reason.as_ref().or(self.loaded.state.unreadable.as_ref()) {
            tracing::warn!(replay = %id, %reason, "the replay cannot be read by this release and is passed over");
        }
        self.unreadable = reason.or(self.unreadable.take());
    }

    /// The replay as everybody may see it.
    fn shown(&self) -> Cow<'_, Replay> {
        let replay = &self.loaded.state;
        match &self.unreadable {
            Some(reason) if replay.unreadable.is_none() => {
                let mut replay = replay.clone();
                replay.make_unreadable(reason.clone());
                Cow::Owned(replay)
            }
            _ => Cow::Borrowed(replay),
        }
    }
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
            self.take_in(&delivery);
            *through = delivery.through;
        }
    }

    fn take_in(&self, delivery: &Delivery) {
        for (at, event) in delivery.events.iter().enumerate() {
            let Some(id) = replay_of(&event) else { continue };
            let mut replays = self.replays();
            let known = replays.get(&id).map_or(Version::ZERO, |entry| entry.loaded.version);
            // Else it is in already, or retention dropped what came before it: half a replay is none. Behind an event that
            // cannot be read nothing comes in.
            if event.version() == known.next() {
                replays.entry(id).or_default().take_in(id, &delivery.events.slice(at..at + 1));
            }
        }
        self.0.news.send_replace(());
    }

    /// Takes in what somebody knows of a replay before the log brings it. A stream without events is no replay, whatever it
    /// was before the log was restored from a backup.
    pub(crate) fn learn(&self, id: ReplayId, replay: &Replay, version: Version) {
        let mut replays = self.replays();
        if version == Version::ZERO {
            replays.remove(&id);
        } else {
            let Entry { loaded, .. } = replays.entry(id).or_default();
            if version > loaded.version {
                (loaded.state, loaded.version) = (replay.clone(), version);
            }
        }
        drop(replays);
        self.0.news.send_replace(());
    }

    /// Says why a replay of this list is not loaded, now or later: it is over with it in this process.
    pub(crate) fn cannot_read(&self, id: ReplayId, error: &LoadError) {
        let reason = error.to_string();
        tracing::warn!(replay = %id, %reason, "the replay cannot be read by this release and is passed over");
        self.replays().entry(id).or_default().unreadable = Some(reason);
        self.0.news.send_replace(());
    }

    /// Waits until `answer` gives something of a replay, the oldest first, now or after a change.
    async fn first<T>(&self, answer: impl Fn(ReplayId, &Replay) -> Option<T>) -> T {
        let mut news = self.0.news.subscribe();
        loop {
            news.borrow_and_update();
            let found = self.replays().iter().find_map(|(id, entry)| answer(*id, &entry.shown()));
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
        self.replays().get(&id).map(|entry| entry.shown().into_owned())
    }

    pub(crate) fn all(&self) -> Vec<(ReplayId, Replay)> {
        self.replays().iter().map(|(id, entry)| (*id, entry.shown().into_owned())).collect()
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
