//! `annals-event-store`: serves the log in a folder until it is told to stop.

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

/// Serves the shared log: services append events to it and read them, over gRPC (annals.v1.EventStore); people look at
/// /health, /v1/head and /v1/stats over HTTP on the same port, and POST {} to /v1/backup.
///
/// Prints its address on standard output once it serves; everything else goes to standard error. Ctrl-C or SIGTERM
/// ends it in order within 10 seconds: answers under way are given, the log is closed. Nothing that was answered is lost by
/// any other end either.
///
/// There is no authentication yet: whoever reaches the port reads and writes the log.
///
/// Spans are exported when OTEL_EXPORTER_OTLP_ENDPOINT names a collector. RUST_LOG says what is logged.
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

    /// The log's folder; made when it is missing. One process at a time can have it
    #[arg(long, value_name = "DIR", env = "ANNALS_DATA", required = true)]
    data: Option<PathBuf>,

    /// The address to listen on. The default is a free port that only this machine reaches; 0.0.0.0:7400 is a fixed port
    /// that all reach
    #[arg(long, value_name = "ADDR", env = "ANNALS_LISTEN", default_value = "127.0.0.1:0", value_parser = listen_address)]
    listen: SocketAddr,

    /// Serve a log whose damage is found when it is opened, for reading what lies below. Without it the server does not start.
    /// Opening reads the end of a log; what is found in the background later is named by /health, and appends go on
    #[arg(long)]
    serve_damaged: bool,

    /// Events older than so many days may be dropped, whole segments at a time. Without it and --retain-bytes all is kept
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    retain_days: Option<u32>,

    /// The oldest events may be dropped, whole segments at a time, while the log takes more than so many bytes
    #[arg(long, value_name = "BYTES")]
    retain_bytes: Option<u64>,

    /// Bytes of the disk that appends leave free. With less the log is for reading only, but for the platform's own appends,
    /// until there is room again; /v1/stats says so. 0: appends go on until the disk is full
    #[arg(long, value_name = "BYTES", default_value_t = annals_store_log::Options::default().reserve_bytes)]
    reserve_bytes: u64,

    /// Believe the machine's clock although it is more than a year ahead of the last event, because the log was not used for
    /// so long. Otherwise such a clock is taken for a wrong one; /v1/stats says so
    #[arg(long)]
    trust_clock: bool,

    /// The folder below which POST /v1/backup makes backups, each in a folder of its own. Without it there are none
    #[arg(long, value_name = "DIR")]
    backups: Option<PathBuf>,

    /// MiB a second that are read in the background to verify what is stored; 0: none
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    scrub_mib_per_s: u32,

    /// Connections at once; more wait
    #[arg(long, value_name = "N", default_value_t = HttpLimits::CONNECTIONS_MAX_DEFAULT, value_parser = at_least_one)]
    connections_max: usize,

    /// Subscriptions at once; more are refused
    #[arg(long, value_name = "N", default_value_t = Limits::SUBSCRIPTIONS_MAX_DEFAULT, value_parser = at_least_one)]
    subscriptions_max: usize,

    /// Milliseconds that a request may take
    #[arg(long, value_name = "MS", default_value_t = HttpLimits::REQUEST_MS_MAX_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    request_ms_max: u64,

    /// Bytes of requests that are held at once, over all connections; more wait to be read
    #[arg(long, value_name = "BYTES", default_value_t = HttpLimits::BUDGET_BYTES_DEFAULT)]
    budget_bytes: u32,
}

/// What to do instead of serving. Nobody may have the log open.
#[derive(Debug, Subcommand)]
enum Command {
    /// Goes over everything that is stored, without changing it; fails if anything is damaged
    Verify {
        /// The log's folder
        #[arg(long, value_name = "DIR", env = "ANNALS_DATA")]
        data: PathBuf,
    },
    /// Copies the log to a new folder and verifies the copy. To restore it, copy that folder to where the log is to be
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
            // Where nobody reads standard error there is nobody to tell.
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
    // What another process may have is taken before the log's folder is made.
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
            warn!(%damage, "the log is damaged: it is served for reading only");
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
    // For whoever started this and asked for port 0. A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    info!(%address, "serving the log");
    ending.serve("the HTTP server", service.run(ending.token())).await;
}
