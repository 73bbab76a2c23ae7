//! The program: starts the shop, does the main job, serves on, stops in order.

use crate::feed::PurchaseFile;
use crate::job::Job;
use crate::options::Options;
use crate::report::Report;
use crate::shop::{self, Running};
use annals::service::{Ending, sentence};
use annals::telemetry;
use anyhow::{Result, bail};

/// Runs the program to its end, on a runtime of its own: in a binary's crate all that is asynchronous would be compiled anew.
#[tokio::main]
pub async fn run(options: Options) -> Result<()> {
    let telemetry = telemetry::init(telemetry_options())?;
    let ending = Ending::new();
    let result = run_shop(&options, &ending).await;
    ending.finish(telemetry).await;
    result
}

/// Logged when nobody says otherwise: warnings, and that the event store is back. The job tells its steps itself.
const LOG_FILTER: &str = "warn,annals_store_grpc=info";

fn telemetry_options() -> telemetry::Options {
    let log_filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let log_filter = log_filter.unwrap_or_else(|| LOG_FILTER.to_owned());
    telemetry::Options { log_filter, ..telemetry::Options::from_env("annals-shop") }
}

async fn run_shop(options: &Options, ending: &Ending) -> Result<()> {
    // What can be refused is refused before anything is touched.
    let purchases = PurchaseFile::open(&options.purchases)?;
    ending.begin_at_a_signal()?;
    let started = ending.start(shop::start(options)).await;
    let (shop, mut running) = started.unwrap_or_else(|| bail!("stopped before it served"))?;
    let place = shop.data_dir.display();
    let found = match (shop.rows_of_another_log, shop.resumed) {
        (true, _) => "with rows of another log: they are served as they are, and replays make them anew",
        (false, true) => "resumed where it was left",
        (false, false) => "new",
    };
    eprintln!("data     {place}, {found}");
    eprintln!("serving  {}", shop.url());
    let job = Job { shop, purchases };
    let result = work(options, job, &mut running, ending).await;
    let stopped = running.stop(ending).await;
    result.and(stopped)
}

async fn work(options: &Options, job: Job, running: &mut Running, ending: &Ending) -> Result<()> {
    let url = job.shop.url();
    let done = tokio::select! {
        done = job.run() => done,
        error = running.failure() => return Err(error),
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
        error = running.failure() => Err(error),
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
