//! How soon an event is in a row at the head of the log, beside a service that appends and then writes the row itself.

use super::{
    database::{Bare, Database},
    payments::{self, Captured, CustomerValue},
};
use crate::{
    measure::{Latencies, timed},
    report::Report,
};
use annals_projection::{Projector, ProjectorHandle, ProjectorOptions};
use annals_store::{EventStore, ReadLog};
use annals_store_log::LogStore;
use anyhow::{Context, Result, ensure};
use std::{path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const CUSTOMERS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(
    report: &mut Report,
    folder: &Path,
    database: Database,
    events: usize,
) -> Result<Latencies> {
    let (ours, theirs) = (folder.join("head"), folder.join("head-bare"));
    let log = |folder| LogStore::open(folder, annals_store_log::Options::default());
    let (store, other): (Arc<dyn EventStore>, _) = (Arc::new(log(&ours).await?), log(&theirs).await?);
    let rows = tempfile::tempdir_in(folder)?;
    let catalog = database.catalog(rows.path()).await?;
    let options = ProjectorOptions::new(catalog, payments::model()?, store.clone());
    let projector = Projector::open(options).await?;
    let (handle, stop) = (projector.handle(), CancellationToken::new());
    let running = tokio::spawn(projector.run(stop.clone()));
    let mut bare = database.bare(rows.path()).await?;
    let (mut visible, mut written, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..events {
        let (done, spent) = timed(append_and_see(&*store, &handle, number)).await;
        done?;
        visible.push(spent);
        let (done, spent) = timed(append_and_write(&other, &mut *bare, number)).await;
        commits.push(done?);
        written.push(spent);
    }
    stop.cancel();
    running.await??;
    bare.close().await?;
    let (visible, written) = (Latencies::new(visible), Latencies::new(written));
    let commits = Latencies::new(commits);
    for (share, name) in [(0.5, "p50_us"), (0.99, "p99_us")] {
        let name = |of| format!("projection.{}.{of}.{name}", database.name());
        report.add(name("commit"), "us", commits.quantile_us(share), None);
        report.add(name("latency"), "us", visible.quantile_us(share), Some(written.quantile_us(share)));
    }
    report.note(
        "from the call of append to the row that is read, beside an append and a transaction of one upsert",
    );
    Ok(visible)
}

async fn append_and_see(store: &dyn EventStore, handle: &ProjectorHandle, number: usize) -> Result<()> {
    let customer = number % CUSTOMERS;
    let appended = store.append(payments::payment(number, customer)?).await?;
    let mut reader = handle.wait_for(appended.head, PATIENCE).await?;
    let row = reader.get::<CustomerValue>(&payments::key(customer)).await?.context("the row is not there")?;
    ensure!(usize::try_from(row.payments)? == number / CUSTOMERS + 1);
    Ok(())
}

/// Gives how long the database's own commit took.
async fn append_and_write(store: &LogStore, bare: &mut dyn Bare, number: usize) -> Result<Duration> {
    let appended = store.append(payments::payment(number, number % CUSTOMERS)?).await?;
    let page = store.read_log(ReadLog::from(appended.head)).await?;
    let event = page.events.first().context("the event is not there")?;
    let captured = annals_event::decode::<Captured>(&event)?.context("an event of another type")?;
    let sequence = i64::try_from(appended.head.get())?;
    bare.begin().await?;
    bare.add(&captured, sequence).await?;
    let (committed, spent) = timed(bare.commit(sequence)).await;
    committed.map(|()| spent)
}
