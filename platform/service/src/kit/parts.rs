//! What works in a running service: its read models, its reactors, its replays.
//!
//! What always holds: of two copies of a read model or a reactor one goes on, and the other tries every [`TAKE_OVER_WAIT`] whether
//! that one has gone. A reactor's mark and a read model's checkpoint keep what both do from being done twice.

use super::{
    app::App,
    consumer::Consumer,
    failures::{TAKE_OVER_WAIT, is_fenced, of_projector, of_reactor, of_replays},
    supervise::{Failure, Supervisor},
};
use crate::Config;
#[cfg(feature = "postgres")]
use crate::config::{CatalogUrl, ReadModelsConfig};
use annals_event::Sequence;
use annals_projection::{
    Catalog, DatabaseError, GenerationError, Generations, Projector, ProjectorError, ProjectorOptions,
};
use annals_reactor::{Options, Reactor, ReactorWorker};
use annals_replay::{ReplayWorker, WorkerOptions};
use annals_store::Backoff;
use parking_lot::Mutex;
use std::{
    fmt::Display,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is told that something is still waited for.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Opens what may be away for a moment, for as long as that takes.
pub(super) async fn opened<T, E: Display>(
    what: impl Display,
    passes: impl Fn(&E) -> bool,
    open: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let (mut backoff, mut told) = (Backoff::outage(), None::<Instant>);
    loop {
        match open().await {
            Err(error) if passes(&error) => {
                if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    tracing::warn!(%error, "{what} cannot be opened now; trying again");
                    told = Some(Instant::now());
                }
                backoff.wait().await;
            }
            opened => return opened,
        }
    }
}

/// The catalog of the read models, where the configuration says it is.
pub(super) async fn catalog(config: &Config) -> Result<Catalog, GenerationError> {
    let snapshots = config.read_models.snapshots.join("read-models");
    match &config.read_models.folder {
        Some(folder) => annals_projection_sqlite::open_with(folder, &snapshots).await,
        None => in_database(config, &snapshots).await,
    }
}

#[cfg(feature = "postgres")]
async fn in_database(config: &Config, snapshots: &Path) -> Result<Catalog, GenerationError> {
    let ReadModelsConfig { url, password, schema, views, .. } = &config.read_models;
    let CatalogUrl::Postgres(url) = url else { return Err(no_database()) };
    let mut options = annals_projection_postgres::PostgresOptions::new(url.reveal());
    options.password = password.as_ref().map(|password| password.reveal().to_owned());
    (options.schema, options.views) = (schema.clone(), *views);
    options.application_name = config.name.clone();
    annals_projection_postgres::open(&options, snapshots).await
}

/// A URL of a database is refused when the configuration is read.
#[cfg(not(feature = "postgres"))]
async fn in_database(_: &Config, _: &Path) -> Result<Catalog, GenerationError> {
    Err(no_database())
}

fn no_database() -> GenerationError {
    DatabaseError::denied("no database is configured, and no folder").into()
}

/// Keeps a read model up to date. What it needs of the store and of its database is waited for.
pub(super) async fn fold(
    app: &App,
    options: ProjectorOptions,
    supervisor: &mut Supervisor,
) -> Result<(), ProjectorError> {
    let passes =
        |error: &ProjectorError| matches!(error, ProjectorError::Generation(cause) if cause.is_transient());
    let what = format!("the read model {}", options.model.name());
    let projector = opened(what, passes, async || Projector::open(options.clone()).await).await?;
    let consumer = Consumer::of_model(&options.model, projector.handle());
    app.add(consumer.clone());
    let (mut first, taken_over) = (Some(projector), TakenOver::default());
    supervisor.spawn(consumer.part(), move |stop| {
        let (first, options, consumer) = (first.take(), options.clone(), consumer.clone());
        let taken_over = taken_over.clone();
        async move {
            let projector = match first {
                Some(projector) => projector,
                None => Projector::open(options).await.map_err(of_projector)?,
            };
            let handle = projector.handle();
            taken_over.look(handle.checkpoint())?;
            consumer.projector_is(handle.clone());
            projector.run(stop).await.map_err(|error| {
                taken_over.by_another(is_fenced(&error).then(|| handle.checkpoint()));
                of_projector(error)
            })
        }
    });
    Ok(())
}

/// Where a read model was when another copy took it over. Whoever folds it takes it from the other one, so it is left alone for as
/// long as the other one gets on with it.
#[derive(Clone, Default)]
struct TakenOver(Arc<Mutex<Option<Sequence>>>);

impl TakenOver {
    fn by_another(&self, at: Option<Sequence>) {
        *self.0.lock() = at;
    }

    /// An error while the other copy gets on.
    fn look(&self, now: Sequence) -> Result<(), Failure> {
        let mut at = self.0.lock();
        match at.take() {
            Some(before) if before != now => {
                *at = Some(now);
                Err(Failure::passing(AnotherCopy).after(TAKE_OVER_WAIT))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another process folds it; this one goes on once that one does not any more")]
struct AnotherCopy;

/// Turns events into commands.
pub(super) fn react(app: &App, reactor: Reactor, supervisor: &mut Supervisor) {
    let repositories = app.repositories();
    let (name, filter) = (reactor.name().to_owned(), reactor.filter().clone());
    let worker = move || ReactorWorker::new(repositories.clone(), reactor.clone(), Options::default());
    let first = worker();
    let consumer = Consumer::of_reactor(&name, filter, first.handle());
    app.add(consumer.clone());
    let mut first = Some(first);
    supervisor.spawn(consumer.part(), move |stop| {
        let worker = first.take().unwrap_or_else(&worker);
        consumer.reactor_is(worker.handle());
        async move { worker.run(stop).await.map_err(of_reactor) }
    });
}

/// Carries out the replays of these read models, and follows those of others.
pub(super) fn replay(app: &App, generations: Vec<Generations>, supervisor: &mut Supervisor) {
    let replays = app.replays().clone();
    if generations.is_empty() {
        return supervisor.spawn("the list of replays", move |stop| {
            let replays = replays.clone();
            async move { replays.run(stop).await.map_err(of_replays) }
        });
    }
    supervisor.spawn("the replays", move |stop| {
        let worker = ReplayWorker::new(replays.clone(), generations.clone(), WorkerOptions::default());
        async move { worker.run(stop).await.map_err(of_replays) }
    });
}

#[cfg(test)]
pub(super) mod tests;
