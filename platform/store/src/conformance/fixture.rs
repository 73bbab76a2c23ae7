//! What the cases share: short ways to make appends, and readers that check every page.

use super::Store;
use crate::{Delivery, Filter, LogPage, ReadLog, ReadStream, Subscribe, Subscription};
use annals_event::{
    Append, EventBatch, EventId, EventType, ExpectedVersion, MarkName, NewEvent, Receipt, RecordedEvent,
    Sequence, StreamName, Version,
};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

pub(super) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(super) fn mark(name: &str) -> MarkName {
    MarkName::new(name).unwrap()
}

pub(super) fn event() -> NewEvent {
    event_of("happened")
}

pub(super) fn event_of(event_type: &str) -> NewEvent {
    NewEvent::json(EventType::new(event_type).unwrap(), "{}")
}

pub(super) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event()).collect()
}

/// An append of `count` events to one stream, without a condition.
pub(super) fn of(name: &str, count: usize) -> Append {
    Append::to(stream(name), ExpectedVersion::Any, events(count))
}

/// An append of one event to one stream, with a condition.
pub(super) fn expecting(name: &str, expected: ExpectedVersion) -> Append {
    Append::to(stream(name), expected, events(1))
}

pub(super) fn exactly(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

#[track_caller]
pub(super) fn append(store: &Store, append: Append) -> impl Future<Output = Receipt> {
    let (store, caller) = (store.clone(), std::panic::Location::caller());
    async move {
        let answer = store.append(append).await;
        assert!(answer.is_ok(), "the append at {caller} failed: {answer:?}");
        answer.unwrap()
    }
}

/// Fills the log with events of three streams, two categories and two types in turn. Returns the log.
pub(super) async fn fill(store: &Store, count: usize) -> Vec<RecordedEvent> {
    for index in 0..count {
        let name = ["order-1", "order-2", "payment-1"][index % 3];
        let event_type = ["placed", "changed"][index % 2];
        append(store, Append::to(stream(name), ExpectedVersion::Any, vec![event_of(event_type)])).await;
    }
    log(store).await
}

/// The whole log.
pub(super) async fn log(store: &Store) -> Vec<RecordedEvent> {
    log_by(store, ReadLog::from(Sequence::FIRST)).await
}

/// All that `read` asks for, page by page.
pub(super) async fn log_by(store: &Store, read: ReadLog) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    let mut read = read;
    loop {
        let page = page(store, read.clone()).await;
        events.extend(recorded(&page.events));
        if page.is_last() {
            return events;
        }
        read.from = page.through.next();
    }
}

/// One page of the log, checked against what holds for every page.
pub(super) async fn page(store: &Store, read: ReadLog) -> LogPage {
    let (from, events_max, filter) = (read.from, read.events_max.max(1), read.filter.clone());
    let page = store.read_log(read).await.unwrap();
    assert!(page.events.len() <= events_max, "the page has more events than asked for");
    assert!(page.through >= from.previous(), "`through` {} lies below {from}", page.through);
    assert!(page.is_last() || page.through >= from, "the page makes no progress although there is more");
    check_events(&page.events, from, page.through, &filter);
    page
}

fn check_events(events: &EventBatch, from: Sequence, through: Sequence, filter: &Filter) {
    let mut at = from.previous();
    for event in events.iter() {
        assert!(event.sequence() > at || at == Sequence::ZERO, "{} does not follow {at}", event.sequence());
        assert!(
            event.sequence() >= from && event.sequence() <= through,
            "{event:?} is outside {from}..={through}"
        );
        assert!(filter.accepts(&event), "{event:?} was not asked for");
        at = event.sequence();
    }
}

pub(super) fn recorded(events: &EventBatch) -> Vec<RecordedEvent> {
    events.iter().map(|event| event.to_recorded().unwrap()).collect()
}

pub(super) fn ids<'a>(events: impl IntoIterator<Item = &'a NewEvent>) -> Vec<EventId> {
    events.into_iter().map(|event| event.id).collect()
}

/// The ids of all events of a stream, forward.
pub(super) async fn stream_ids(store: &Store, name: &str) -> Vec<EventId> {
    let events = stream_by(store, ReadStream::forward(stream(name))).await;
    ids(events.iter().map(|event| &event.event))
}

/// All that `read` asks for, page by page.
pub(super) async fn stream_by(store: &Store, read: ReadStream) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    let mut read = read;
    loop {
        let page = store.read_stream(read.clone()).await.unwrap();
        assert!(page.events.len() <= read.events_max.max(1), "the page has more events than asked for");
        assert!(page.events.iter().all(|event| event.stream() == read.stream.as_str()));
        events.extend(recorded(&page.events));
        let Some(next) = page.next else { return events };
        assert!(!page.events.is_empty(), "the page is empty although there is more");
        read.from = next;
    }
}

/// A stream's version.
pub(super) async fn version(store: &Store, name: &str) -> u64 {
    store.read_stream(ReadStream::forward(stream(name))).await.unwrap().version.get()
}

/// What `work` returns for each index of `0..count` when all begin at the same moment.
pub(super) async fn at_once<T, W>(count: usize, work: impl Fn(usize) -> W) -> Vec<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for index in 0..count {
        let (start, work) = (start.clone(), work(index));
        tasks.spawn(async move {
            start.wait().await;
            (index, work.await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A subscriber that checks every delivery and remembers what it got.
pub(super) struct Subscriber {
    subscription: Subscription,
    filter: Filter,
    pub(super) events: Vec<RecordedEvent>,
    pub(super) through: Sequence,
}

impl Subscriber {
    pub(super) async fn from(store: &Store, from: Sequence, filter: Filter) -> Self {
        let subscription = store.subscribe(Subscribe { from, filter: filter.clone() }).await.unwrap();
        Self { subscription, filter, events: Vec::new(), through: from.previous() }
    }

    /// To the whole log.
    pub(super) async fn to(store: &Store) -> Self {
        Self::from(store, Sequence::FIRST, Filter::all()).await
    }

    /// Ends the subscription and makes another one that begins after what was delivered.
    pub(super) async fn resubscribe(&mut self, store: &Store) {
        let subscribe = Subscribe::after(self.through, self.filter.clone());
        self.subscription = store.subscribe(subscribe).await.unwrap();
    }

    pub(super) async fn next(&mut self) -> Delivery {
        let delivery = self.subscription.next().await.unwrap();
        assert!(delivery.through >= self.through, "`through` went back");
        check_events(&delivery.events, self.through.next(), delivery.through, &self.filter);
        self.events.extend(recorded(&delivery.events));
        self.through = delivery.through;
        delivery
    }

    /// Takes deliveries until everything up to `through` has arrived.
    pub(super) async fn until(&mut self, through: Sequence) {
        while self.through < through {
            self.next().await;
        }
    }

    /// Takes deliveries until the subscriber is told that it has everything.
    pub(super) async fn until_caught_up(&mut self) {
        while !self.next().await.is_caught_up() {}
    }
}
