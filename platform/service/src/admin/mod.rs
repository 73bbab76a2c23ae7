//! The platform's own routes, the same in every service: what people and tools ask of it beside its domain.
//!
//! What always holds: everything here answers below one path, which the service's own routes do not use. Nothing is decided
//! here; each request is passed on to the part that decides.

mod replays;

pub use replays::replays;

use crate::{health::Health, metrics::Metrics};
use annals_replay::Replays;
use axum::{Router, routing::get};

const CONTENTS: &str = "\
what the platform answers in every service

  GET  /health/live, /health/ready   whether the process answers; whether it may be sent requests, and why not
  GET  /metrics                      counts and states in the text form of Prometheus, unless telemetry.metrics is false
  GET  /_annals/v1/health, metrics   the same
  POST /_annals/v1/replays           {id?, read_model, from?, mode?: plan | build | promote_if_identical | promote}
  GET  /_annals/v1/replays           and /_annals/v1/replays/{id}: the one that changed last first
  POST /_annals/v1/replays/{id}/promote, cancel, rollback, retire
";

/// What the platform answers in a program: its health, its metrics unless they are switched off, and all below `/_annals/v1`.
pub fn routes(replays: &Replays, health: &Health, metrics: Option<&Metrics>) -> Router {
    let told = health.routes().merge(metrics.map(Metrics::routes).unwrap_or_default());
    let v1 = Router::new().route("/", get(async || CONTENTS)).merge(replays::replays(replays.clone()));
    Router::new().nest("/_annals/v1", v1.merge(told.clone())).merge(told)
}
