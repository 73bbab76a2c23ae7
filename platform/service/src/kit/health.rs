//! What a service says of itself to whoever sends it requests.
//!
//! * `/health/live`: the process answers.
//! * `/health/ready`: requests may be sent here. It is 503 until each read model and each reactor has once handled what was in the
//!   log when it started, while the service drains, and when its own log accepts nothing for good. Never because of lag, of a
//!   consumer that is stopped or retries, or of a store that is away later: all replicas would be taken out at once, and
//!   those that can still answer, too. Such things are `degraded`, with their reasons, and 200.

use super::{
    app::App,
    supervise::{PartState, Parts},
};
use annals_event::Sequence;
use annals_store::{Activity, probe};
use annals_store_log::LogStore;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio_util::sync::CancellationToken;

/// What health is read from.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) app: App,
    pub(super) parts: Parts,
    /// The log of this process, if there is one.
    pub(super) log: Option<LogStore>,
    /// Cancelled when the service drains.
    pub(super) leaving: CancellationToken,
    /// Where the log ended when the service started.
    pub(super) begun: Sequence,
    /// Whether each consumer has been there.
    pub(super) caught_up: Arc<AtomicBool>,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

pub(super) fn routes(health: Health) -> Router {
    let live = async || Json(Report { status: "ok", reasons: Vec::new() });
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready)).with_state(health)
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Report>) {
    let reasons = health.not_ready();
    if !reasons.is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Report { status: "not_ready", reasons }));
    }
    let reasons = health.degraded().await;
    let status = if reasons.is_empty() { "ok" } else { "degraded" };
    (StatusCode::OK, Json(Report { status, reasons }))
}

impl Health {
    fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.leaving.is_cancelled() {
            reasons.push("the service is stopping".to_owned());
        }
        if let Some(log) = &self.log {
            reasons.extend(log.stopped());
            reasons.extend(log.damage().map(|damage| format!("the log is damaged: {damage}")));
        }
        reasons.extend(self.catching_up());
        reasons
    }

    /// The consumers that have not handled yet what was there at the start. One that cannot go on keeps nobody waiting.
    fn catching_up(&self) -> Vec<String> {
        if self.caught_up.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let goes_on = |activity: &Activity| {
            matches!(activity, Activity::Starting | Activity::Running | Activity::Retrying { .. })
        };
        let consumers = self.app.consumers();
        let behind = consumers.iter().map(|consumer| (consumer.part(), consumer.state()));
        let behind = behind.filter(|(_, state)| goes_on(&state.activity) && state.position < self.begun);
        let told = |(part, at)| format!("{part} is at {at} and catches up with {}", self.begun);
        let reasons: Vec<_> = behind.map(|(part, state)| told((part, state.position))).collect();
        self.caught_up.store(reasons.is_empty(), Ordering::Relaxed);
        reasons
    }

    async fn degraded(&self) -> Vec<String> {
        let store = &**self.app.store();
        let mut reasons = Vec::new();
        reasons.extend(probe(store).await.err().map(|error| error.to_string()));
        reasons.extend(store.damages().iter().map(ToString::to_string));
        reasons.extend(store.warnings());
        for consumer in self.app.consumers() {
            let activity = consumer.state().activity;
            reasons.extend(activity.reason().map(|reason| format!("{}: {reason}", consumer.part())));
        }
        for (part, state) in self.parts.now() {
            let reason = match state {
                PartState::Retrying { reason, .. } | PartState::Stopped { reason } => {
                    format!("{part}: {reason}")
                }
                PartState::Running | PartState::Done => continue,
            };
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }
}
