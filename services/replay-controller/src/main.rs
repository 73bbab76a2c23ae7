//! The replay controller as a process of its own, over the network.

use annals_replay::Replays;
use annals_service::{Ending, HttpServer, listen_address, sentence};
use annals_store::EventStore;
use annals_store_grpc::GrpcStore;
use anyhow::{Result, bail};
use clap::Parser;
use std::{io::Write, net::SocketAddr, process::ExitCode, sync::Arc};

/// Ask for replays of read models, watch them, promote them, roll them back, over HTTP.
///
/// Prints its address on standard output once it serves; everything else goes to standard error. Ctrl-C or SIGTERM
/// ends it cleanly within 10 seconds.
///
/// The controller stores nothing: replays are events of the log. The workers that carry them out run where the read
/// models are.
///
/// Try: curl -X POST localhost:7401/replays -H 'content-type: application/json' -d '{"read_model": "customer_value",
/// "from": 1, "mode": "plan"}'
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The event store's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7400", env = "ANNALS_STORE")]
    store: String,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7401", value_parser = listen_address)]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody reads standard error, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "annals-replay-controller: {}", sentence(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let telemetry = annals_telemetry::init(annals_telemetry::Options::from_env("annals-replay-controller"))?;
    let ending = Ending::new();
    let served = serve(&options, &ending).await;
    ending.finish(telemetry).await;
    served
}

async fn serve(options: &Options, ending: &Ending) -> Result<()> {
    let server = HttpServer::bind(options.listen, annals_replay_controller::limits()).await?;
    ending.begin_at_a_signal()?;
    let connecting = GrpcStore::connect(&options.store, annals_store_grpc::Options::default());
    let Some(store) = ending.start(connecting).await else { bail!("stopped before it served") };
    let store: Arc<dyn EventStore> = Arc::new(store?);
    let address = server.address();
    // For whoever started this and asked for port 0. A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    tracing::info!(%address, store = options.store, "the replay controller is ready");

    let replays = Replays::new(store.clone());
    let following = tokio::spawn({
        let (replays, stop) = (replays.clone(), ending.token());
        async move { replays.run(stop).await }
    });
    // Health says when the replays are no longer followed; requests are answered all the same.
    let serving = server.serve(annals_replay_controller::server(replays, store), ending.token());
    ending.serve("the HTTP server", serving).await;
    match ending.within("the list of replays", following).await {
        Some(followed) => Ok(followed??),
        None => Ok(()),
    }
}
