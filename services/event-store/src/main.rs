//! `annals-event-store`: serves the log in a folder until it is stopped.

mod offline;

use annals_event_store::{KEYS, NAME, Service, Settings, metrics, operations};
use annals_service::{
    Answered, Config, DataFolder, Ending, Exit, HttpServer, ProgramError, Task,
    health::Health,
    metrics::Metrics,
    program,
    store::{OpenStore, StoreError},
};
use annals_store_log::{LogStore, OpenError};
use std::{env, ffi::OsString, io::Write, net::SocketAddr, path::Path, process::ExitCode, sync::Arc};
use tracing::{info, warn};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if let Some(command) = offline::Command::take_from(&mut arguments) {
        let done = offline::run(command, arguments).await;
        return done.map_or_else(|error| error.end(NAME), |()| ExitCode::SUCCESS);
    }
    program(NAME, Config::of_program(NAME, &KEYS, arguments), async |task| match task {
        Task::Check(config) => check(&config).await.map(|()| None),
        Task::Serve(config, ending) => serve_log(&config, &ending).await.map(Some),
    })
    .await
}

/// Tries the address, and looks who has the folder. Nothing is opened or made.
async fn check(config: &Config) -> Result<(), ProgramError> {
    let settings = Settings::of(config)?;
    drop(HttpServer::bind(config.listen, settings.limits(config).http).await?);
    match DataFolder::in_use(&config.data) {
        Some(held) => Err(held.into()),
        None => Ok(()),
    }
}

/// Returns what is to be exported once more at the end.
async fn serve_log(config: &Config, ending: &Ending) -> Result<Metrics, ProgramError> {
    let settings = Settings::of(config)?;
    let limits = settings.limits(config);
    // The address may be in use: it is bound first, so that a failure leaves no new folder.
    let server = HttpServer::bind(config.listen, limits.http.clone()).await?;
    let log = open(config, &settings).await?;
    let _held = hold(&config.data, server.address());
    let store = OpenStore::of_log(log.clone(), config.log.retention());
    let counts = counts_of(&store, server.answered());
    let served = Service::on(server, &limits, Arc::new(log.clone()), |subscriptions| {
        let told = config.telemetry.metrics;
        let told = told.then(|| metrics(counts.clone(), log.clone(), subscriptions.clone()));
        operations(log, settings.backups).merge(told.unwrap_or_default())
    })
    .await;
    let served = match served {
        Ok(service) => {
            serve(service, ending).await;
            Ok(())
        }
        Err(error) => Err(ProgramError::new(Exit::Store, &error)),
    };
    ending.begin();
    let closed = ending.within("closing the log", store.close()).await.unwrap_or(Ok(()));
    served?;
    closed.map_err(|error| ProgramError::new(Exit::PartEnded, &error))?;
    Ok(counts)
}

/// What is counted of the log and of the server, for whoever asks and for a collector.
fn counts_of(store: &OpenStore, answered: Answered) -> Metrics {
    let health = Health::new();
    health.opened(store);
    let metrics = Metrics::of(&health);
    metrics.tell_answered(answered);
    metrics.export();
    metrics
}

async fn open(config: &Config, settings: &Settings) -> Result<LogStore, ProgramError> {
    let log = LogStore::open(&config.data, config.log.options()).await;
    let log = log.map_err(|error| not_opened(&config.data, error))?;
    if let Some(backups) = &settings.backups {
        let usable = log.check_backup_folder(backups);
        usable.map_err(|error| ProgramError::told(Exit::Configuration, format!("--backups: {error}")))?;
    }
    match log.damage() {
        Some(damage) if settings.serve_damaged => {
            warn!(%damage, "the log is damaged and is served read-only");
        }
        Some(damage) => {
            let reason = format!(
                "the log is damaged: {damage}; restore it from a backup, or read what is intact with --serve-damaged"
            );
            return Err(ProgramError::told(Exit::Store, reason));
        }
        None => {}
    }
    Ok(log)
}

/// Whoever has the log says who it is in a file beside it.
pub(crate) fn not_opened(data: &Path, error: OpenError) -> ProgramError {
    match (&error, DataFolder::in_use(data)) {
        (OpenError::InUse { .. }, Some(held)) => held.into(),
        _ => StoreError::from(error).into(),
    }
}

/// Says beside the log who serves it, and where. The log's own lock is what keeps others out.
fn hold(data: &Path, address: SocketAddr) -> Option<DataFolder> {
    let held = DataFolder::take(data).map_err(|error| error.to_string()).and_then(|mut held| {
        held.tell_address(address).map_err(|error| error.to_string())?;
        Ok(held)
    });
    held.inspect_err(|reason| warn!(reason, "the folder does not say who serves it")).ok()
}

async fn serve(service: Service, ending: &Ending) {
    let address = service.address();
    // Port 0 was chosen by the system, so the address is printed. If standard output is closed, the server runs all the same.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    info!(%address, "serving the log");
    ending.serve("the HTTP server", service.run(ending.token())).await;
}
