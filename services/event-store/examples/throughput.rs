//! How fast the log is over the network, compared with the same log in the same process.
//!
//! ```text
//! cargo run --release -p annals-event-store --example throughput [CLIENTS] [APPENDS A CLIENT]
//! ```
//!
//! Server and clients share this process and its cores: compare the figures of one run with each other only.
#![expect(clippy::print_stdout, reason = "a program prints")]

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_event_store::{Options, Service};
use annals_store::{EventStore, Filter, ReadLog, Subscribe};
use annals_store_grpc::GrpcStore;
use annals_store_log::LogStore;
use anyhow::Result;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PAYLOAD_BYTES: usize = 200;

#[derive(Clone, Copy)]
struct Load {
    clients: u32,
    appends_a_client: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let load = Load { clients: number(64)?, appends_a_client: number(500)? };
    let (direct, served) = (tempfile::tempdir()?, tempfile::tempdir()?);

    let log = LogStore::open(direct.path(), annals_store_log::Options::default()).await?;
    measure("embedded", Arc::new(log), load).await?;

    let log = LogStore::open(served.path(), annals_store_log::Options::default()).await?;
    let service = Service::bind(Options::loopback(), Arc::new(log)).await?;
    let url = format!("http://{}", service.address());
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(service.run(shutdown.clone()));
    let client = GrpcStore::connect(&url, annals_store_grpc::Options::default()).await?;
    measure("over gRPC", Arc::new(client), load).await?;
    shutdown.cancel();
    Ok(server.await?)
}

async fn measure(name: &str, store: Arc<dyn EventStore>, load: Load) -> Result<()> {
    let begun = Instant::now();
    let mut latencies = append_all(&store, load).await?;
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or_default();
    let (p50, p99) = (at(50), at(99));
    println!(
        "{name}: {} clients append {:.0} events/s, p50 {p50:.1?}, p99 {p99:.1?}",
        load.clients,
        rate(latencies.len(), elapsed)
    );

    let begun = Instant::now();
    let events = read_all(&store).await?;
    println!("{name}: pages of the log, {:.0} events/s", rate(events, begun.elapsed()));
    let begun = Instant::now();
    let events = catch_up(&store).await?;
    println!("{name}: a subscription catches up, {:.0} events/s", rate(events, begun.elapsed()));
    Ok(())
}

fn rate(count: usize, elapsed: Duration) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from) / elapsed.as_secs_f64()
}

async fn append_all(store: &Arc<dyn EventStore>, load: Load) -> Result<Vec<Duration>> {
    let mut clients = JoinSet::new();
    for client in 0..load.clients {
        let store = Arc::clone(store);
        clients.spawn(async move { append_some(store, client, load.appends_a_client).await });
    }
    let mut latencies = Vec::new();
    for client in clients.join_all().await {
        latencies.extend(client?);
    }
    Ok(latencies)
}

async fn append_some(store: Arc<dyn EventStore>, client: u32, appends: u32) -> Result<Vec<Duration>> {
    let (stream, event_type) =
        (StreamName::new(format!("bench-{client}"))?, EventType::new("bench.happened")?);
    let mut latencies = Vec::new();
    for _ in 0..appends {
        let event = NewEvent::json(event_type.clone(), vec![b' '; PAYLOAD_BYTES]);
        let append = Append::to(stream.clone(), ExpectedVersion::Any, vec![event]);
        let begun = Instant::now();
        store.append(append).await?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

async fn read_all(store: &Arc<dyn EventStore>) -> Result<usize> {
    let (mut read, mut events) = (ReadLog::from(Sequence::FIRST), 0);
    loop {
        let page = store.read_log(read.clone()).await?;
        events += page.events.len();
        if page.is_last() {
            return Ok(events);
        }
        read.from = page.through.next();
    }
}

async fn catch_up(store: &Arc<dyn EventStore>) -> Result<usize> {
    let all = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
    let (mut subscription, mut events) = (store.subscribe(all).await?, 0);
    loop {
        let delivery = subscription.next().await?;
        events += delivery.events.len();
        if delivery.is_caught_up() {
            return Ok(events);
        }
    }
}
