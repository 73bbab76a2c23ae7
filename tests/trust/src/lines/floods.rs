//! Line 17: strangers open connections and send nothing, too little or too much, and never finish what they begin.
//! The server's memory stays within a bound, and a client that keeps the rules goes on.

mod strangers;

use super::{Effort, Run};
use crate::{
    card::{Finding, Violations},
    ground::in_memory,
    process::{Server, patient},
};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_store::EventStore;
use annals_store_grpc::GrpcStore;
use anyhow::Result;
use std::time::Duration;
use strangers::Flood;
use tokio::time::{Instant, sleep, timeout};

/// How much the server's memory may grow in any of the floods: the budget for bodies, what HTTP/2 may buffer for each
/// connection, and what the allocator keeps.
const GROWTH_BYTES_MAX: u64 = 256 << 20;
/// How long an append of a client that keeps the rules may take, whatever else happens.
const APPEND_TIME_MAX: Duration = Duration::from_secs(20);
/// How often the memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(20);
/// How many times its p99 without a flood the p99 may be.
const P99_RATIO_MAX: f64 = 2.0;

pub(super) async fn judge(run: &Run) -> Result<Finding> {
    let time = Duration::from_secs(run.effort.pick(2, 30));
    let mut finding = Finding::default();
    for flood in Flood::ALL {
        run.progress.set(format!("{flood:?}"));
        let folder = in_memory()?;
        let mut command = run.program.command(&folder.path().join("log"));
        command.arg("--backups").arg(folder.path().join("backups"));
        let server = Server::start(command).await?;
        let store = server.client_with(patient()).await?;
        let alone = well(&store, time, flood, &mut finding.violations).await?;
        let before_bytes = server.memory_bytes()?;
        let strangers = flood.begin(&server.address());
        let (beside, most_bytes) =
            tokio::join!(well(&store, time, flood, &mut finding.violations), most_memory(&server, time));
        let beside = beside?;
        drop(strangers);
        let grown = most_bytes?.saturating_sub(before_bytes);
        // And once they are gone.
        well(&store, time / 4, flood, &mut finding.violations).await?;
        server.kill().await?;
        finding.violations.must(grown <= GROWTH_BYTES_MAX, || format!("{flood:?}: it grew by {grown} bytes"));
        let ratio = p99_us(&beside) / p99_us(&alone);
        if run.effort == Effort::Card {
            finding
                .violations
                .must(ratio <= P99_RATIO_MAX, || format!("{flood:?}: p99 is {ratio:.2} of what it was"));
        }
        finding.note(format!("{flood:?}: grown by {} MiB, healthy p99 {ratio:.2} of alone", grown >> 20));
        finding.count(u64::try_from(beside.len())?, format!("appends beside {flood:?}"));
    }
    let appends = finding.counts.drain(..).map(|count| count.count).sum();
    finding.count(u64::try_from(Flood::ALL.len())?, "kinds of floods");
    finding.count(appends, "appends beside them");
    Ok(finding)
}

/// A client that keeps the rules: how long its appends take, in microseconds.
async fn well(
    store: &GrpcStore,
    time: Duration,
    flood: Flood,
    violations: &mut Violations,
) -> Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < time || times.is_empty() {
        let event = NewEvent::json(EventType::new("happened")?, b"{}".as_slice());
        let append = Append::to(StreamName::new("well-1")?, ExpectedVersion::Any, vec![event]);
        let asked = Instant::now();
        match timeout(APPEND_TIME_MAX, store.append(append)).await {
            Ok(Ok(_)) => times.push(asked.elapsed().as_secs_f64() * 1e6),
            Ok(Err(error)) => {
                violations.add(format!("{flood:?}: an append of a good client failed: {error}"))
            }
            Err(_) => {
                violations
                    .add(format!("{flood:?}: an append of a good client took over {APPEND_TIME_MAX:?}"));
                times.push(APPEND_TIME_MAX.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(times)
}

async fn most_memory(server: &Server, time: Duration) -> Result<u64> {
    let (begun, mut most) = (Instant::now(), 0);
    while begun.elapsed() < time {
        most = most.max(server.memory_bytes()?);
        sleep(SAMPLE_EVERY).await;
    }
    Ok(most)
}

fn p99_us(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = sorted.len().saturating_sub(1).saturating_sub(sorted.len() / 100);
    sorted.get(at).copied().unwrap_or_default()
}
