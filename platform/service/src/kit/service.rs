//! A service before it runs: its configuration is read, its store is open, and nothing works yet.

use super::{
    app::App,
    supervise::{BuildError, Failure, Supervisor},
};
use crate::{
    config::{Config, ConfigError, ReadModelConfig},
    health::{Health, Probe},
};
use annals_aggregate::{Aggregate, FolderSnapshots, SnapshotError};
use annals_projection::ReadModel;
use annals_reactor::Reactor;
use axum::Router;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A service that is being put together. Its methods commute: what each adds begins to work when all of it is there. So take from an
/// [`App`] what handlers and tasks need when they need it: a repository that is taken before the service has started has no
/// snapshots.
#[must_use]
pub struct Service {
    pub(super) config: Config,
    pub(super) app: App,
    health: Health,
    pub(super) models: Vec<ReadModel>,
    pub(super) snapshots: Vec<Keep>,
    /// With the name of the part that they belong to.
    pub(super) reactors: Vec<(App, Reactor)>,
    /// With their names.
    pub(super) tasks: Vec<(&'static str, Begin)>,
    pub(super) routes: Router<App>,
}

/// Read models with what is said of each.
pub(super) type Configured = Vec<(ReadModel, ReadModelConfig)>;
/// Says where snapshots of aggregates are kept.
pub(super) type Keep = Box<dyn FnOnce(&App) -> Result<(), SnapshotError> + Send>;
/// Begins a part of a service.
pub(super) type Begin = Box<dyn FnOnce(&App, &mut Supervisor) + Send>;

impl Service {
    pub(super) fn new(config: Config, app: App, health: Health) -> Self {
        Self {
            config,
            app,
            health,
            models: Vec::new(),
            snapshots: Vec::new(),
            reactors: Vec::new(),
            tasks: Vec::new(),
            routes: Router::new(),
        }
    }

    /// The read models with what the configuration says of them, and what to warn of. Refuses a configuration that has more than the
    /// service takes.
    pub(super) fn configured_models(&mut self) -> Result<(Configured, Option<String>), ConfigError> {
        let models = std::mem::take(&mut self.models).into_iter();
        let models = models.map(|model| Ok((model.clone(), self.config.read_model(model.name().as_str())?)));
        let models = models.collect::<Result<_, ConfigError>>()?;
        Ok((models, self.config.all_taken()?))
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
        self.reactors.push((self.app.clone(), reactor));
        self
    }

    /// Answers these routes, whose state is the [`App`]. All below `/_annals/` is the platform's, and so are `/health`,
    /// `/health/live`, `/health/ready` and `/metrics`: a route of these paths is refused when the service starts. A fallback answers
    /// what no route does; without one, or where it finds nothing, the answer is a problem with 404.
    ///
    /// # Panics
    ///
    /// As [`Router::merge`] does: when called twice with one path, or with two fallbacks.
    pub fn routes(mut self, routes: Router<App>) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Something that says by itself how it is, such as a connection to a bank: the service is not ready, or degraded, for as long as it
    /// says so. It is well until it says otherwise.
    pub fn probe(&self, name: &str) -> Probe {
        self.health.probe(name)
    }

    /// Adds a service as a part of this one, under its own name: several services in one process, on one store, at one address.
    /// The events of the part carry its name; `build` is what its `main` gives to [`Service::run`] where it runs alone.
    pub async fn part<B>(mut self, name: &str, build: B) -> Result<Self, BuildError>
    where
        B: AsyncFnOnce(Self) -> Result<Self, BuildError>,
    {
        let part = build(Self::new(self.config.clone(), self.app.part(name), self.health.clone())).await?;
        let Self { config: _, app, health: _, models, snapshots, reactors, tasks, routes } = part;
        self.models.extend(models);
        self.reactors.extend(reactors);
        self.routes = self.routes.merge(routes.with_state(app.clone()));
        for keep in snapshots {
            let app = app.clone();
            self.snapshots.push(Box::new(move |_| keep(&app)));
        }
        for (name, begin) in tasks {
            let app = app.clone();
            self.tasks.push((name, Box::new(move |_, supervisor| begin(&app, supervisor))));
        }
        Ok(self)
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
        let begin = move |app: &App, supervisor: &mut Supervisor| {
            let app = app.clone();
            supervisor.spawn(format!("the task {name}"), move |stop| {
                let working = task(app.clone(), stop);
                async move { working.await.map_err(Failure::passing) }
            });
        };
        self.tasks.push((name, Box::new(begin)));
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::{App, BuildError, Service, TestService};
    use axum::{Json, Router, extract::State, routing::get};

    /// A service that says its name.
    async fn named(service: Service) -> Result<Service, BuildError> {
        let name = async |State(app): State<App>| Json(app.name().to_owned());
        let path = format!("/{}", service.app().name());
        Ok(service.routes(Router::new().route(&path, get(name))))
    }

    #[tokio::test]
    async fn the_routes_of_a_part_know_it_by_a_name_of_its_own() {
        let build =
            async |service: Service| service.part("orders", named).await?.part("payments", named).await;
        let whole = TestService::start(build).await.unwrap();
        for name in ["orders", "payments"] {
            assert_eq!(whole.get(&format!("/{name}")).await.body, name);
        }
        whole.stop().await.unwrap();
    }
}
