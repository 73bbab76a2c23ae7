//! What the platform itself answers in a service: below `/_annals/v1`, and its health.

use super::{
    app::App,
    consumer::{Consumer, ConsumerKind},
    health::{self, Health},
    supervise::{PartState, Parts},
};
use crate::admin;
use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;
use std::{collections::BTreeMap, time::SystemTime};

const CONTENTS: &str = "\
what the platform answers in every service

  GET  /_annals/v1/consumers         read models and reactors: what each does, how far behind the log, and why
  POST /_annals/v1/replays           {id?, read_model, from?, mode?: plan | build | promote_if_identical | promote}
  GET  /_annals/v1/replays           and /_annals/v1/replays/{id}: the one that changed last first
  POST /_annals/v1/replays/{id}/promote, cancel, rollback, retire
  GET  /health/live, /health/ready
";

pub(super) fn routes(health: Health) -> Router {
    let (app, parts) = (health.app.clone(), health.parts.clone());
    let consumers = Router::new().route("/consumers", get(consumers)).with_state((app.clone(), parts));
    let v1 = Router::new()
        .route("/", get(async || CONTENTS))
        .merge(consumers)
        .merge(admin::replays(app.replays().clone()));
    Router::new().nest("/_annals/v1", v1).merge(health::routes(health))
}

/// What a consumer does.
#[derive(Serialize)]
struct Body {
    kind: &'static str,
    state: &'static str,
    /// How long it has been in that state.
    for_seconds: u64,
    at: u64,
    behind: u64,
    /// How long ago the first event was recorded that it has not handled yet.
    age_ms: u64,
    /// Why somebody may have to do something.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Body {
    fn of(consumer: &Consumer, part: Option<PartState>) -> Self {
        let state = consumer.state();
        let seconds = |since: SystemTime| since.elapsed().unwrap_or_default().as_secs();
        let (word, since, reason) = match part {
            Some(PartState::Retrying { since, reason, .. }) => ("retrying", since, Some(reason)),
            Some(PartState::Stopped { reason }) => ("stopped", state.since, Some(reason)),
            _ => (state.activity.word(), state.since, state.activity.reason().map(str::to_owned)),
        };
        let kind = match consumer.kind {
            ConsumerKind::ReadModel => "read_model",
            ConsumerKind::Reactor => "reactor",
        };
        Self {
            kind,
            state: word,
            for_seconds: seconds(since),
            at: state.position.get(),
            behind: state.lag(),
            age_ms: u64::try_from(state.age().as_millis()).unwrap_or(u64::MAX),
            reason,
        }
    }
}

async fn consumers(State((app, parts)): State<(App, Parts)>) -> Json<BTreeMap<String, Body>> {
    let body = |consumer: &Consumer| Body::of(consumer, parts.of(&consumer.part()));
    let consumers = app.consumers();
    Json(consumers.iter().map(|consumer| (consumer.name.clone(), body(consumer))).collect())
}
