//! Two copies of the service on one event store, as in the seconds of a rolling update.

use crate::command;
use annals::{
    event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName},
    store::{EventStore, Filter, ReadLog},
};
use annals_store_grpc::GrpcStore;
use annals_tests::{Program, Server};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::yield_now;

/// How many orders come after the copy that works has gone.
const ORDERS_AFTER: usize = 50;

/// A copy, and where it serves.
type Copy = (Server, String);

fn start(data: &Path, store: &str) -> Copy {
    let variables = [
        ("ANNALS_DATA", data.to_str().unwrap()),
        ("ANNALS_STORE", store),
        ("ANNALS_LISTEN", "127.0.0.1:0"),
        ("ANNALS_HTTP__DRAIN", "0s"),
    ];
    let mut server = Server::start(command(&variables)).unwrap();
    let url = server.line("listening on ").unwrap();
    (server, url)
}

/// What the copy says that its reactor does.
async fn reactor(url: &str) -> String {
    let health: Value = reqwest::get(format!("{url}/health")).await.unwrap().json().await.unwrap();
    health["consumers"]["reactor"]["orders"]["state"].as_str().unwrap().to_owned()
}

/// An order that is placed, and what payments says of it.
async fn order(store: &GrpcStore, number: usize) {
    let write = |append: Append, category: &str, event_type: &str, payload: Value| {
        let stream = StreamName::new(format!("{category}-{number}")).unwrap();
        let event = NewEvent::json(EventType::new(event_type).unwrap(), payload.to_string());
        append.write(stream, ExpectedVersion::NoStream, vec![event])
    };
    let placed = json!({ "customer": "ann", "cents": 5 });
    let append = write(Append::new(), "order", "order.placed", placed);
    let captured = json!({ "order": number.to_string() });
    store.append(write(append, "payment", "payment.captured", captured)).await.unwrap();
}

/// Appends orders until told to stop; returns how many.
async fn orders(store: Arc<GrpcStore>, stop: Arc<AtomicBool>) -> usize {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        order(&store, number).await;
        number += 1;
    }
    number
}

/// How often each order was paid.
async fn paid(store: &GrpcStore) -> BTreeMap<String, usize> {
    let (mut paid, mut from) = (BTreeMap::new(), Sequence::new(1));
    loop {
        let filter = Filter { event_types: vec![EventType::new("order.paid").unwrap()], ..Filter::all() };
        let page = store.read_log(ReadLog::filtered(from, filter)).await.unwrap();
        for event in page.events.iter() {
            *paid.entry(event.stream().to_owned()).or_default() += 1;
        }
        if page.through >= page.head {
            return paid;
        }
        from = page.through.next();
    }
}

/// Ends the copy that works with `signal` while orders come, and holds that the other one takes over.
async fn one_takes_over_from_the_other(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let arguments = ["--data", at("store").to_str().unwrap(), "--listen", "127.0.0.1:0"].map(str::to_owned);
    let mut server = Program::build("annals-event-store").unwrap().serve(&arguments).unwrap();
    let url = server.line("listening on ").unwrap();
    let store = Arc::new(GrpcStore::connect(&url, Default::default()).await.unwrap());
    let (old, new) = (start(&at("old"), &url), start(&at("new"), &url));
    let stop = Arc::new(AtomicBool::new(false));
    let traffic = tokio::spawn(orders(store.clone(), stop.clone()));
    let (works, waits) = loop {
        match (reactor(&old.1).await.as_str(), reactor(&new.1).await.as_str()) {
            ("running" | "starting", "running" | "starting") => yield_now().await,
            ("running", _) => break (old, new),
            _ => break (new, old),
        }
    };
    works.0.signal(signal).unwrap();
    works.0.ended().unwrap();
    stop.store(true, Ordering::SeqCst);
    let before = traffic.await.unwrap();
    for number in before..before + ORDERS_AFTER {
        order(&store, number).await;
    }
    while paid(&store).await.len() < before + ORDERS_AFTER {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(paid(&store).await.values().all(|times| *times == 1));
    waits.0.stop().unwrap();
    server.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_over_from_one_that_was_killed() {
    one_takes_over_from_the_other("KILL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_over_from_one_that_was_told_to_stop() {
    one_takes_over_from_the_other("TERM").await;
}
