//! Appends in bulk, for judges that need a log of some size or a rate.

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName, limits};
use annals_store::EventStore;
use annals_store_grpc::GrpcStore;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const PAYLOAD_BYTES: usize = 1_000;
/// How many events a bulk append has.
const BULK_EVENTS: u64 = 1_000;
/// How many bulk appends are in progress at once.
const BULK_APPENDS: u64 = 4;
/// Over how many streams the events are spread.
const STREAMS: u64 = 1_000;

fn event(payload_bytes: usize) -> Result<NewEvent> {
    Ok(NewEvent::json(EventType::new("happened")?, vec![7; payload_bytes]))
}

fn append(stream: u64, events: u64) -> Result<Append> {
    let events: Result<Vec<_>> = (0..events).map(|_| event(PAYLOAD_BYTES)).collect();
    Ok(Append::to(StreamName::new(format!("order-{}", stream % STREAMS))?, ExpectedVersion::Any, events?))
}

/// Fills a log with about this many bytes of events; returns how many events those are.
pub(crate) async fn fill(store: &GrpcStore, bytes: u64) -> Result<u64> {
    let appends = bytes.div_ceil(BULK_EVENTS * u64::try_from(PAYLOAD_BYTES)?);
    let mut fillers = JoinSet::new();
    for filler in 0..BULK_APPENDS {
        let store = store.clone();
        fillers.spawn(async move {
            for number in (filler..appends).step_by(usize::try_from(BULK_APPENDS)?) {
                store.append(append(number, BULK_EVENTS)?).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(filled) = fillers.join_next().await {
        filled??;
    }
    Ok(appends * BULK_EVENTS)
}

/// Appends this many events of the largest size, one by one.
pub(crate) async fn fill_with_large(store: &GrpcStore, events: u64) -> Result<()> {
    for number in 0..events {
        let stream = StreamName::new(format!("large-{number}"))?;
        let large = event(limits::PAYLOAD_BYTES_MAX)?;
        store.append(Append::to(stream, ExpectedVersion::Any, vec![large])).await?;
    }
    Ok(())
}

/// How many single appends per second `clients` clients make over about this time.
pub(crate) async fn rate(store: &GrpcStore, clients: u64, time: Duration) -> Result<f64> {
    let (begun, mut running) = (Instant::now(), JoinSet::new());
    for client in 0..clients {
        let store = store.clone();
        running.spawn(async move {
            let mut made = 0_u32;
            while begun.elapsed() < time {
                store.append(append(client, 1)?).await?;
                made += 1;
            }
            anyhow::Ok(made)
        });
    }
    let mut made = 0;
    while let Some(ended) = running.join_next().await {
        made += ended??;
    }
    Ok(f64::from(made) / begun.elapsed().as_secs_f64())
}
