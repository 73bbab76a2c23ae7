//! What the platform itself answers in a service: its health, its metrics, and all below `/_annals/v1`.

use super::{
    app::App,
    supervise::{PartState, Parts},
};
use crate::{
    admin,
    health::{Condition, ConsumerKind, Health},
    metrics::Metrics,
};
use axum::{Router, routing::get};
use tokio_util::sync::CancellationToken;

const CONTENTS: &str = "\
what the platform answers in every service

  GET  /health/live, /health/ready   whether the process answers; whether it may be sent requests, and why not
  GET  /metrics                      counts and states in the text form of Prometheus, unless telemetry.metrics is false
  GET  /_annals/v1/health, metrics   the same
  POST /_annals/v1/replays           {id?, read_model, from?, mode?: plan | build | promote_if_identical | promote}
  GET  /_annals/v1/replays           and /_annals/v1/replays/{id}: the one that changed last first
  POST /_annals/v1/replays/{id}/promote, cancel, rollback, retire
";

/// The routes; `metrics`: unless they are switched off.
pub(super) fn routes(app: &App, health: &Health, metrics: Option<&Metrics>) -> Router {
    let told = health.routes().merge(metrics.map(Metrics::routes).unwrap_or_default());
    let v1 = Router::new().route("/", get(async || CONTENTS)).merge(admin::replays(app.replays().clone()));
    Router::new().nest("/_annals/v1", v1.merge(told.clone())).merge(told)
}

/// Tells `health` of the parts of a service, which were started.
pub(super) fn tell(health: &Health, app: &App, parts: Parts, leaving: CancellationToken) {
    for consumer in app.consumers() {
        let watched = consumer.clone();
        health.consumer(consumer.kind, &consumer.name, move || watched.state());
    }
    let replays = app.replays().clone();
    health.consumer(ConsumerKind::Other, "replays", move || replays.state());
    health.ask(move || match leaving.is_cancelled() {
        true => vec![("the service".to_owned(), Condition::NotReady("it was told to stop".to_owned()))],
        false => Vec::new(),
    });
    // A consumer that has stopped says so itself.
    let consumers: Vec<_> = app.consumers().iter().map(|consumer| consumer.part()).collect();
    health.ask(move || {
        let reason = |name: &String, state| match state {
            PartState::Retrying { reason, .. } => Some(reason),
            PartState::Stopped { reason } if !consumers.contains(name) => Some(reason),
            _ => None,
        };
        let parts = parts.now().into_iter();
        let parts = parts.filter_map(|(name, state)| Some((reason(&name, state)?, name)));
        parts.map(|(reason, name)| (name, Condition::Degraded(reason))).collect()
    });
}
