//! A service before it runs: its configuration is read, its store is open, and nothing works yet.

use super::{
    app::App,
    supervise::{BuildError, Failure, Supervisor},
};
use crate::config::{Config, ConfigError, ReadModelConfig};
use annals_aggregate::{Aggregate, FolderSnapshots, SnapshotError};
use annals_projection::ReadModel;
use annals_reactor::Reactor;
use axum::Router;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A service that is being put together. Its methods commute: what each adds begins to work when all of it is there.
#[must_use]
pub struct Service {
    pub(super) config: Config,
    pub(super) app: App,
    pub(super) models: Vec<ReadModel>,
    pub(super) snapshots: Vec<Keep>,
    pub(super) reactors: Vec<Reactor>,
    pub(super) starts: Vec<Begin>,
    pub(super) routes: Router<App>,
}

/// Says where snapshots of aggregates are kept.
pub(super) type Keep = Box<dyn FnOnce(&App) -> Result<(), SnapshotError> + Send>;
/// Begins a part of a service.
pub(super) type Begin = Box<dyn FnOnce(&App, &mut Supervisor) + Send>;

impl Service {
    pub(super) fn new(config: Config, app: App) -> Self {
        Self {
            config,
            app,
            models: Vec::new(),
            snapshots: Vec::new(),
            reactors: Vec::new(),
            starts: Vec::new(),
            routes: Router::new(),
        }
    }

    /// The read models with what the configuration says of them. Refuses a configuration that has more than the service takes.
    pub(super) fn configured_models(&mut self) -> Result<Vec<(ReadModel, ReadModelConfig)>, ConfigError> {
        let models = std::mem::take(&mut self.models).into_iter();
        let models = models.map(|model| Ok((model.clone(), self.config.read_model(model.name().as_str())?)));
        let models = models.collect::<Result<_, ConfigError>>()?;
        self.config.all_taken()?;
        Ok(models)
    }

    /// A table of the service's own in its configuration: `service.settings("mail")` is `mail = { .. }` in `annals.toml`.
    pub fn settings<T: DeserializeOwned>(&self, table: &str) -> Result<T, ConfigError> {
        self.config.settings(table)
    }

    /// What handlers and tasks have of the service; for a state of one's own: `routes.with_state(Mine { app, .. })`.
    pub fn app(&self) -> App {
        self.app.clone()
    }

    /// Folds events into the read model's tables: with its snapshots, its replays and its readers.
    pub fn read_model(mut self, model: ReadModel) -> Self {
        self.models.push(model);
        self
    }

    /// Turns events into commands for the service's own aggregates. Where the reactor begins on a log that is older than it is
    /// counts once, when it is first started. No two reactors have one name.
    pub fn reactor(mut self, reactor: Reactor) -> Self {
        self.reactors.push(reactor);
        self
    }

    /// Answers these routes, whose state is the [`App`]. What is below `/_annals/`, and `/health`, is the platform's.
    pub fn routes(mut self, routes: Router<App>) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Keeps a snapshot of each aggregate of this type once `every` events have come since the one before.
    pub fn snapshots<A: Aggregate + Serialize + DeserializeOwned>(mut self, every: u64) -> Self {
        let folder = self.config.read_models.snapshots.join("aggregates");
        self.snapshots.push(Box::new(move |app| {
            let folder = Arc::new(FolderSnapshots::open(folder)?);
            app.keep(app.repository::<A>().snapshots(folder, every));
            Ok(())
        }));
        self
    }

    /// Runs something of the service's own in the background, under a name that no other task has. One that fails is started
    /// again after a wait that grows from 1 s to 60 s; one that returns has done all that it had to do.
    pub fn task<F, P>(mut self, name: &'static str, task: F) -> Self
    where
        F: Fn(App, CancellationToken) -> P + Send + 'static,
        P: Future<Output = Result<(), BuildError>> + Send + 'static,
    {
        self.starts.push(Box::new(move |app, supervisor| {
            let app = app.clone();
            supervisor.spawn(format!("the task {name}"), move |stop| {
                let working = task(app.clone(), stop);
                async move { working.await.map_err(Failure::passing) }
            });
        }));
        self
    }
}
