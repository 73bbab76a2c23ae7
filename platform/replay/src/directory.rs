//! All replays, folded from the log as it grows. They are kept in memory, since replays are few.
//!
//! A replay's state arrives on two ways, each with its stream's version: from the log, and directly from whoever has just
//! executed a command or loaded the replay. The greater version wins, so that a caller sees its own command at once.
//!
//! A replay with an event that cannot be read is listed as unreadable, with the reason and with what its earlier events told,
//! until the process ends. A later release reads it again.
//!
//! If the log was restored from a backup under a running process, the list is rebuilt from the log as it is. Whenever the log is
//! subscribed to again, the last place that was taken in is compared with the log; if they differ, or cannot be compared, a new
//! list is built, and takes the place of the old one once it is complete.

use crate::{Phase, Replay, ReplayId, WorkerError};
use annals_aggregate::{Aggregate, LoadError, Loaded};
use annals_event::{Category, EventBatch, EventRef, Sequence, StreamName, Timestamp, Version};
use annals_store::{
    Activity, Backoff, ConsumerBoard, ConsumerState, Delivery, EventStore, Filter, Head, LogMismatch,
    ReadError, SeenLog, Subscribe, chain_in, check_same_log,
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Over so many sequence numbers without replays the place in the log is kept, so that following it again begins there.
const SEEN_EVERY: u64 = 10_000;

/// The replays, kept up by [`Directory::follow`]. Cloning it gives another handle to the same one.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Shared>);

struct Shared {
    store: Arc<dyn EventStore>,
    lists: Mutex<Lists>,
    board: ConsumerBoard,
    /// Says that a replay changed.
    news: watch::Sender<()>,
    /// How far the log was followed. Who has the lock follows it; others stand by.
    followed: tokio::sync::Mutex<Followed>,
}

type List = BTreeMap<ReplayId, Entry>;

#[derive(Default)]
struct Lists {
    /// What everybody sees.
    current: List,
    /// The list that is being made from the log as it is after it was restored.
    anew: Option<List>,
}

/// How far the log was followed.
#[derive(Default)]
struct Followed {
    /// Whether it was followed before.
    begun: bool,
    /// After which place it is followed when nothing is known of it: retention dropped what was before.
    start: Sequence,
    /// What is known of the log up to where all replays are in the list; `None`: nothing that could be relied on.
    seen: Option<SeenLog>,
}

#[derive(Default)]
struct Entry {
    /// The replay, as far as its stream is known and can be read.
    loaded: Loaded<Replay>,
    /// When the last of its events was recorded; `None`: the log has not brought it yet.
    since: Option<Timestamp>,
    /// Why its stream cannot be read further.
    unreadable: Option<String>,
}

/// What everybody may know of a replay.
pub(crate) struct Known {
    pub(crate) replay: Replay,
    /// When the last of its events was recorded; `None`: the log has not brought it yet.
    pub(crate) since: Option<Timestamp>,
    /// The replay of the same read model that a worker does first.
    pub(crate) waits_for: Option<ReplayId>,
}

impl Entry {
    /// Takes in an event of the replay's stream, alone in its batch.
    fn take_in(&mut self, id: ReplayId, event: &EventBatch) {
        let next = event.first().map_or(Version::ZERO, |event| event.version());
        if next == self.loaded.version.next() {
            self.fold(id, event);
        }
        if next >= self.loaded.version {
            self.since = event.first().map(|event| event.recorded_at());
        }
    }

    /// After an event that cannot be read nothing comes in.
    fn fold(&mut self, id: ReplayId, event: &EventBatch) {
        let folded = self.loaded.fold(event);
        let reason = folded.err().map(|error| error.to_string());
        if let Some(reason) = reason.as_ref().or(self.loaded.state.unreadable.as_ref()) {
            tracing::warn!(replay = %id, %reason, "the replay cannot be read by this release and is skipped");
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

impl Lists {
    /// Takes in an event of the replay's stream, if those before it are in the list: half a replay is none.
    fn take_in(&mut self, id: ReplayId, event: &EventBatch) {
        let list = self.anew.as_mut().unwrap_or(&mut self.current);
        let first = event.first().is_some_and(|event| event.version() == Version::FIRST);
        if first || list.contains_key(&id) {
            list.entry(id).or_default().take_in(id, event);
        }
    }

    /// Both lists.
    fn each(&mut self) -> impl Iterator<Item = &mut List> {
        std::iter::once(&mut self.current).chain(&mut self.anew)
    }
}

impl Directory {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        let (lists, news) = (Mutex::default(), watch::Sender::new(()));
        let board = ConsumerBoard::new();
        Self(Arc::new(Shared { store, lists, board, news, followed: Default::default() }))
    }

    /// What the one who follows the log says of itself.
    pub(crate) fn state(&self) -> ConsumerState {
        self.0.board.watch().state()
    }

    /// Follows the log until cancelled. A store that is away for a while is waited for. Of several at the same time
    /// one follows, and the next takes over when it ends.
    pub(crate) async fn follow(&self, cancel: &CancellationToken) -> Result<(), WorkerError> {
        cancel.run_until_cancelled(self.follow_on()).await.unwrap_or(Ok(()))
    }

    async fn follow_on(&self) -> Result<(), WorkerError> {
        let mut followed = self.0.followed.lock().await;
        tokio::select! {
            ended = self.follow_again(&mut followed) => ended,
            never = self.0.board.follow_log(&*self.0.store) => match never {},
        }
    }

    async fn follow_again(&self, followed: &mut Followed) -> Result<(), WorkerError> {
        let mut backoff = Backoff::outage();
        loop {
            match self.follow_once(followed, &mut backoff).await {
                Ok(()) => {}
                Err(error) if error.may_pass() => {
                    if !backoff.has_begun() {
                        tracing::warn!(%error, "the replays cannot be followed; trying again");
                    }
                    self.0.board.set(Activity::waiting_for(&error));
                    backoff.wait().await;
                }
                // Replays that old are over.
                Err(ReadError::BelowStart { first, .. }) => {
                    (followed.start, followed.seen) = (first.previous(), None);
                }
                Err(error) => {
                    self.0.board.failed(error.to_string(), &self.0.store);
                    return Err(error.into());
                }
            }
        }
    }

    /// Follows the log for as long as it is surely the same.
    async fn follow_once(&self, followed: &mut Followed, backoff: &mut Backoff) -> Result<(), ReadError> {
        if followed.seen.is_none() && std::mem::replace(&mut followed.begun, true) {
            self.lists().anew = Some(List::new());
        }
        let category = Category::new(Replay::CATEGORY)
            .map_err(|error| ReadError::Invalid { reason: error.to_string() })?;
        let filter = Filter { categories: vec![category], ..Filter::all() };
        let after = followed.seen.map_or(followed.start, |seen| seen.through);
        let begun = self.0.store.head().await?;
        let mut subscription = self.0.store.subscribe(Subscribe::after(after, filter)).await?;
        if !self.is_same_log(followed).await? {
            *followed = Followed { begun: true, ..Followed::default() };
            return Ok(());
        }
        let mut kept = after;
        loop {
            let delivery = subscription.next().await?;
            if delivery.resumed {
                return Ok(());
            }
            let news = !delivery.events.is_empty();
            if news {
                followed.seen = None;
                self.take_in(&delivery);
            }
            if news || delivery.through.get().saturating_sub(kept.get()) >= SEEN_EVERY {
                kept = delivery.through;
                followed.seen = Some(self.seen(begun, kept).await?);
            }
            self.0.board.moved(delivery.through);
            self.0.board.heard(delivery.head);
            *backoff = Backoff::outage();
            if delivery.is_caught_up() {
                self.complete();
            }
        }
    }

    /// What is known of the log as it was when the following had `begun`.
    async fn seen(&self, begun: Head, through: Sequence) -> Result<SeenLog, ReadError> {
        let chain = chain_in(&*self.0.store, through, begun.opening).await?;
        Ok(SeenLog { log_id: begun.log_id, through, chain })
    }

    async fn is_same_log(&self, followed: &Followed) -> Result<bool, ReadError> {
        let Some(seen) = &followed.seen else { return Ok(true) };
        match check_same_log(&*self.0.store, seen).await {
            Ok(()) => Ok(true),
            Err(LogMismatch::Read(error)) => Err(error),
            Err(mismatch) => {
                tracing::warn!(%mismatch, "the list of replays is rebuilt from the log as it is");
                Ok(false)
            }
        }
    }

    fn take_in(&self, delivery: &Delivery) {
        let mut lists = self.lists();
        for (at, event) in delivery.events.iter().enumerate() {
            if let Some(id) = replay_of(&event) {
                lists.take_in(id, &delivery.events.slice(at..at + 1));
            }
        }
        drop(lists);
        self.0.news.send_replace(());
    }

    /// The list that was made anew has all that the log has.
    fn complete(&self) {
        let mut lists = self.lists();
        if let Some(anew) = lists.anew.take() {
            lists.current = anew;
            drop(lists);
            self.0.news.send_replace(());
        }
    }

    /// Takes in what somebody knows of a replay before the log brings it. A stream without events is no replay, whatever it
    /// was before the log was restored.
    pub(crate) fn learn(&self, id: ReplayId, known: &Loaded<Replay>) {
        for list in self.lists().each() {
            if known.version == Version::ZERO {
                list.remove(&id);
                continue;
            }
            let entry = list.entry(id).or_default();
            if known.version > entry.loaded.version {
                (entry.loaded, entry.since) = (known.clone(), None);
            }
        }
        self.0.news.send_replace(());
    }

    /// Says why a replay of this list is not loaded, now or later: it is over with it in this process.
    pub(crate) fn cannot_read(&self, id: ReplayId, error: &LoadError) {
        let reason = error.to_string();
        tracing::warn!(replay = %id, %reason, "the replay cannot be read by this release and is skipped");
        for list in self.lists().each() {
            list.entry(id).or_default().unreadable = Some(reason.clone());
        }
        self.0.news.send_replace(());
    }

    /// Waits until `answer` gives something of the list, now or after a change.
    async fn first<T>(&self, answer: impl Fn(&List) -> Option<T>) -> T {
        let mut news = self.0.news.subscribe();
        loop {
            news.borrow_and_update();
            let found = answer(&self.lists().current);
            if let Some(found) = found {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = news.changed().await;
        }
    }

    /// The replay, once it is as wanted.
    pub(crate) async fn once(&self, id: ReplayId, wanted: impl Fn(&Replay) -> bool) -> Known {
        let wanted = |entry: &&Entry| wanted(&entry.shown());
        self.first(|list| list.get(&id).filter(wanted).map(|entry| known(list, id, entry))).await
    }

    /// Waits until the replay is not in the phase any more, or not in the log.
    pub(crate) async fn has_left(&self, id: ReplayId, phase: Phase) {
        let left = |list: &List| list.get(&id).is_none_or(|entry| entry.shown().phase != phase);
        self.first(|list| left(list).then_some(())).await;
    }

    /// The oldest replay of this read model that a worker has something to do for.
    pub(crate) async fn next_work(&self, read_model: &str) -> ReplayId {
        self.first(|list| due(list, read_model).or_else(|| superseded(list, read_model).next())).await
    }

    /// The newer replay of the same read model that is ready, if there is one: this one's candidate is not wanted any more.
    pub(crate) fn superseded_by(&self, id: ReplayId) -> Option<ReplayId> {
        let lists = self.lists();
        let read_model = &lists.current.get(&id)?.loaded.state.read_model;
        superseded(&lists.current, read_model).find(|older| *older == id)?;
        newest_ready(&lists.current, read_model)
    }

    pub(crate) fn get(&self, id: ReplayId) -> Option<Known> {
        let lists = self.lists();
        lists.current.get(&id).map(|entry| known(&lists.current, id, entry))
    }

    pub(crate) fn all(&self) -> Vec<(ReplayId, Known)> {
        let lists = self.lists();
        lists.current.iter().map(|(id, entry)| (*id, known(&lists.current, *id, entry))).collect()
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        // Every change to a list is one insert or one fold: it is whole also after a panic elsewhere.
        self.0.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(list: &List, id: ReplayId, entry: &Entry) -> Known {
    let replay = entry.shown().into_owned();
    let first = due(list, &replay.read_model).filter(|first| *first != id);
    let waits_for = first.filter(|_| replay.phase == Phase::Requested);
    Known { replay, since: entry.since, waits_for }
}

fn of<'a>(list: &'a List, read_model: &'a str) -> impl Iterator<Item = (ReplayId, &'a Entry)> {
    let of_it = move |entry: &Entry| entry.loaded.state.read_model == read_model;
    list.iter().filter(move |(_, entry)| of_it(entry)).map(|(id, entry)| (*id, entry))
}

fn due(list: &List, read_model: &str) -> Option<ReplayId> {
    of(list, read_model).find(|(_, entry)| entry.shown().is_due()).map(|(id, _)| id)
}

/// The replays whose candidate waits for somebody to promote it, and where that was recorded.
fn ready<'a>(list: &'a List, read_model: &'a str) -> impl Iterator<Item = (Sequence, ReplayId)> {
    let ready = |(_, entry): &(ReplayId, &Entry)| entry.shown().phase == Phase::Ready;
    of(list, read_model).filter(ready).map(|(id, entry)| (entry.loaded.token.sequence(), id))
}

fn newest_ready(list: &List, read_model: &str) -> Option<ReplayId> {
    ready(list, read_model).max().map(|(_, id)| id)
}

fn superseded<'a>(list: &'a List, read_model: &'a str) -> impl Iterator<Item = ReplayId> {
    let newest = newest_ready(list, read_model);
    ready(list, read_model).map(|(_, id)| id).filter(move |id| Some(*id) != newest)
}

/// The replay that the event belongs to; `None`: its stream is no replay's.
fn replay_of(event: &EventRef<'_>) -> Option<ReplayId> {
    StreamName::new(event.stream()).ok()?.id().parse().ok()
}
