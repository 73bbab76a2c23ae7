//! A service that runs, and its end in order.
//!
//! What always holds:
//!
//! * The address is taken before anything else: a service that cannot have it makes no folder. From then on `/health` is answered,
//!   also while a store that is served elsewhere is waited for.
//! * The end has one order: not ready, and requests go on for as long as the service drains; no more connections, requests under
//!   way end; reactors, read models, replays and tasks end; the store is closed. What takes too long is cut off, and what comes
//!   after it is done all the same.
//! * Dropping a running service is a crash, which is safe.

use super::{
    app::App,
    clock::Clock,
    content,
    error::ServiceError,
    gate::Gate,
    leaving::{self, Leaving},
    names, parts, platform,
    service::Service,
    supervise::{BuildError, Parts, Supervisor},
};
use crate::{
    DataFolder, Ending, HttpServer, admin,
    config::{Config, ReadModelConfig, StoreUrl},
    finish,
    finish::{finish_own, unknown_path},
    folder::log_folder,
    health::Health,
    metrics::Metrics,
    store::{self, OpenStore},
};
use annals_projection::{GenerationError, Generations, ProjectorOptions, SnapshotPolicy};
use axum::{Router, http::Uri, middleware, routing::any};
use std::{future::pending, net::SocketAddr};
use tokio_util::task::AbortOnDropHandle;

/// Where to look instead of a path that is not there.
pub(super) const HINT: &str = "GET /_annals/v1 lists what the platform answers";
/// How many snapshots of a read model are kept: a replay begins with the nearest one below.
const SNAPSHOTS_KEPT: usize = 64;

/// A running service, for the one who stops it.
#[must_use]
pub struct Running {
    app: App,
    address: SocketAddr,
    /// `None`: it has ended.
    serving: Option<AbortOnDropHandle<()>>,
    /// As long as there is one, a collector gets them.
    metrics: Metrics,
    working: Working,
    ending: Ending,
    /// Held until the store is closed.
    _folder: DataFolder,
}

/// What works behind the routes.
pub(super) struct Working {
    pub(super) supervisor: Supervisor,
    pub(super) store: OpenStore,
}

/// A service with all its parts at work, but for the server.
pub(super) struct Assembled {
    pub(super) app: App,
    pub(super) routes: Router,
    pub(super) metrics: Metrics,
    pub(super) working: Working,
}

impl Service {
    /// Starts a service: in a test, or in a program of its own. [`Service::run`] is for `main`.
    pub async fn start<B>(config: Config, build: B) -> Result<Running, ServiceError>
    where
        B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
    {
        let ending = Ending::of(&config);
        start(config, build, ending).await
    }

    /// The same in a program that has an end of its own: what the service does not end in its time is named there.
    pub async fn start_until<B>(ending: &Ending, config: Config, build: B) -> Result<Running, ServiceError>
    where
        B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
    {
        start(config, build, ending.clone()).await
    }
}

pub(super) async fn start<B>(config: Config, build: B, ending: Ending) -> Result<Running, ServiceError>
where
    B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
{
    let server = HttpServer::bind(config.listen, config.http.limits.clone()).await?;
    let (address, answered) = (server.address(), server.answered());
    let mut folder = DataFolder::take(&config.data)?;
    if let Err(error) = folder.tell_address(address) {
        tracing::warn!(%error, "the data folder does not say where its holder serves");
    }
    let health = Health::new();
    let gate = Gate::new(&health, &config.http.limits);
    let serving = AbortOnDropHandle::new(tokio::spawn(server.serve(gate.routes(), ending.token())));
    tracing::info!(%address, store = %config.store.url, "starting; health is answered");
    if let Some(missing) = missing_log(&config) {
        return Err(missing);
    }
    let store = store::open(&config.store, &config.log).await?;
    let assembled = assemble(config, store, Clock::Machine, &health, &ending, build).await;
    let Assembled { app, routes, metrics, working } = assembled?;
    metrics.tell_answered(answered);
    gate.open(routes);
    Ok(Running { app, address, serving: Some(serving), metrics, working, ending, _folder: folder })
}

/// A new log must not begin beside the rows of another one: somebody moved or deleted it.
fn missing_log(config: &Config) -> Option<ServiceError> {
    let (log, rows) = (log_folder(&config.data), config.read_models.folder.clone()?);
    let missing = config.store.url == StoreUrl::Log && !log.exists() && rows.join("catalog.sqlite").exists();
    missing.then_some(ServiceError::LogMissing { log, rows })
}

/// Puts a service together and starts its parts. If that fails, the store is closed again.
pub(super) async fn assemble<B>(
    config: Config,
    store: OpenStore,
    clock: Clock,
    health: &Health,
    ending: &Ending,
    build: B,
) -> Result<Assembled, ServiceError>
where
    B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
{
    let app = App::new(config.name.clone(), store.events().clone(), clock);
    let assembled = async {
        let service =
            build(Service::new(config, app.clone(), health.clone())).await.map_err(ServiceError::of_build)?;
        // On the heap, so that a program's own future stays small: the compiler looks into it only so deep.
        Box::pin(begin(service, &store, health, ending)).await
    };
    match assembled.await {
        Ok((routes, metrics, supervisor)) => {
            let working = Working { supervisor, store };
            Ok(Assembled { app, routes, metrics, working })
        }
        Err(error) => {
            if let Err(close) = store.close().await {
                tracing::warn!(error = crate::sentence(&close), "the store was not closed in order");
            }
            Err(error)
        }
    }
}

async fn begin(
    mut service: Service,
    store: &OpenStore,
    health: &Health,
    ending: &Ending,
) -> Result<(Router, Metrics, Supervisor), ServiceError> {
    let (mut supervisor, mut generations) = (Supervisor::new(), Vec::<Generations>::new());
    let (models, warning) = service.configured_models()?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    names::check(&service, &models).await?;
    let Service { config, app, snapshots, reactors, tasks, routes, .. } = service;
    for keep in snapshots {
        keep(&app).map_err(|error| ServiceError::Build(error.into()))?;
    }
    if !models.is_empty() {
        let catalog = async || parts::catalog(&config).await;
        let catalog = parts::opened("the read models", GenerationError::is_transient, catalog).await?;
        for (model, own) in models {
            let options = ProjectorOptions::new(catalog.clone(), model, app.store().clone());
            let options = with_snapshots(options, own);
            generations.push(options.generations());
            let name = options.model.name().to_string();
            let folded = parts::fold(&app, options, &mut supervisor).await;
            folded.map_err(|cause| ServiceError::ReadModel { name, cause })?;
        }
    }
    reactors.into_iter().for_each(|(app, reactor)| parts::react(&app, reactor, &mut supervisor));
    tasks.into_iter().for_each(|(_, begin)| begin(&app, &mut supervisor));
    parts::replay(&app, generations, &mut supervisor);
    platform::tell(health, &app, supervisor.parts(), ending.leaving());
    health.opened(store);
    let metrics = Metrics::of(health);
    metrics.export();
    let shown = config.telemetry.metrics.then_some(&metrics);
    let platform = finish(reserved(admin::routes(app.replays(), health, shown)), &config.http.limits, HINT);
    let leaving = Leaving { stop: ending.token(), store: app.store().clone() };
    let own = routes.with_state(app).layer(middleware::from_fn(content::watch));
    let own = own.layer(middleware::from_fn_with_state(leaving, leaving::answer));
    let own = finish_own(own, &config.http.limits, HINT);
    let routes = platform.fallback_service(own);
    Ok((routes, metrics, supervisor))
}

/// Nothing below the platform's path is a service's own.
fn reserved(platform: Router) -> Router {
    let unknown = || any(async |uri: Uri| unknown_path(&uri, HINT));
    platform.route("/_annals/", unknown()).route("/_annals/{*rest}", unknown())
}

fn with_snapshots(options: ProjectorOptions, own: ReadModelConfig) -> ProjectorOptions {
    match own.snapshot_every {
        Some(every) => options.snapshots(SnapshotPolicy::every(every.get()).keep(SNAPSHOTS_KEPT)),
        None => options,
    }
}

impl Running {
    /// What handlers and tasks have of the service.
    pub fn app(&self) -> App {
        self.app.clone()
    }

    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// What its parts do.
    pub fn parts(&self) -> Parts {
        self.working.supervisor.parts()
    }

    /// Waits until the service serves no more although nobody told it to stop, and says why. A part that stays stopped is no
    /// reason: health says so, and the rest serves on.
    pub async fn failed(&mut self) -> ServiceError {
        let ended = match &mut self.serving {
            Some(serving) => serving.await,
            None => pending().await,
        };
        self.serving = None;
        if self.ending.leaving().is_cancelled() {
            pending::<()>().await;
        }
        let reason = ended.map_or_else(|died| died.to_string(), |()| "it ended by itself".to_owned());
        ServiceError::Ended { part: "the HTTP server".to_owned(), reason }
    }

    /// Stops in order.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        self.ending.begin();
        self.ending.begun().await;
        if let Some(serving) = &mut self.serving {
            self.ending.within("the HTTP server", serving).await;
        }
        self.working.stop(&self.ending).await
    }
}

impl Working {
    /// Stops what works, and closes the store.
    pub(super) async fn stop(self, ending: &Ending) -> Result<(), ServiceError> {
        self.supervisor.stop(ending).await;
        let closed = ending.within("closing the store", self.store.close()).await;
        Ok(closed.unwrap_or(Ok(()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_service_whose_server_ended_first_stops_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let toml = format!("listen = '127.0.0.1:0'\ndata = {:?}\nstore.url = 'memory:'", folder.path());
        let config = Config::from_toml(&toml).unwrap();
        let mut running = Service::start(config, async |service| Ok(service)).await.unwrap();
        running.ending.begin();
        while running.serving.is_some() {
            let failed = tokio::time::timeout(Duration::from_millis(1), running.failed()).await;
            assert!(failed.is_err(), "it was told to stop");
        }
        running.stop().await.unwrap();
    }
}
