//! `annals-event-store`: serves the log in a folder until it is stopped.

mod offline;

use annals_event_store::{Limits, Service, operations};
use annals_service::{Ending, HttpLimits, HttpServer, listen_address, sentence};
use annals_store_log::{LogStore, Retainer, Retention, Scrub};
use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use std::{
    io::Write, net::SocketAddr, num::NonZeroU64, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};
use tracing::{info, warn};

/// Serves the shared log. Services append and read events over gRPC (annals.v1.EventStore). On the same port, HTTP has
/// /health, /v1/head and /v1/stats for operators, and POST {} to /v1/backup makes a backup.
///
/// When the server is ready, it prints its address on standard output; everything else goes to standard error. Ctrl-C or
/// SIGTERM shuts it down within 10 seconds: requests under way are answered, and the log is closed. However the process
/// ends, no append that was answered is lost.
///
/// There is no authentication yet: anyone who can connect to the port can read and write the log.
///
/// Spans are exported if OTEL_EXPORTER_OTLP_ENDPOINT names a collector. RUST_LOG sets what is logged.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 110,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// The log's folder; created if it does not exist. Only one process at a time can use it
    #[arg(long, value_name = "DIR", env = "ANNALS_DATA", required = true)]
    data: Option<PathBuf>,

    /// The address to listen on. The default is any free port, reachable only from this machine; 0.0.0.0:7400 is a fixed
    /// port, reachable from other machines
    #[arg(long, value_name = "ADDR", env = "ANNALS_LISTEN", default_value = "127.0.0.1:0", value_parser = listen_address)]
    listen: SocketAddr,

    /// If damage is found when the log is opened, serve the events below it, read-only. Without this flag the server does not
    /// start. Opening checks only the end of the log; damage found in the background later is reported by /health, and the
    /// log still accepts appends
    #[arg(long)]
    serve_damaged: bool,

    /// Drop events older than this many days, whole segments at a time. Without this and --retain-bytes, all events are kept
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    retain_days: Option<u32>,

    /// Drop the oldest events, whole segments at a time, while the log is larger than this many bytes
    #[arg(long, value_name = "BYTES")]
    retain_bytes: Option<u64>,

    /// Bytes of disk space that appends must leave free. With less free space only the platform's own appends are accepted,
    /// until there is room again; /v1/stats says so. 0: accept appends until the disk is full
    #[arg(long, value_name = "BYTES", default_value_t = annals_store_log::Options::default().reserve_bytes)]
    reserve_bytes: u64,

    /// Trust the machine's clock even if it is more than a year ahead of the last event: for a log that was not used for that
    /// long. Without this flag such a clock is considered wrong; /v1/stats says so
    #[arg(long)]
    trust_clock: bool,

    /// The folder for backups: POST /v1/backup puts each into a new folder inside it. Without this the request is refused
    #[arg(long, value_name = "DIR")]
    backups: Option<PathBuf>,

    /// MiB per second that are read in the background to verify stored data. 0: no verification in the background
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    scrub_mib_per_s: u32,

    /// Maximum number of connections at once; further ones wait
    #[arg(long, value_name = "N", default_value_t = HttpLimits::CONNECTIONS_MAX_DEFAULT, value_parser = at_least_one)]
    connections_max: usize,

    /// Maximum number of subscriptions at once; further ones are refused
    #[arg(long, value_name = "N", default_value_t = Limits::SUBSCRIPTIONS_MAX_DEFAULT, value_parser = at_least_one)]
    subscriptions_max: usize,

    /// Maximum time for a request, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = HttpLimits::REQUEST_MS_MAX_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    request_ms_max: u64,

    /// Maximum bytes of requests in memory at once, over all connections; further requests wait to be read
    #[arg(long, value_name = "BYTES", default_value_t = HttpLimits::BUDGET_BYTES_DEFAULT)]
    budget_bytes: u32,
}

/// What to do instead of serving. The log must not be in use.
#[derive(Debug, Subcommand)]
enum Command {
    /// Reads and verifies everything in the log, without changing it; fails if anything is damaged
    Verify {
        /// The log's folder
        #[arg(long, value_name = "DIR", env = "ANNALS_DATA")]
        data: PathBuf,
    },
    /// Copies the log to a new folder and verifies the copy. To restore it, copy that folder to the log's location
    Backup {
        /// The log's folder
        #[arg(long, value_name = "DIR", env = "ANNALS_DATA")]
        data: PathBuf,
        /// The new folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number".into()),
    }
}

impl Arguments {
    /// `None`: everything is kept.
    fn retention(&self) -> Option<Retention> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let age_max = self.retain_days.map(|days| DAY.saturating_mul(days));
        let retention = Retention { age_max, bytes_max: self.retain_bytes };
        (retention != Retention::default()).then_some(retention)
    }

    fn log_options(&self) -> annals_store_log::Options {
        let bytes_per_s = NonZeroU64::new(u64::from(self.scrub_mib_per_s) << 20);
        let mut options = annals_store_log::Options::default();
        options.scrub = bytes_per_s.map(Scrub::at);
        options.reserve_bytes = self.reserve_bytes;
        options.trust_clock = self.trust_clock;
        options
    }

    fn limits(&self) -> Limits {
        let defaults = Limits::default().http;
        let http = HttpLimits {
            connections_max: self.connections_max,
            budget_bytes: self.budget_bytes,
            request_time_max: Duration::from_millis(self.request_ms_max),
            ..defaults
        };
        Limits { http, subscriptions_max: self.subscriptions_max }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "annals-event-store: {}", sentence(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Some(Command::Verify { data }) => offline::verify_log(data),
        Some(Command::Backup { data, to }) => offline::back_up(data, to.clone()).await,
        None => keep_serving(arguments).await,
    }
}

async fn keep_serving(arguments: Arguments) -> anyhow::Result<()> {
    let telemetry = annals_telemetry::init(annals_telemetry::Options::from_env("annals-event-store"))?;
    let ending = Ending::new();
    let served = serve_log(&arguments, &ending).await;
    ending.finish(telemetry).await;
    served
}

async fn serve_log(arguments: &Arguments, ending: &Ending) -> anyhow::Result<()> {
    ending.begin_at_a_signal().context("cannot listen for signals")?;
    let limits = arguments.limits();
    // The address may be in use: it is bound first, so that a failure leaves no new folder.
    let server = HttpServer::bind(arguments.listen, limits.http.clone()).await?;
    let store = open(arguments).await?;
    let retaining = arguments.retention().map(|retention| {
        let retainer = Retainer::new(store.clone(), retention);
        tokio::spawn(retainer.run(ending.token()))
    });
    let pages = operations(store.clone(), arguments.backups.clone());
    let served = Service::on(server, &limits, Arc::new(store.clone()), pages).await;
    let served = match served {
        Ok(service) => {
            serve(service, ending).await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    ending.begin();
    let retained = match retaining {
        Some(retaining) => ending.within("retention", retaining).await.transpose().context("retention"),
        None => Ok(None),
    };
    let closed = ending.within("closing the log", store.close()).await.transpose();
    served?;
    retained?;
    closed?;
    Ok(())
}

async fn open(arguments: &Arguments) -> anyhow::Result<LogStore> {
    let data = arguments.data.as_ref().context("--data DIR is missing")?;
    let store = LogStore::open(data, arguments.log_options()).await?;
    if let Some(backups) = &arguments.backups {
        store.check_backup_folder(backups).context("--backups")?;
    }
    match store.damage() {
        Some(damage) if arguments.serve_damaged => {
            warn!(%damage, "the log is damaged and is served read-only");
        }
        Some(damage) => bail!(
            "the log is damaged: {damage}; restore it from a backup, or read what is intact with --serve-damaged"
        ),
        None => {}
    }
    Ok(store)
}

async fn serve(service: Service, ending: &Ending) {
    let address = service.address();
    // Port 0 was chosen by the system, so the address is printed. If standard output is closed, the server runs all the same.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    info!(%address, "serving the log");
    ending.serve("the HTTP server", service.run(ending.token())).await;
}
