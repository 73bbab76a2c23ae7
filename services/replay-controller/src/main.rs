//! The replay controller as a process of its own, over the network seam.

use annals_replay::Replays;
use annals_service::{HttpServer, listen_address, sentence};
use annals_store::EventStore;
use annals_store_grpc::GrpcStore;
use annals_telemetry::Telemetry;
use anyhow::Result;
use clap::Parser;
use std::{io::Write, net::SocketAddr, process::ExitCode, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Ask for replays of read models, watch them, promote them, roll them back, over HTTP.
///
/// Prints its address on standard output once it serves; everything else goes to standard error. Ctrl-C or SIGTERM ends it
/// in order.
///
/// The controller keeps nothing: replays are events of the log. The workers that carry them out run where the read
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
            // Where nobody reads standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "annals-replay-controller: {}", sentence(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let telemetry = annals_telemetry::init(annals_telemetry::Options::from_env("annals-replay-controller"))?;
    let served = serve(&options).await;
    end(telemetry).await;
    served
}

async fn serve(options: &Options) -> Result<()> {
    let server = HttpServer::bind(options.listen, annals_replay_controller::limits()).await?;
    let store: Arc<dyn EventStore> =
        Arc::new(GrpcStore::connect(&options.store, annals_store_grpc::Options::default()).await?);
    let address = server.address();
    // For whoever started this and asked for port 0. A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    tracing::info!(%address, store = options.store, "the replay controller is ready");

    let shutdown = CancellationToken::new();
    let replays = Replays::new(store.clone());
    let following = tokio::spawn({
        let (replays, shutdown) = (replays.clone(), shutdown.clone());
        async move { replays.run(shutdown).await }
    });
    tokio::spawn(cancel_on_signal(shutdown.clone()));

    // Health says when the replays are not followed any more; what is asked of them is answered all the same.
    server.serve(annals_replay_controller::server(replays, store), shutdown).await;
    Ok(following.await??)
}

async fn cancel_on_signal(shutdown: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    shutdown.cancel();
    Ok(())
}

async fn end(telemetry: Telemetry) {
    if let Err(error) = telemetry.shutdown().await {
        tracing::warn!(%error, "the last spans were not exported");
    }
}
