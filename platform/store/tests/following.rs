//! `Subscription::following`, with appends forced into each gap between its steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_store::{
    EventStore, Filter, Follow, GappedStore, LogPage, ReadError, ReadLog, Subscribe, Subscription,
};
use async_trait::async_trait;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

async fn append(store: &GappedStore) -> Sequence {
    let event = NewEvent::json(EventType::new("happened").unwrap(), "{}");
    let write = Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event]);
    store.append(write).await.unwrap().head
}

/// A log to which somebody appends whenever the follower looks away, as long as there are appends left.
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
