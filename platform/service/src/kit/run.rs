//! A service as a program: its configuration, its signals, its telemetry, its exit code.

use super::{
    app::App, clock::Clock, error::ServiceError, names, running::start, service::Service,
    supervise::BuildError,
};
use crate::{
    Ending, HttpServer, Task, config::Config, health::Health, metrics::Metrics, program,
    program::warn_on_stderr, store,
};
use annals_store::GappedStore;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

impl Service {
    /// Runs a service until it is told to stop: for `main`. Reads the configuration of the process, sets up telemetry, and ends
    /// in order at Ctrl-C or SIGTERM, at once at a second one. Says on standard output where it listens; all else goes to
    /// standard error. The exit code is an [`Exit`](crate::Exit).
    pub async fn run<B>(name: &'static str, build: B) -> ExitCode
    where
        B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
    {
        program(name, Config::load(name), async |task| match task {
            Task::Check(config) => {
                check(config, build).await?;
                Ok(None)
            }
            Task::Serve(config, ending) => Ok(serve(config, build, &ending).await?),
        })
        .await
    }
}

/// Reads everything and tries every address, and starts nothing: the service is put together on a store in memory.
async fn check<B>(config: Config, build: B) -> Result<(), ServiceError>
where
    B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
{
    drop(HttpServer::bind(config.listen, config.http.limits.clone()).await?);
    store::check(&config.store).await?;
    let name = config.name.clone();
    let app = App::new(name.clone(), Arc::new(GappedStore::new()), Clock::Machine);
    let service = build(Service::new(config, app, Health::new())).await;
    let mut service = service.map_err(ServiceError::of_build)?;
    let (models, warning) = service.configured_models()?;
    if let Some(warning) = warning {
        warn_on_stderr(&name, &warning);
    }
    names::check(&service, &models).await
}

/// Returns what is to be exported once more at the end.
async fn serve<B>(config: Config, build: B, ending: &Ending) -> Result<Option<Metrics>, ServiceError>
where
    B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
{
    // Told to stop before it served, it has nothing to end.
    let Some(started) = ending.start(start(config, build, ending.clone())).await else { return Ok(None) };
    let mut running = started?;
    // For whoever started this and asked for port 0. A closed standard output is no reason not to serve.
    let _ = writeln!(io::stdout(), "listening on http://{}", running.address());
    let metrics = running.metrics();
    tokio::select! {
        error = running.failed() => {
            running.stop().await?;
            Err(error)
        }
        () = ending.begun() => {
            running.stop().await?;
            Ok(Some(metrics))
        }
    }
}
