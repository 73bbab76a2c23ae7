//! One event that changes very many rows.

use super::{
    database::{Database, Folded},
    model::Model,
    payments::CustomerValue,
    rebuild::Rebuild,
};
use crate::{measure::timed, process::mib, report::Report};
use annals::prelude::*;
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_projection::ModelError;
use annals_store::EventStore;
use annals_store_log::LogStore;
use anyhow::{Result, ensure};
use std::path::Path;

/// How many rows the event changes.
const KEYS: u32 = 100_000;

#[derive(Event)]
#[event(type = "voucher.granted", version = 1)]
struct Granted {
    customers: u32,
    cents: i64,
}

fn customer(number: u32) -> String {
    format!("customer-{number:08}")
}

pub(super) fn model() -> Result<ReadModel, ModelError> {
    let fold = Fold::<CustomerValue>::new().on(
        |e: &Recorded<Granted>| (0..e.customers).map(customer).collect::<Vec<_>>(),
        |row, key, e| {
            let first = || CustomerValue { customer: key.clone(), payments: 0, cents: 0, last_item: None };
            let row = row.get_or_insert_with(first);
            (row.payments, row.cents) = (row.payments + 1, row.cents + e.cents);
        },
    );
    ReadModel::named("vouchers").fold_version(1).table(fold).build()
}

pub(crate) async fn run(report: &mut Report, folder: &Path, database: Database) -> Result<()> {
    let log = folder.join("wide");
    let store = LogStore::open(&log, annals_store_log::Options::default()).await?;
    let granted = Granted { customers: KEYS, cents: 500 };
    let event = NewEvent::json(EventType::new(granted.event_type())?, granted.encode()?);
    store.append(Append::to(StreamName::of("voucher", "1")?, ExpectedVersion::Any, vec![event])).await?;
    store.close().await?;
    let folded = Rebuild::start(database, Model::Wide, folder, ["--log".into(), log.into()]).await?;
    ensure!(folded.events == 1);
    let name = |rest| format!("projection.{}.wide100k.{rest}", database.name());
    let bare_ms = bare(database, folder).await?;
    report.add(name("ms"), "ms", folded.time().as_secs_f64() * 1e3, Some(bare_ms));
    report.add(name("rss_mib"), "MiB", mib(folded.peak_bytes), None);
    Ok(())
}

/// How long the bare database takes for the same rows, in one transaction.
async fn bare(database: Database, folder: &Path) -> Result<f64> {
    let row = |number| CustomerValue { customer: customer(number), payments: 1, cents: 500, last_item: None };
    let rows: Vec<_> = (0..KEYS).map(|number| Folded { row: row(number), sequence: 1 }).collect();
    let folder = tempfile::tempdir_in(folder)?;
    let mut bare = database.bare(folder.path()).await?;
    let work = async {
        bare.begin().await?;
        bare.write(&rows).await?;
        bare.commit(1).await?;
        bare.close().await
    };
    let (done, spent) = timed(work).await;
    done?;
    Ok(spent.as_secs_f64() * 1e3)
}
