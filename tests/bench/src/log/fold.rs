//! The memory of a read model that wants few events of many while it catches up, in a process of its own.

use super::load::Load;
use crate::{
    process::{memory_bytes, mib, tell},
    report::Report,
};
use annals::prelude::*;
use annals::read_model::{Projector, ProjectorOptions};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_store::EventStore;
use annals_store_log::LogStore;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What is folded.
pub(crate) struct Sizes {
    pub(crate) events: usize,
}

/// One event in this many is wanted.
const WANTED_EVERY: usize = 1_000;
const APPEND_EVENTS: usize = 1_000;
const STREAMS: usize = 10_000;
const RARE: &str = "rare.happened";
const RARE_PAYLOAD: &[u8] = br#"{"n":1}"#;
/// How often the memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(1);

#[derive(Serialize, Deserialize)]
struct Folded {
    before_bytes: usize,
    most_bytes: usize,
}

pub(crate) async fn run(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let folder = folder.join("sparse");
    let (store, load) = (LogStore::open(&folder, annals_store_log::Options::default()).await?, Load::new()?);
    for first in (0..sizes.events).step_by(APPEND_EVENTS) {
        let mut append = load.spread(first, APPEND_EVENTS - 1, STREAMS)?;
        if first % WANTED_EVERY == 0 {
            append = rare(append)?;
        }
        store.append(append).await?;
    }
    let log_bytes = usize::try_from(store.stats().bytes)?;
    store.close().await?;
    let output =
        Command::new(std::env::current_exe()?).arg("fold").arg(&folder).stderr(Stdio::inherit()).output()?;
    let folded: Folded = serde_json::from_slice(&output.stdout).context("the fold failed")?;
    let grown = folded.most_bytes.saturating_sub(folded.before_bytes);
    report.add("fold.sparse.memory_mib", "MiB", mib(grown), Some(mib(log_bytes)));
    Ok(std::fs::remove_dir_all(folder)?)
}

fn rare(append: Append) -> Result<Append> {
    let event = NewEvent::json(EventType::new(RARE)?, RARE_PAYLOAD);
    Ok(append.write(StreamName::of("rare", "1")?, ExpectedVersion::Any, vec![event]))
}

#[derive(Event)]
#[event(type = "rare.happened", version = 1)]
struct Rare {
    n: i64,
}

#[derive(Clone, PartialEq, Table)]
#[table(name = "rarities")]
struct Rarity {
    #[table(key)]
    stream: String,
    total: i64,
}

fn rarities() -> Fold<Rarity> {
    Fold::<Rarity>::new().upsert(
        |e: &Recorded<Rare>| e.stream.id().to_owned(),
        |e| Rarity { stream: e.stream.id().to_owned(), total: 0 },
        |row, e| row.total += e.n,
    )
}

/// Folds the wanted events of the log in `folder`.
pub(crate) async fn fold_and_tell(folder: &Path) -> Result<()> {
    let temporary = tempfile::tempdir_in(folder.parent().context("the log is in no folder")?)?;
    let log = LogStore::open(folder, annals_store_log::Options::default()).await?;
    let store: Arc<dyn EventStore> = Arc::new(log.clone());
    let head = store.head().await?.last;
    let model = ReadModel::named("rarities").fold_version(1).table(rarities()).build()?;
    let catalog = annals::sqlite::open(temporary.path()).await?;
    let projector = Projector::open(ProjectorOptions::new(catalog, model, store)).await?;
    let (handle, stop) = (projector.handle(), CancellationToken::new());
    let before_bytes = memory_bytes()?;
    let running = tokio::spawn(projector.run(stop.clone()));
    let mut most_bytes = before_bytes;
    while handle.checkpoint() < head {
        ensure!(!running.is_finished(), "the projector ended");
        most_bytes = most_bytes.max(memory_bytes()?);
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
    stop.cancel();
    running.await??;
    tell(&Folded { before_bytes, most_bytes })?;
    Ok(log.close().await?)
}
