//! Line 18: 100 subscribers with a backlog take one delivery and then nothing. The server keeps little for them, and
//! appends go on as fast as without them. What appends alone add to the server's memory in the same time is measured
//! first and does not count. The same with events of the largest size, of which two may wait for each subscriber.

use super::{Effort, Run};
use crate::{
    card::Finding,
    ground::in_memory,
    load::{fill, fill_with_large, rate},
    process::{Server, patient},
};
use annals_event::Sequence;
use annals_store::{EventStore, Filter, Subscribe, Subscription};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::time::sleep;

const SUBSCRIBERS: u64 = 100;
const CLIENTS: u64 = 16;
/// How much the server's memory may grow.
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// How long the server has to send all that it can.
const SETTLING_TIME: Duration = Duration::from_secs(1);
/// How many events of the largest size there are for other subscribers.
const LARGE_EVENTS: u64 = 64;
/// How much the server's memory may grow for each of those that stall.
const LARGE_GROWTH_BYTES_MAX: u64 = (2 << 20) + (512 << 10);
/// The least share of the append rate that must be left.
const RATE_SHARE_MIN: f64 = 0.9;

pub(super) async fn judge(run: &Run) -> Result<Finding> {
    let backlog_bytes = run.effort.pick(128 << 20, 1 << 30);
    let time = Duration::from_secs(run.effort.pick(3, 20));
    let folder = in_memory()?;
    let server = Server::start(run.program.command(folder.path())).await?;
    let store = server.client_with(patient()).await?;
    fill(&store, backlog_bytes).await?;

    rate(&store, CLIENTS, time).await?;
    let warm_bytes = server.memory_bytes()?;
    let before = rate(&store, CLIENTS, time).await?;
    let alone_bytes = server.memory_bytes()?;
    let stalled = stall(&server).await?;
    let stalled_bytes = server.memory_bytes()?;
    let with = rate(&store, CLIENTS, time).await?;
    let end_bytes = server.memory_bytes()?;
    let drift = alone_bytes.saturating_sub(warm_bytes);
    let grown = end_bytes.saturating_sub(alone_bytes).saturating_sub(drift);
    drop(stalled);
    let after = rate(&store, CLIENTS, time).await?;
    server.kill().await?;

    let share = with / f64::midpoint(before, after);
    let mut finding = Finding::default();
    finding.count(SUBSCRIBERS, "stalled subscribers");
    finding.count(backlog_bytes >> 20, "MiB of backlog");
    finding.count(grown >> 20, "MiB of growth");
    finding.note(format!(
        "{before:.0} appends/s before, {with:.0} with the stalled subscribers, {after:.0} after: a share of {share:.2}"
    ));
    finding.note(format!(
        "memory in MiB: {} warm, {} after appends alone, {} when all had stalled, {} after appends beside them",
        warm_bytes >> 20,
        alone_bytes >> 20,
        stalled_bytes >> 20,
        end_bytes >> 20,
    ));
    let large = stall_at_large_events(run).await?;
    finding.count(large >> 20, "MiB of growth with events of 1 MiB");
    finding.violations.must(large <= SUBSCRIBERS * LARGE_GROWTH_BYTES_MAX, || {
        format!("with events of the largest size the server grew by {large} bytes")
    });
    finding.violations.must(grown <= GROWTH_BYTES_MAX, || format!("the server grew by {grown} bytes"));
    if run.effort == Effort::Card {
        finding
            .violations
            .must(share >= RATE_SHARE_MIN, || format!("only {share:.2} of the append rate is left"));
    }
    Ok(finding)
}

/// How much the server grows with subscribers that stall at events of the largest size.
async fn stall_at_large_events(run: &Run) -> Result<u64> {
    let folder = in_memory()?;
    let server = Server::start(run.program.command(folder.path())).await?;
    fill_with_large(&server.client_with(patient()).await?, LARGE_EVENTS).await?;
    let before = server.memory_bytes()?;
    let stalled = stall(&server).await?;
    // Until it has sent what the subscribers' windows hold.
    sleep(SETTLING_TIME).await;
    let after = server.memory_bytes()?;
    drop(stalled);
    server.kill().await?;
    Ok(after.saturating_sub(before))
}

/// Subscriptions that are not read any further.
async fn stall(server: &Server) -> Result<Vec<Subscription>> {
    let store = server.client_with(patient()).await?;
    let mut stalled = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let subscribe = Subscribe { from: Sequence::FIRST, filter: Filter::all() };
        let mut subscription = store.subscribe(subscribe).await?;
        subscription.next().await.context("the first delivery")?;
        stalled.push(subscription);
    }
    Ok(stalled)
}
