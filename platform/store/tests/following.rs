//! `Subscription::following`, with appends forced into each gap between its steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{Append, Category, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_store::{
    EventStore, Filter, Follow, GappedStore, LogPage, PROGRESS_EVERY, ReadError, ReadLog, Subscribe,
    Subscription,
};
use async_trait::async_trait;
use futures::FutureExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, advance};

async fn append(store: &GappedStore) -> Sequence {
    append_to(store, "a").await
}

async fn append_to(store: &GappedStore, stream: &str) -> Sequence {
    let event = NewEvent::json(EventType::new("happened").unwrap(), "{}");
    let write = Append::to(StreamName::new(stream).unwrap(), ExpectedVersion::Any, vec![event]);
    store.append(write).await.unwrap().head
}

/// A log to which somebody appends whenever the follower is not looking, as long as there are appends left.
struct Busy {
    store: GappedStore,
    after_pages: AtomicUsize,
    before_waits: AtomicUsize,
}

impl Busy {
    async fn append_while(&self, left: &AtomicUsize) {
        let less = |left: usize| left.checked_sub(1);
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            append(&self.store).await;
        }
    }
}

#[async_trait]
impl Follow for Busy {
    async fn page(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        let page = self.store.read_log(read).await;
        self.append_while(&self.after_pages).await;
        page
    }

    async fn grown_past(&self, through: Sequence) -> Result<(), ReadError> {
        self.append_while(&self.before_waits).await;
        let mut ahead = self.store.subscribe(Subscribe::after(through, Filter::all())).await?;
        while ahead.next().await?.through <= through {}
        Ok(())
    }
}

#[tokio::test]
async fn an_append_between_a_page_and_the_wait_is_delivered() {
    let store = GappedStore::new();
    let (after_pages, before_waits) = (AtomicUsize::new(20), AtomicUsize::new(20));
    let busy = Arc::new(Busy { store: store.clone(), after_pages, before_waits });
    let mut subscription = Subscription::following(busy, Subscribe::after(Sequence::ZERO, Filter::all()));
    let (mut seen, mut through) = (Vec::new(), Sequence::ZERO);
    while seen.len() < 40 {
        let delivery = subscription.next().await.unwrap();
        assert!(delivery.through >= through);
        seen.extend(delivery.events.iter().map(|event| event.sequence()));
        through = delivery.through;
    }
    let log = store.read_log(ReadLog::from(Sequence::FIRST)).await.unwrap().events;
    assert_eq!(seen, log.iter().map(|event| event.sequence()).collect::<Vec<_>>());
}

/// A log that fails once.
struct Failing(GappedStore, AtomicUsize);

#[async_trait]
impl Follow for Failing {
    async fn page(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        if self.1.fetch_add(1, Ordering::Relaxed) == 1 {
            return Err(ReadError::Unavailable { reason: "the disk is away".into() });
        }
        self.0.read_log(read).await
    }

    async fn grown_past(&self, _: Sequence) -> Result<(), ReadError> {
        Ok(())
    }
}

#[tokio::test]
async fn after_an_error_a_subscription_is_over_and_says_so() {
    let store = GappedStore::new();
    append(&store).await;
    let failing = Arc::new(Failing(store, AtomicUsize::new(0)));
    let mut subscription = Subscription::following(failing, Subscribe::after(Sequence::ZERO, Filter::all()));
    assert_eq!(subscription.next().await.unwrap().events.len(), 1);
    let error = subscription.next().await.unwrap_err();
    assert_eq!(error.to_string(), "the event store is unavailable: the disk is away");
    let over = subscription.next().await.unwrap_err();
    assert_eq!(over.to_string(), "the event store is unavailable: the subscription ended");
}

/// A caught-up subscription to the category `wanted`.
async fn to_wanted(store: &GappedStore) -> Subscription {
    let filter = Filter { categories: vec![Category::new("wanted").unwrap()], ..Filter::all() };
    let mut subscription = store.subscribe(Subscribe::after(Sequence::ZERO, filter)).await.unwrap();
    assert!(subscription.next().await.unwrap().is_caught_up(), "told at once");
    subscription
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_without_matching_events_hears_progress_ten_times_a_second() {
    let store = GappedStore::new();
    let mut subscription = to_wanted(&store).await;
    let (mut deliveries, mut through) = (0, Sequence::ZERO);
    for _ in 0..1_000 {
        append(&store).await;
        advance(Duration::from_millis(1)).await;
        while let Some(delivery) = subscription.next().now_or_never() {
            let delivery = delivery.unwrap();
            assert!(delivery.events.is_empty() && delivery.through > through);
            (deliveries, through) = (deliveries + 1, delivery.through);
        }
    }
    assert!((9..=10).contains(&deliveries), "{deliveries} deliveries without events in a second");
}

#[tokio::test(start_paused = true)]
async fn an_event_is_delivered_at_once_together_with_pending_progress() {
    let store = GappedStore::new();
    let mut subscription = to_wanted(&store).await;
    let begun = Instant::now();
    for _ in 0..20 {
        append(&store).await;
        assert!(subscription.next().now_or_never().is_none(), "progress is not due yet");
        let head = append_to(&store, "wanted-1").await;
        let delivery = subscription.next().await.unwrap();
        assert_eq!((delivery.events.len(), delivery.through), (1, head));
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "no event waited for a timer");
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_once_it_is_due_even_if_no_event_follows() {
    let store = GappedStore::new();
    let mut subscription = to_wanted(&store).await;
    let begun = Instant::now();
    let head = append(&store).await;
    let delivery = subscription.next().await.unwrap();
    assert_eq!((delivery.through, delivery.events.len()), (head, 0));
    // The timer's own resolution is a millisecond.
    assert!(begun.elapsed() <= PROGRESS_EVERY + Duration::from_millis(1));
    advance(PROGRESS_EVERY).await;
    assert!(subscription.next().now_or_never().is_none(), "nothing came since");
    let head = append(&store).await;
    let told = subscription.next().now_or_never().expect("after a quiet time it is told at once");
    assert_eq!(told.unwrap().through, head);
}

#[tokio::test(start_paused = true)]
async fn during_catch_up_progress_is_told_page_by_page_without_a_wait() {
    let store = GappedStore::new();
    for _ in 0..30 {
        let event = || NewEvent::json(EventType::new("happened").unwrap(), "{}");
        let events = (0..1_000).map(|_| event()).collect();
        let append = Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, events);
        store.append(append).await.unwrap();
    }
    let (begun, head) = (Instant::now(), store.head().await.unwrap().last);
    let filter = Filter { categories: vec![Category::new("wanted").unwrap()], ..Filter::all() };
    let mut subscription = store.subscribe(Subscribe::after(Sequence::ZERO, filter)).await.unwrap();
    let mut deliveries = 1;
    while subscription.next().await.unwrap().through < head {
        deliveries += 1;
    }
    assert!(deliveries >= 3, "{deliveries} deliveries over {head} sequence numbers");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
