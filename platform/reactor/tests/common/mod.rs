//! A small world to react in: orders are placed, accounts are charged. An account takes every charge, so that a
//! reaction that happens twice shows.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test programs, each of which uses its part"
)]

pub mod planted;
pub mod troubled;

use annals_aggregate::{Aggregate, Repository};
use annals_event::{
    Append, Category, CodecError, Event, EventId, EventType, ExpectedVersion, MarkName, Metadata, NewEvent,
    Recorded, RecordedEvent, Sequence, StreamName,
};
use annals_reactor::{
    OnRefused, Options, Reaction, Reactor, ReactorError, ReactorHandle, ReactorWorker, Start, WaitError,
};
use annals_store::{EventStore, Filter, ReadLog};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; only a broken test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderPlaced {
    pub customer: String,
    pub cents: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charged {
    pub cents: u64,
    #[serde(default)]
    pub note: String,
}

fn encode(event_type: &str, event: &impl Serialize) -> Result<Bytes, CodecError> {
    serde_json::to_vec(event).map(Bytes::from).map_err(|error| CodecError::new(event_type, error))
}
fn decode<E: DeserializeOwned>(event_type: &str, payload: &[u8]) -> Result<Option<E>, CodecError> {
    serde_json::from_slice(payload).map(Some).map_err(|error| CodecError::new(event_type, error))
}

macro_rules! event {
    ($event:ident, $name:literal) => {
        impl Event for $event {
            const TYPES: &'static [(&'static str, u32)] = &[($name, 1)];
            fn event_type(&self) -> &'static str {
                $name
            }
            fn schema_version(&self) -> u32 {
                1
            }
            fn encode(&self) -> Result<Bytes, CodecError> {
                encode($name, self)
            }
            fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
                if event_type == $name { decode($name, payload) } else { Ok(None) }
            }
        }
    };
}
event!(OrderPlaced, "order.placed");
event!(Charged, "account.charged");

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub cents: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    pub cents: u64,
    pub note: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the account has its limit of {limit} cents")]
pub struct OverLimit {
    limit: u64,
}

pub const LIMIT_CENTS: u64 = 1_000_000;

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = Charged;
    type Command = Charge;
    type Error = OverLimit;

    fn decide(&self, Charge { cents, note }: Charge) -> Result<Vec<Charged>, OverLimit> {
        match cents {
            0 => Ok(vec![]),
            _ if self.cents + cents > LIMIT_CENTS => Err(OverLimit { limit: LIMIT_CENTS }),
            _ => Ok(vec![Charged { cents, note }]),
        }
    }
    fn evolve(&mut self, event: &Charged) {
        self.cents += event.cents;
    }
}

/// Charges the customer's account for each order, and the account of the house with a cent.
#[derive(Clone)]
pub struct ChargeOrders {
    pub start: Start,
    pub rejected: OnRefused,
    /// How long the note on the charge for an order is.
    pub note_bytes: fn(&OrderPlaced) -> usize,
}

impl Default for ChargeOrders {
    fn default() -> Self {
        Self { start: Start::Beginning, rejected: OnRefused::Stop, note_bytes: |_| 0 }
    }
}

impl ChargeOrders {
    pub fn reactor(self) -> Reactor {
        let Self { start, rejected, note_bytes } = self;
        let charge = move |placed: &Recorded<OrderPlaced>| {
            let note = "x".repeat(note_bytes(placed));
            let house = Charge { cents: 1, note: String::new() };
            vec![
                Reaction::to::<Account>(&placed.customer, Charge { cents: placed.cents, note }),
                Reaction::to::<Account>("house", house),
            ]
        };
        let reactor = Reactor::named("charge-orders", start).on(charge);
        reactor.on_refused::<Account>(move |_, _| rejected).build().unwrap()
    }
}

pub fn mark() -> MarkName {
    MarkName::new("reactor/charge-orders").unwrap()
}

/// An event whose id depends on its stream alone, so that two runs over the same orders compare.
pub fn event_of(stream: &str, event_type: &str, payload: impl Into<Bytes>) -> Append {
    let event = NewEvent {
        id: EventId::from_name(stream),
        ..NewEvent::json(EventType::new(event_type).unwrap(), payload)
    };
    Append::to(StreamName::new(stream).unwrap(), ExpectedVersion::NoStream, vec![event])
}

pub fn order(number: usize, customer: &str, cents: u64) -> Append {
    let placed = OrderPlaced { customer: customer.to_owned(), cents };
    event_of(&format!("order-{number}"), "order.placed", placed.encode().unwrap())
}

/// Writes the events; gives the sequence number of the last one.
pub async fn append_all(store: &dyn EventStore, appends: impl IntoIterator<Item = Append>) -> Sequence {
    let mut last = Sequence::ZERO;
    for append in appends {
        last = store.append(append).await.unwrap().head;
    }
    last
}

/// Twelve orders of three customers, with events between them that nobody waits for.
pub async fn place_orders(store: &dyn EventStore) -> Sequence {
    let customers = ["ada", "bob", "cy"];
    let orders = (0..12).flat_map(|n| {
        let noise = event_of(&format!("visit-{n}"), "visit.begun", "{}");
        [noise, order(n, customers[n % 3], 100 + u64::try_from(n).unwrap())]
    });
    append_all(store, orders).await
}

pub type Running = (ReactorHandle, CancellationToken, JoinHandle<Result<(), ReactorError>>);

pub fn repository(store: Arc<dyn EventStore>) -> Repository<Account> {
    Repository::new(store).service("accounts")
}

pub fn worker(store: Arc<dyn EventStore>, batch_events_max: usize) -> ReactorWorker {
    let options = Options { batch_events_max, ..Options::default() };
    ReactorWorker::new(repository(store), ChargeOrders::default().reactor(), options)
}

pub fn start(worker: ReactorWorker) -> Running {
    let (handle, stop) = (worker.handle(), CancellationToken::new());
    let task = tokio::spawn(worker.run(stop.clone()));
    (handle, stop, task)
}

/// Runs the worker until everything up to `through` is handled, then stops it in order.
pub async fn run_until(worker: ReactorWorker, through: Sequence) {
    try_run_until(worker, through).await.unwrap();
}

/// The same with a worker that may fail.
pub async fn try_run_until(worker: ReactorWorker, through: Sequence) -> Result<(), ReactorError> {
    let (handle, stop, task) = start(worker);
    match handle.wait_for(through, PATIENCE).await {
        Ok(_) | Err(WaitError::Stopped { .. }) => stop.cancel(),
        Err(error) => panic!("{error}"),
    }
    task.await.unwrap()
}

/// What a charge is but for its place in the log and its time.
#[derive(Debug, PartialEq)]
pub struct Output {
    pub stream: String,
    pub version: u64,
    pub id: EventId,
    pub charged: Charged,
    pub metadata: Metadata,
}

/// All charges by account, each account's in order: what must not depend on how events fell into batches.
pub async fn charges(store: &dyn EventStore) -> Vec<Output> {
    let events = events(store, "account").await.into_iter();
    let output = |event: RecordedEvent| Output {
        stream: event.stream.to_string(),
        version: event.version.get(),
        id: event.event.id,
        charged: serde_json::from_slice(&event.event.payload).unwrap(),
        metadata: event.event.metadata,
    };
    let mut outputs: Vec<_> = events.map(output).collect();
    outputs.sort_by(|a, b| (&a.stream, a.version).cmp(&(&b.stream, b.version)));
    outputs
}

/// The appends among these that write events; others only save progress.
pub fn writing(appends: Vec<Append>) -> Vec<Append> {
    appends.into_iter().filter(|append| !append.writes.is_empty()).collect()
}

pub async fn events(store: &dyn EventStore, category: &str) -> Vec<RecordedEvent> {
    let filter = Filter { categories: vec![Category::new(category).unwrap()], ..Filter::all() };
    let (mut from, mut events) = (Sequence::FIRST, Vec::new());
    loop {
        let page = store.read_log(ReadLog::filtered(from, filter.clone())).await.unwrap();
        events.extend(page.events.iter().map(|event| event.to_recorded().unwrap()));
        if page.is_last() {
            return events;
        }
        from = page.through.next();
    }
}
