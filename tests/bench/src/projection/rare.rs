//! A read model that wants few events of a long log.

use super::{database::Database, model::Model, rebuild::Rebuild};
use crate::{log::Load, measure::rate, process::mib, report::Report};
use annals::prelude::*;
use annals_event::{EventType, ExpectedVersion, NewEvent, StreamName};
use annals_projection::ModelError;
use annals_store::EventStore;
use annals_store_log::LogStore;
use anyhow::{Result, ensure};
use std::{path::Path, time::Duration};

/// One event in this many is wanted.
const WANTED_EVERY: usize = 100_000;
const APPEND_EVENTS: usize = 1_000;
const STREAMS: usize = 10_000;

#[derive(Event)]
#[event(type = "audit.noted", version = 1)]
struct Noted {
    n: i64,
}

#[derive(Clone, PartialEq, Table)]
#[table(name = "audits")]
struct Audit {
    #[table(key)]
    stream: String,
    total: i64,
}

pub(super) fn model() -> Result<ReadModel, ModelError> {
    let fold = Fold::<Audit>::new().upsert(
        |e: &Recorded<Noted>| e.stream.id().to_owned(),
        |e| Audit { stream: e.stream.id().to_owned(), total: 0 },
        |row, e| row.total += e.n,
    );
    ReadModel::named("audits").fold_version(1).table(fold).build()
}

pub(crate) async fn run(report: &mut Report, folder: &Path, database: Database, events: usize) -> Result<()> {
    let log = folder.join("rare");
    let (store, load) = (LogStore::open(&log, annals_store_log::Options::default()).await?, Load::new()?);
    let noted = Noted { n: 1 };
    let noted = NewEvent::json(EventType::new(noted.event_type())?, noted.encode()?);
    for first in (0..events).step_by(APPEND_EVENTS) {
        let mut append = load.spread(first, APPEND_EVENTS - 1, STREAMS)?;
        if first % WANTED_EVERY == 0 {
            let stream = StreamName::of("audit", &format!("{}", first % 7))?;
            append = append.write(stream, ExpectedVersion::Any, vec![noted.clone()]);
        }
        store.append(append).await?;
    }
    let head = usize::try_from(store.head().await?.last.get())?;
    store.close().await?;
    let folded = Rebuild::start(database, Model::Rare, folder, ["--log".into(), log.clone().into()]).await?;
    ensure!(folded.events == events.div_ceil(WANTED_EVERY));
    let name = |rest| format!("projection.{}.rare.{rest}", database.name());
    let scan = rate(head, Duration::from_secs_f64(folded.scan_seconds));
    report.add(name("events_per_s"), "events/s", rate(head, folded.time()), Some(scan));
    report.note(&format!("{} of {head} events; beside it, reading them without folding", folded.events));
    report.add(name("rss_mib"), "MiB", mib(folded.peak_bytes), None);
    Ok(std::fs::remove_dir_all(log)?)
}
