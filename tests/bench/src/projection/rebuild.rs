//! A rebuild, in a process of its own, so that its memory is known; beside the plain loop and the bare database.

use super::{
    baseline::{self, Slice},
    database::Database,
    model::Model,
    payments,
};
use crate::{
    measure::rate,
    process::{mib, peak_bytes, tell},
    report::Report,
};
use annals_event::Sequence;
use annals_event_store::Service;
use annals_projection::{FoldControl, GenerationId, Generations, Origin, Until};
use annals_store::{EventStore, ReadLog};
use annals_store_grpc::GrpcStore;
use annals_store_log::LogStore;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// The plain loop goes over one event in this many, since it takes as long as many rebuilds.
const PLAIN_SHARE: usize = 10;

/// What is rebuilt.
pub(crate) struct Sizes {
    pub(crate) events: usize,
    /// With so many customers, and from the embedded log or over the network.
    pub(crate) cases: &'static [Case],
}

pub(crate) struct Case {
    /// What figures call it.
    pub(crate) name: &'static str,
    pub(crate) customers: usize,
    pub(crate) sources: &'static [Source],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Embedded,
    Grpc,
}

pub(crate) async fn run(
    report: &mut Report,
    folder: &Path,
    database: Database,
    sizes: &Sizes,
) -> Result<usize> {
    let mut most_bytes = 0;
    for case in sizes.cases {
        let log = folder.join(case.name);
        let store = LogStore::open(&log, annals_store_log::Options::default()).await?;
        payments::fill(&store, sizes.events, case.customers).await?;
        store.close().await?;
        let of = Rebuilds { database, folder, log: &log, events: sizes.events, case };
        most_bytes = most_bytes.max(of.run(report).await?);
        std::fs::remove_dir_all(log)?;
    }
    Ok(most_bytes)
}

/// The rebuilds of one log.
struct Rebuilds<'a> {
    database: Database,
    folder: &'a Path,
    log: &'a Path,
    events: usize,
    case: &'a Case,
}

impl Rebuilds<'_> {
    /// Gives the most memory that a rebuild took.
    async fn run(&self, report: &mut Report) -> Result<usize> {
        let embedded = self.fold("--log", self.log.as_os_str()).await?;
        let store = LogStore::open(self.log, annals_store_log::Options::default()).await?;
        let store: Arc<dyn EventStore> = Arc::new(store);
        let events = self.events / PLAIN_SHARE;
        let slice = Slice { skipped: (self.events - events) / 2, events };
        let plain = baseline::plain(&*store, self.database, self.folder, &slice).await?;
        let bulk = baseline::bulk(&*store, self.database, self.folder, &embedded.places).await?;
        let name = |rest| format!("projection.{}.{}.{rest}", self.database.name(), self.case.name);
        let embedded_rate = rate(self.events, embedded.time());
        report.add(name("plain.events_per_s"), "events/s", plain, None);
        report.note(&format!("the plain loop goes over {events} of {} events, in their middle", self.events));
        report.add(name("bulk.events_per_s"), "events/s", bulk, Some(plain));
        report.add(name("events_per_s"), "events/s", embedded_rate, Some(plain));
        report.add(name("bulk_share"), "of bulk", embedded_rate / bulk, None);
        report.add(name("rss_mib"), "MiB", mib(embedded.peak_bytes), None);
        let mut most_bytes = embedded.peak_bytes;
        if self.case.sources.contains(&Source::Grpc) {
            let remote = self.over_grpc(&store).await?;
            report.add(name("grpc.events_per_s"), "events/s", rate(self.events, remote.time()), Some(plain));
            report.add(name("grpc.rss_mib"), "MiB", mib(remote.peak_bytes), None);
            most_bytes = most_bytes.max(remote.peak_bytes);
        }
        Ok(most_bytes)
    }

    /// The log is served here, and folded there.
    async fn over_grpc(&self, store: &Arc<dyn EventStore>) -> Result<Folded> {
        let service = Service::bind(annals_event_store::Options::loopback(), store.clone()).await?;
        let (url, stop) = (format!("http://{}", service.address()), CancellationToken::new());
        let server = tokio::spawn(service.run(stop.clone()));
        let folded = self.fold("--url", url.as_ref()).await;
        stop.cancel();
        server.await?;
        folded
    }

    async fn fold(&self, from: &str, source: &std::ffi::OsStr) -> Result<Folded> {
        let source = [from.into(), source.to_owned()];
        let folded = Rebuild::start(self.database, Model::Payments, self.folder, source).await?;
        ensure!(folded.events == self.events, "{} of {} events were folded", folded.events, self.events);
        Ok(folded)
    }
}

/// Rebuilds a read model.
#[derive(Args)]
pub(crate) struct Rebuild {
    #[arg(long, required_unless_present = "url")]
    log: Option<PathBuf>,
    #[arg(long, conflicts_with = "log")]
    url: Option<String>,
    #[arg(long)]
    database: Database,
    #[arg(long)]
    model: Model,
    /// Where the catalog is made.
    #[arg(long)]
    folder: PathBuf,
}

/// What a rebuild came to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Folded {
    /// How many events were folded.
    pub(crate) events: usize,
    /// How many seconds it took, with the close of the database.
    seconds: f64,
    /// How many seconds it took only to read the same events, before.
    pub(crate) scan_seconds: f64,
    /// Where its transactions ended.
    places: Vec<Sequence>,
    /// The most memory that the process had.
    pub(crate) peak_bytes: usize,
}

impl Folded {
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

impl Rebuild {
    /// Rebuilds in a process of its own; `source` is a flag and its value.
    pub(crate) async fn start(
        database: Database,
        model: Model,
        folder: &Path,
        source: [OsString; 2],
    ) -> Result<Folded> {
        let catalog = tempfile::tempdir_in(folder)?;
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.arg("rebuild").args(source).arg("--folder").arg(catalog.path());
        command.arg(format!("--database={}", database.name())).arg(format!("--model={}", model.name()));
        let output = command.stderr(std::process::Stdio::inherit()).output().await?;
        serde_json::from_slice(&output.stdout).context("the rebuild failed")
    }

    pub(crate) async fn run(self) -> Result<()> {
        let store: Arc<dyn EventStore> = match (self.log, self.url) {
            (Some(log), _) => Arc::new(LogStore::open(log, annals_store_log::Options::default()).await?),
            (None, Some(url)) => Arc::new(GrpcStore::connect(&url, Default::default()).await?),
            (None, None) => anyhow::bail!("neither a log nor an address"),
        };
        let model = self.model.read_model()?;
        let begun = Instant::now();
        scan(&*store, &model).await?;
        let scan_seconds = begun.elapsed().as_secs_f64();
        let generations = Generations::new(self.database.catalog(&self.folder).await?, model, store);
        let places = Arc::new(Mutex::new(Vec::new()));
        let (noted, id) = (places.clone(), GenerationId::generate());
        let control = FoldControl::default().on_progress(move |status| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(status.checkpoint);
        });
        let begun = Instant::now();
        generations.create(id, Origin::Empty).await?;
        let folded = generations.fold_to(id, Until::Head, control).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let peak_bytes = peak_bytes()?;
        ensure!(generations.completeness(id).await?.is_complete());
        let places = std::mem::take(&mut *places.lock().unwrap_or_else(PoisonError::into_inner));
        let events = usize::try_from(folded.status.applied.count)?;
        tell(&Folded { events, seconds, scan_seconds, places, peak_bytes })
    }
}

/// Reads the events that the model wants, and does nothing with them.
async fn scan(store: &dyn EventStore, model: &annals_projection::ReadModel) -> Result<()> {
    let mut read = ReadLog::filtered(Sequence::FIRST, model.filter().clone());
    loop {
        let page = store.read_log(read.clone()).await?;
        if page.is_last() {
            return Ok(());
        }
        read.from = page.through.next();
    }
}
