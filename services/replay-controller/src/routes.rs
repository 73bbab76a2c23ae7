use crate::{
    body::{ReplayBody, RequestBody},
    problem::{refused, unknown},
};
use annals_aggregate::Cause;
use annals_replay::{ReplayId, ReplayRequest, Replays};
use annals_service::{Body, HttpLimits, Problem, Segment, finish};
use annals_store::{EventStore, probe};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
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
    finish(routes(replays).merge(health), &limits(), HINT)
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

/// The API, to be mounted wherever `replays` runs.
pub fn routes(replays: Replays) -> Router {
    Router::new()
        .route("/replays", get(list).post(request))
        .route("/replays/{id}", get(status))
        .route("/replays/{id}/promote", post(promote))
        .route("/replays/{id}/cancel", post(cancel))
        .route("/replays/{id}/rollback", post(roll_back))
        .route("/replays/{id}/retire", post(retire))
        .with_state(replays)
}

fn parse(text: &str) -> Result<ReplayId, Problem> {
    text.parse().map_err(|_| Problem::bad_request(format!("{text:?} is not a replay id; an id is a UUID")))
}

async fn request(
    State(replays): State<Replays>,
    Body(body): Body<RequestBody>,
) -> Result<impl IntoResponse, Problem> {
    let id = body.id.as_deref().map_or_else(|| Ok(ReplayId::generate()), parse)?;
    replays.request(id, ReplayRequest::from(body), Cause::new()).await.map_err(refused)?;
    let location = [(header::LOCATION, format!("/replays/{id}"))];
    Ok((StatusCode::ACCEPTED, location, answer(&replays, id)?))
}

async fn list(State(replays): State<Replays>) -> Json<Vec<ReplayBody>> {
    Json(replays.list().into_iter().map(ReplayBody::from).collect())
}

async fn status(
    State(replays): State<Replays>,
    Segment(id): Segment<String>,
) -> Result<Json<ReplayBody>, Problem> {
    answer(&replays, parse(&id)?)
}

async fn promote(
    State(replays): State<Replays>,
    Segment(id): Segment<String>,
) -> Result<Json<ReplayBody>, Problem> {
    let id = parse(&id)?;
    replays.promote(id, Cause::new()).await.map_err(refused)?;
    answer(&replays, id)
}

async fn cancel(
    State(replays): State<Replays>,
    Segment(id): Segment<String>,
) -> Result<Json<ReplayBody>, Problem> {
    let id = parse(&id)?;
    replays.cancel(id, Cause::new()).await.map_err(refused)?;
    answer(&replays, id)
}

async fn roll_back(
    State(replays): State<Replays>,
    Segment(id): Segment<String>,
) -> Result<Json<ReplayBody>, Problem> {
    let id = parse(&id)?;
    replays.roll_back(id, Cause::new()).await.map_err(refused)?;
    answer(&replays, id)
}

async fn retire(
    State(replays): State<Replays>,
    Segment(id): Segment<String>,
) -> Result<Json<ReplayBody>, Problem> {
    let id = parse(&id)?;
    replays.retire(id, Cause::new()).await.map_err(refused)?;
    answer(&replays, id)
}

fn answer(replays: &Replays, id: ReplayId) -> Result<Json<ReplayBody>, Problem> {
    replays.status(id).map(|status| Json(status.into())).ok_or_else(|| unknown(id))
}
