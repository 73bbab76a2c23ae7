use annals_replay::Replays;
use annals_service::{HttpLimits, Problem, admin, finish};
use annals_store::{EventStore, probe};
use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// How long a request may take, including its body. Longer than the time for which an absent store is tried again.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);
/// Where to look instead of a path that does not exist.
const HINT: &str = "try /replays or /health";

/// What the API needs from its server.
pub fn limits() -> HttpLimits {
    HttpLimits { request_time_max: REQUEST_TIME_MAX, ..HttpLimits::default() }
}

/// The API as a complete server: with its health, and an answer for unknown paths. `store` is that of `replays`.
pub fn server(replays: Replays, store: Arc<dyn EventStore>) -> Router {
    let health = Router::new().route("/health", get(health)).with_state((replays.clone(), store));
    finish(admin::replays(replays).merge(health), &limits(), HINT)
}

/// Ready while the store is, without which nothing can be requested, and while the replays in it are followed,
/// without which the list may differ from the log. Answers soon even if the store does not.
async fn health(
    State((replays, store)): State<(Replays, Arc<dyn EventStore>)>,
) -> Result<Json<Value>, Problem> {
    probe(&*store).await.map_err(Problem::unavailable)?;
    match replays.state().activity.reason() {
        Some(reason) => Err(Problem::unavailable(format!("the replays are not followed: {reason}"))),
        None => Ok(Json(json!({ "status": "ready" }))),
    }
}
