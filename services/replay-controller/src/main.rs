//! The replay controller as a process of its own, over the network.

use annals_replay::Replays;
use annals_replay_controller::{KEYS, NAME, health, routes};
use annals_service::{
    Config, Ending, Exit, Failure, HttpServer, ProgramError, Supervisor, Task, config::StoreUrl,
    metrics::Metrics, program, store,
};
use std::{env, io::Write, process::ExitCode};

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::of_program(NAME, &KEYS, env::args_os().skip(1));
    program(NAME, config, async |task| match task {
        Task::Check(config) => check(&config).await.map(|()| None),
        Task::Serve(config, ending) => serve(&config, &ending).await,
    })
    .await
}

async fn check(config: &Config) -> Result<(), ProgramError> {
    drop(bind(config).await?);
    Ok(store::check(&config.store).await?)
}

/// Takes the address. A log that nobody else writes has no replays to control.
async fn bind(config: &Config) -> Result<HttpServer, ProgramError> {
    if !matches!(config.store.url, StoreUrl::Http(_)) {
        let reason = "store.url: replays are those of a log that is served; write http://HOST:PORT";
        return Err(ProgramError::told(Exit::Configuration, reason));
    }
    Ok(HttpServer::bind(config.listen, config.http.limits.clone()).await?)
}

/// Returns what is to be exported once more at the end.
async fn serve(config: &Config, ending: &Ending) -> Result<Option<Metrics>, ProgramError> {
    let server = bind(config).await?;
    // Told to stop before it served, it has nothing to end.
    let opening = store::open(&config.store, &config.log);
    let Some(store) = ending.start(opening).await else { return Ok(None) };
    let store = store?;
    let address = server.address();
    // For whoever started this and asked for port 0. A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    tracing::info!(%address, store = %config.store.url, "the replay controller is ready");

    let (replays, mut supervisor) = (Replays::new(store.events().clone()), Supervisor::new());
    let followed = replays.clone();
    supervisor.spawn("the list of replays", move |stop| {
        let replays = followed.clone();
        async move { replays.run(stop).await.map_err(Failure::passing) }
    });
    let health = health(&store, &replays, ending.leaving());
    let metrics = Metrics::of(&health);
    metrics.tell_answered(server.answered());
    metrics.export();
    let serving = server.serve(routes(&replays, &health, &metrics, config), ending.token());
    ending.serve("the HTTP server", serving).await;
    supervisor.stop(ending).await;
    Ok(Some(metrics))
}
