use annals_replay::Replays;
use annals_service::{
    Config, admin, finish,
    health::{Condition, ConsumerKind, Health},
    metrics::Metrics,
    store::OpenStore,
};
use axum::Router;
use tokio_util::sync::CancellationToken;

/// Where to look instead of a path that does not exist.
const HINT: &str = "try /replays or /health";

/// Its health, with `replays` that follow the log in `store`. Not ready once it is `leaving`, and while the replays are not
/// followed, without which the list may differ from the log.
pub fn health(store: &OpenStore, replays: &Replays, leaving: CancellationToken) -> Health {
    let health = Health::new();
    health.opened(store);
    let (watched, replays) = (replays.clone(), replays.clone());
    health.consumer(ConsumerKind::Other, "replays", move || watched.state());
    health.ask(move || {
        let told_to_stop = leaving.is_cancelled().then(|| "it was told to stop".to_owned());
        let activity = replays.state().activity;
        let not_followed =
            activity.reason().map(|reason| ("the replays", format!("they are not followed: {reason}")));
        let all = told_to_stop.map(|reason| ("the controller", reason)).into_iter().chain(not_followed);
        all.map(|(part, reason)| (part.to_owned(), Condition::NotReady(reason))).collect()
    });
    health
}

/// All that it answers.
pub fn routes(replays: &Replays, health: &Health, metrics: &Metrics, config: &Config) -> Router {
    let (limits, shown) = (&config.http.limits, config.telemetry.metrics.then_some(metrics));
    let own = finish(admin::replays(replays.clone()), limits, HINT);
    finish(admin::routes(replays, health, shown), limits, HINT).fallback_service(own)
}
