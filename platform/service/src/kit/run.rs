//! A service as a program: its configuration, its signals, its telemetry, its exit code.

use super::{
    app::App,
    clock::Clock,
    error::ServiceError,
    running::{ending_of, start},
    service::Service,
    supervise::BuildError,
};
use crate::{
    Ending, Exit, HttpServer,
    config::{Config, StoreUrl, Wanted, redacted},
    metrics::Metrics,
    sentence, store,
};
use annals_store::GappedStore;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// How long `--check` waits for a store.
const CHECK_TIME_MAX: Duration = Duration::from_secs(5);

impl Service {
    /// Runs a service until it is told to stop: for `main`. Reads the configuration of the process, sets up telemetry, and ends
    /// in order at Ctrl-C or SIGTERM, at once at a second one. Says on standard output where it listens; all else goes to
    /// standard error. The exit code is an [`Exit`](crate::Exit).
    pub async fn run<B>(name: &'static str, build: B) -> ExitCode
    where
        B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
    {
        match run(name, build).await {
            Ok(()) => Exit::Stopped.into(),
            Err(error) => {
                // If nobody reads standard error, there is nobody to tell.
                let _ = writeln!(io::stderr(), "{name}: {}", redacted(&sentence(&error)));
                error.exit().into()
            }
        }
    }
}

async fn run<B>(name: &'static str, build: B) -> Result<(), ServiceError>
where
    B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
{
    let config = Config::load(name)?;
    if let Some(answer) = config.answer() {
        let _ = writeln!(io::stdout(), "{}", answer.trim_end());
        return Ok(());
    }
    if config.wanted == Wanted::Check {
        return check(config, build).await;
    }
    let telemetry = annals_telemetry::init(config.telemetry.options(name))?;
    let ending = ending_of(&config);
    ending.begin_at_a_signal().map_err(ServiceError::Signals)?;
    let served = serve(config, build, &ending).await;
    ending.finish(telemetry).await;
    served.map(drop)
}

/// Reads everything and tries every address, and starts nothing: the service is put together on a store in memory.
async fn check<B>(config: Config, build: B) -> Result<(), ServiceError>
where
    B: AsyncFnOnce(Service) -> Result<Service, BuildError>,
{
    if let Some(warning) = config.warning() {
        let _ = writeln!(io::stderr(), "{}: warning: {warning}", config.name);
    }
    drop(HttpServer::bind(config.listen, config.http.limits.clone()).await?);
    if let StoreUrl::Http(_) = &config.store {
        let opening = timeout(CHECK_TIME_MAX, store::open(&config.store, &config.log));
        opening.await.map_err(|_| ServiceError::StoreAway(config.store.to_string()))??;
    }
    let app = App::new(config.name.clone(), Arc::new(GappedStore::new()), Clock::Machine);
    let service = build(Service::new(config, app)).await;
    service.map_err(ServiceError::of_build)?.configured_models()?;
    let _ = writeln!(io::stdout(), "the configuration can be used");
    Ok(())
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
