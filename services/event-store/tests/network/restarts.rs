//! The server is stopped, killed and replaced while clients append and read.

use crate::support::{Server, event, one_event, stream};
use annals_event::{Append, ExpectedVersion, Sequence};
use annals_store::{
    AppendError, Call, EventStore, Filter, GappedStore, ReadError, ReadLog, ReadStream, Scene, Staged,
    Subscribe, Trouble,
};
use annals_store_grpc::{GrpcStore, Options};
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

fn from_the_start() -> Subscribe {
    Subscribe { from: Sequence::FIRST, filter: Filter::all() }
}

async fn sequences(store: &GappedStore) -> Vec<Sequence> {
    let page = store.read_log(ReadLog { events_max: usize::MAX, ..ReadLog::from(Sequence::FIRST) }).await;
    page.unwrap().events.iter().map(|event| event.sequence()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_misses_and_doubles_nothing_while_servers_are_killed() {
    const ROUNDS: usize = 20;
    const EVENTS_A_ROUND: usize = 50;
    let store = GappedStore::new();
    let mut server = Server::start_to_restart(Arc::new(store.clone())).await;
    let mut subscription = server.client().await.subscribe(from_the_start()).await.unwrap();
    let mut seen = Vec::new();
    for round in 1..=ROUNDS {
        for _ in 0..EVENTS_A_ROUND {
            store.append(one_event("a")).await.unwrap();
        }
        // Killed in the middle of a round's deliveries, or at the head.
        let wanted = round * EVENTS_A_ROUND - if round % 2 == 0 { EVENTS_A_ROUND / 2 } else { 0 };
        while seen.len() < wanted {
            let delivery = subscription.next().await.unwrap();
            seen.extend(delivery.events.iter().map(|event| event.sequence()));
        }
        let address = server.address;
        server.kill().await;
        server = Server::start_at(address, Arc::new(store.clone())).await;
    }
    while seen.len() < ROUNDS * EVENTS_A_ROUND {
        let delivery = subscription.next().await.unwrap();
        seen.extend(delivery.events.iter().map(|event| event.sequence()));
    }
    assert_eq!(seen, sequences(&store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_are_written_exactly_once_while_servers_are_killed() {
    const WRITERS: usize = 16;
    const APPENDS_A_WRITER: usize = 60;
    const KILLS: usize = 15;
    let store = GappedStore::new();
    let mut server = Server::start_to_restart(Arc::new(store.clone())).await;
    let client = server.client().await;
    let writers = TaskTracker::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            for _ in 0..APPENDS_A_WRITER {
                client.append(one_event(&format!("writer-{writer}"))).await.unwrap();
            }
        });
    }
    writers.close();
    let all = WRITERS * APPENDS_A_WRITER;
    for kill in 1..=KILLS {
        // Each kill waits for its share of the appends, so that all of them hit a busy server.
        let share = u64::try_from(all * kill / (KILLS + 1)).unwrap();
        while u64::try_from(sequences(&store).await.len()).unwrap() < share {
            tokio::task::yield_now().await;
        }
        let address = server.address;
        server.kill().await;
        server = Server::start_at(address, Arc::new(store.clone())).await;
    }
    writers.wait().await;
    assert_eq!(sequences(&store).await.len(), all);
    for writer in 0..WRITERS {
        let page = store.read_stream(ReadStream::forward(stream(&format!("writer-{writer}")))).await.unwrap();
        assert_eq!(page.events.len(), APPENDS_A_WRITER);
    }
}

/// Writes each append, but answers only once it is allowed to.
pub(crate) fn slow(store: &GappedStore) -> Staged {
    Staged::over(Arc::new(store.clone()), |call, _| match call {
        Call::Append => Scene::after(Trouble::Hold),
        _ => Scene::PASS,
    })
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_gets_it_from_the_next_server() {
    let store = GappedStore::new();
    let slow = slow(&store);
    let server = Server::start_to_restart(slow.store()).await;
    let (address, client) = (server.address, server.client().await);
    let appending = tokio::spawn(async move { client.append(one_event("a")).await });
    slow.arrived().await;
    server.kill().await;
    let _server = Server::start_at(address, Arc::new(store.clone())).await;
    let receipt = appending.await.unwrap().unwrap();
    assert!(receipt.repeated);
    assert_eq!(sequences(&store).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_stops_answers_what_is_under_way_and_ends_subscriptions() {
    let store = GappedStore::new();
    let slow = slow(&store);
    let server = Server::start_to_restart(slow.store()).await;
    let options = Options { retry_time_max: Duration::from_millis(20), ..Options::default() };
    let client = GrpcStore::connect(&server.url(), options).await.unwrap();
    let mut subscription = client.subscribe(from_the_start()).await.unwrap();
    assert!(subscription.next().await.unwrap().events.is_empty());
    let appending = tokio::spawn(async move { client.append(one_event("a")).await });
    slow.arrived().await;

    let stopping = tokio::spawn(server.stop());
    // The shutdown takes a bounded time although the append is still under way.
    let ended = loop {
        match subscription.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(ended.is_retryable(), "{ended}");
    assert!(!stopping.is_finished());
    slow.release(1);
    assert!(!appending.await.unwrap().unwrap().repeated);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_call_ends_at_its_callers_deadline_while_the_server_is_silent() {
    let store = GappedStore::new();
    let slow = slow(&store);
    let server = Server::start(slow.store()).await;
    let client = server.client().await;
    let error = client.within(Duration::from_millis(100)).append(one_event("a")).await.unwrap_err();
    let AppendError::Unavailable { reason } = &error else { panic!("{error}") };
    assert!(reason.contains("no answer within 100ms"), "{reason}");
    slow.release(2);
    assert!(!client.append(one_event("b")).await.unwrap().repeated, "the other handle has its own deadline");
}

#[tokio::test]
async fn a_server_that_stays_away_is_unavailable_in_bounded_time() {
    let server = Server::start_to_restart(Arc::new(GappedStore::new())).await;
    let options = Options { retry_time_max: Duration::from_millis(50), ..Options::default() };
    let client = GrpcStore::connect(&server.url(), options).await.unwrap();
    let mut subscription = client.subscribe(from_the_start()).await.unwrap();
    subscription.next().await.unwrap();
    server.kill().await;
    assert!(matches!(client.append(one_event("a")).await, Err(AppendError::Unavailable { .. })));
    assert!(matches!(client.head().await, Err(ReadError::Unavailable { .. })));
    assert!(matches!(subscription.next().await, Err(ReadError::Unavailable { .. })));
}

#[tokio::test]
async fn a_server_that_comes_back_with_another_log_is_refused() {
    let server = Server::start_to_restart(Arc::new(GappedStore::new())).await;
    let (address, client) = (server.address, server.client().await);
    let mut subscription = client.subscribe(from_the_start()).await.unwrap();
    subscription.next().await.unwrap();
    server.kill().await;
    let other = GappedStore::new();
    let _server = Server::start_at(address, Arc::new(other.clone())).await;
    let append = Append::to(stream("a"), ExpectedVersion::Any, vec![event()]);
    let (wanted, found) = (client.log_id(), other.head().await.unwrap().log_id);
    assert_eq!(client.append(append).await, Err(AppendError::OtherLog { wanted, found }));
    assert_eq!(subscription.next().await, Err(ReadError::OtherLog { wanted, found }));
    assert_eq!(client.head().await, Err(ReadError::OtherLog { wanted, found }));
    assert_eq!(sequences(&other).await, []);
}

#[tokio::test]
async fn a_client_may_wait_for_as_long_as_times_can_be() {
    let server = Server::start(Arc::new(GappedStore::new())).await;
    let forever = Duration::MAX;
    let patient = Options {
        connect_time_max: forever,
        request_time_max: forever,
        retry_time_max: forever,
        call_time_max: forever,
        keepalive_interval: forever,
        keepalive_time_max: forever,
    };
    let client = GrpcStore::connect(&server.url(), patient).await.unwrap();
    client.append(one_event("a")).await.unwrap();
    let all = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
    assert_eq!(client.subscribe(all).await.unwrap().next().await.unwrap().events.len(), 1);
}
