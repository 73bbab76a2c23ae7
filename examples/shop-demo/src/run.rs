//! The program: starts the shop, does the main job, serves on, stops in order.

use crate::feed::PurchaseFile;
use crate::job::Job;
use crate::options::Options;
use crate::report::Report;
use crate::shop::{self, Shop};
use annals::service::{Running, Service};
use annals_service::{Ending, sentence};
use anyhow::{Context, Result, bail};

/// Runs the program to its end, on a runtime of its own: in a binary's crate all that is asynchronous would be compiled anew.
#[tokio::main]
pub async fn run(options: Options) -> Result<()> {
    let telemetry = annals_telemetry::init(telemetry_options())?;
    let ending = Ending::new();
    let result = run_shop(&options, &ending).await;
    ending.finish(telemetry).await;
    result
}

/// Logged when nobody says otherwise: warnings, and that the event store is back. The job tells its steps itself.
const LOG_FILTER: &str = "warn,annals_store_grpc=info";

fn telemetry_options() -> annals_telemetry::Options {
    let log_filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let log_filter = log_filter.unwrap_or_else(|| LOG_FILTER.to_owned());
    annals_telemetry::Options { log_filter, ..annals_telemetry::Options::from_env("annals-shop") }
}

async fn run_shop(options: &Options, ending: &Ending) -> Result<()> {
    // What can be refused is refused before anything is touched.
    let purchases = PurchaseFile::open(&options.purchases)?;
    let config = shop::config(options)?;
    ending.begin_at_a_signal()?;
    let started = ending.start(Service::start_until(ending, config, annals_shop::build)).await;
    let mut running = started.context("stopped before it served")??;
    let result = work(options, purchases, &mut running, ending).await;
    let stopped = running.stop().await;
    result.and(Ok(stopped?))
}

async fn work(
    options: &Options,
    purchases: PurchaseFile,
    running: &mut Running,
    ending: &Ending,
) -> Result<()> {
    let shop = Shop::of(running, options).await?;
    let url = shop.url.clone();
    let found = if shop.resumed { "resumed where it was left" } else { "new" };
    eprintln!("data     {}, {found}", shop.data_dir.display());
    eprintln!("serving  {url}");
    let done = tokio::select! {
        done = Job { shop, purchases }.run() => done,
        error = running.failed() => return Err(error.into()),
        () = ending.begun() => bail!("stopped before the job was done; run again to go on"),
    };
    let done = done.and_then(|report| tell(options, &report));
    if options.once {
        return done;
    }
    // What keeps the job from being done need not keep the services from answering.
    if let Err(error) = &done {
        eprintln!("job      not done: {}", sentence(error.as_ref()));
    }
    eprintln!("serving  {url} until Ctrl-C; try: curl -s {url}/customers/0001");
    tokio::select! {
        error = running.failed() => Err(error.into()),
        () = ending.begun() => {
            eprintln!("stopping");
            done
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the program is run for")]
fn tell(options: &Options, report: &Report) -> Result<()> {
    match options.json {
        true => println!("{}", serde_json::to_string(report)?),
        false => println!("{report}"),
    }
    Ok(())
}
