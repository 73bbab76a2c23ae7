//! Line 21: how long a large log takes to open after a kill, on the machine's own disk.

use super::{Effort, Run};
use crate::{
    card::Finding,
    ground::on_disk,
    load::{fill, rate},
    process::{Server, patient},
};
use annals_store::EventStore;
use anyhow::Result;
use std::time::{Duration, Instant};

/// From the start of the process to its first answer.
const OPEN_TIME_MAX: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;
/// Clients that are appending when it is killed.
const CLIENTS: u64 = 8;
const LOAD_TIME: Duration = Duration::from_millis(300);

pub(super) async fn judge(run: &Run) -> Result<Finding> {
    let bytes = run.effort.pick(256 * MIB, 10_240 * MIB);
    let folder = on_disk()?;
    let server = Server::start(run.program.command(folder.path())).await?;
    let store = server.client_with(patient()).await?;
    let events = fill(&store, bytes).await?;
    rate(&store, CLIENTS, LOAD_TIME).await?;
    let head = store.head().await?.last;
    server.kill().await?;

    let begun = Instant::now();
    let server = Server::start(run.program.command(folder.path())).await?;
    let found = server.client().await?.head().await?.last;
    let opened = begun.elapsed();
    server.kill().await?;

    let mut finding = Finding::default();
    finding.count(bytes / MIB, "MiB");
    finding.count(events, "events");
    finding.count(u64::try_from(opened.as_millis())?, "ms from start to first answer");
    finding.violations.must(found == head, || format!("the log ended at {head} and ends at {found}"));
    if run.effort == Effort::Card {
        finding.violations.must(opened <= OPEN_TIME_MAX, || format!("it took {opened:?}"));
    }
    finding.note("the scrub's rate is not measured here");
    Ok(finding)
}
