//! Subscriptions: catch-up to live without gap or duplicate, whoever comes, goes or stalls.

use super::{
    Store,
    fixture::{Subscriber, append, at_once, event_of, fill, log, of, recorded, stream},
};
use crate::{Filter, PROGRESS_EVERY, Subscribe};
use annals_event::{Append, Category, ExpectedVersion::Any, Sequence};
use std::{
    pin::pin,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout};

fn category(name: &str) -> Filter {
    Filter { categories: vec![Category::new(name).unwrap()], ..Filter::all() }
}

pub async fn a_new_subscriber_is_told_at_once_that_it_is_caught_up(store: Store) {
    let first = Subscriber::to(&store).await.next().await;
    assert!(first.is_caught_up() && first.events.is_empty());
    assert_eq!(first.through, Sequence::ZERO);
    let head = append(&store, of("a", 3)).await.head;
    let first = Subscriber::from(&store, head.next(), Filter::all()).await.next().await;
    assert!(first.is_caught_up() && first.events.is_empty(), "even when nothing follows its checkpoint");
    assert_eq!((first.through, first.head), (head, head));
}

pub async fn a_subscriber_gets_what_was_there_and_then_what_comes(store: Store) {
    fill(&store, 20).await;
    let mut subscriber = Subscriber::to(&store).await;
    subscriber.until_caught_up().await;
    assert_eq!(subscriber.events, log(&store).await);
    for _ in 0..20 {
        let receipt = append(&store, of("live", 2)).await;
        subscriber.until(receipt.head).await;
    }
    assert_eq!(subscriber.events, log(&store).await);
}

pub async fn a_subscriber_that_waits_is_woken_by_an_append(store: Store) {
    let mut subscriber = Subscriber::to(&store).await;
    subscriber.until_caught_up().await;
    for _ in 0..20 {
        // 1. The subscriber waits at the head. 2. An append is answered. 3. The subscriber has it.
        let mut next = pin!(subscriber.next());
        assert!(futures::poll!(next.as_mut()).is_pending(), "there is nothing to deliver yet");
        let receipt = append(&store, of("a", 1)).await;
        let delivery = next.await;
        assert_eq!(delivery.through, receipt.head);
    }
    assert_eq!(subscriber.events, log(&store).await);
}

pub async fn a_dropped_wait_loses_nothing(store: Store) {
    let mut subscription = store.subscribe(Subscribe::after(Sequence::ZERO, Filter::all())).await.unwrap();
    assert!(subscription.next().await.unwrap().is_caught_up());
    let (mut got, mut through) = (Vec::new(), Sequence::ZERO);
    for polls in 0..20 {
        {
            let mut next = pin!(subscription.next());
            assert!(futures::poll!(next.as_mut()).is_pending());
        }
        let head = append(&store, of("a", 1)).await.head;
        {
            // Dropped while it may be reading what has just arrived.
            let mut next = pin!(subscription.next());
            for _ in 0..polls % 3 {
                if let std::task::Poll::Ready(delivery) = futures::poll!(next.as_mut()) {
                    let delivery = delivery.unwrap();
                    got.extend(recorded(&delivery.events));
                    through = delivery.through;
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        while through < head {
            let delivery = subscription.next().await.unwrap();
            got.extend(recorded(&delivery.events));
            through = delivery.through;
        }
    }
    assert_eq!(got, log(&store).await);
}

pub async fn a_subscriber_from_beyond_the_head_gets_only_what_lies_there(store: Store) {
    let head = append(&store, of("a", 2)).await.head;
    let from = head.plus(5);
    let mut subscriber = Subscriber::from(&store, from, Filter::all()).await;
    assert!(subscriber.next().await.is_caught_up());
    let mut last = head;
    while last < from.plus(5) {
        last = append(&store, of("a", 1)).await.head;
    }
    subscriber.until(last).await;
    let wanted: Vec<_> = log(&store).await.into_iter().filter(|event| event.sequence >= from).collect();
    assert_eq!(subscriber.events, wanted);
}

pub async fn a_subscriber_resumes_after_its_last_delivery(store: Store) {
    let mut subscriber = Subscriber::to(&store).await;
    for _ in 0..30 {
        let head = append(&store, of("a", 2)).await.head;
        subscriber.until(head).await;
        append(&store, of("b", 1)).await;
        subscriber.resubscribe(&store).await;
    }
    subscriber.until_caught_up().await;
    assert_eq!(subscriber.events, log(&store).await);
}

pub async fn a_filtered_subscriber_gets_progress_over_what_it_skips(store: Store) {
    fill(&store, 30).await;
    let mut subscriber = Subscriber::from(&store, Sequence::FIRST, category("payment")).await;
    subscriber.until_caught_up().await;
    for _ in 0..10 {
        let skipped = append(&store, of("order-1", 3)).await;
        subscriber.until(skipped.head).await;
        let wanted = append(&store, of("payment-1", 1)).await;
        subscriber.until(wanted.head).await;
    }
    let wanted = log(&store).await.into_iter().filter(|event| event.stream.category() == "payment");
    assert_eq!(subscriber.events, wanted.collect::<Vec<_>>());
}

pub async fn progress_without_events_is_told_now_and_then_only(store: Store) {
    let mut subscriber = Subscriber::from(&store, Sequence::FIRST, category("payment")).await;
    subscriber.until_caught_up().await;
    let (mut told, begun) = (0, Instant::now());
    for _ in 0..100 {
        let skipped = append(&store, of("order-1", 1)).await.head;
        // As many deliveries as arrive without waiting, as taken by a subscriber that has nothing else to do.
        while let Ok(delivery) = timeout(Duration::from_millis(1), subscriber.next()).await {
            told += 1;
            if delivery.through >= skipped {
                break;
            }
        }
    }
    // However slow the store is, it does not tell more often. One more is allowed at either end.
    let allowed = 2 + begun.elapsed().as_millis() / PROGRESS_EVERY.as_millis();
    assert!(told <= allowed, "{told} deliveries without events, {allowed} were due");
    let wanted = append(&store, of("payment-1", 1)).await;
    subscriber.until(wanted.head).await;
    assert_eq!(subscriber.events.len(), 1);
}

pub async fn a_stalled_subscriber_holds_up_nobody_and_misses_nothing(store: Store) {
    let mut stalled = Subscriber::to(&store).await;
    stalled.next().await;
    let mut awake = Subscriber::to(&store).await;
    for _ in 0..200 {
        let mut large = of("large", 1);
        large.writes[0].events[0].payload = vec![b' '; 50_000].into();
        let head = append(&store, large).await.head;
        awake.until(head).await;
    }
    stalled.until(awake.through).await;
    assert_eq!(stalled.events, awake.events);
    assert_eq!(stalled.events.len(), 200);
}

pub async fn subscribers_that_come_and_go_miss_nothing_and_see_nothing_twice(store: Store) {
    const WRITERS: usize = 4;
    const SUBSCRIBERS: usize = 6;
    const APPENDS: usize = 40;
    let done = watch::Sender::new(0);
    let all = at_once(WRITERS + SUBSCRIBERS, |index| {
        let (store, done) = (store.clone(), done.clone());
        async move {
            if index < WRITERS {
                write(&store, &done, index, APPENDS).await;
                return Vec::new();
            }
            // Each arrives at a different moment, and leaves and returns at a different pace.
            let (late, pace) = ((index - WRITERS) * WRITERS * APPENDS / SUBSCRIBERS, 1 + index - WRITERS);
            done.subscribe().wait_for(|done| *done >= late).await.unwrap();
            follow_to_the_end(&store, WRITERS, pace).await.events
        }
    });
    let seen = all.await.split_off(WRITERS);
    let whole = log(&store).await;
    assert!(seen.iter().all(|seen| *seen == whole));
}

async fn write(store: &Store, done: &watch::Sender<usize>, index: usize, appends: usize) {
    for round in 0..appends {
        append(store, of(&format!("own-{index}"), 1 + round % 3)).await;
        done.send_modify(|done| *done += 1);
    }
    append(store, Append::to(stream("ends"), Any, vec![event_of("ended")])).await;
}

async fn follow_to_the_end(store: &Store, ends: usize, pace: usize) -> Subscriber {
    let mut subscriber = Subscriber::to(store).await;
    let mut deliveries = 0;
    while subscriber.events.iter().filter(|event| event.stream.as_str() == "ends").count() < ends {
        subscriber.next().await;
        deliveries += 1;
        if deliveries % pace == 0 {
            subscriber.resubscribe(store).await;
        }
    }
    subscriber
}

pub async fn fifty_subscribers_all_get_everything(store: Store) {
    let all = at_once(51, |index| {
        let store = store.clone();
        async move {
            if index == 0 {
                for _ in 0..50 {
                    append(&store, of("a", 2)).await;
                }
                append(&store, Append::to(stream("ends"), Any, vec![event_of("ended")])).await;
                return Vec::new();
            }
            follow_to_the_end(&store, 1, usize::MAX).await.events
        }
    });
    let seen = all.await.split_off(1);
    let whole = log(&store).await;
    assert_eq!(whole.len(), 101);
    assert!(seen.iter().all(|seen| *seen == whole));
}
