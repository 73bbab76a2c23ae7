//! Replays over HTTP: ask for one, watch it, promote it, roll it back.
//!
//! ```text
//! POST /replays                  {"read_model": "customer_value", "from": 30001, "mode": "build"}
//! GET  /replays                  all, the one that changed last first
//! GET  /replays/{id}             one: phase, plan, progress, difference
//! POST /replays/{id}/promote     make the candidate live
//! POST /replays/{id}/cancel      stop, and discard the candidate
//! POST /replays/{id}/rollback    make the previous generation live again
//! POST /replays/{id}/retire      retire the previous generation, for good
//! ```
//!
//! What always holds:
//!
//! * Every request is a command to the replay's aggregate, and every answer is read from it. The workers that carry replays out
//!   may be in this process or in others.
//! * A refusal is a problem+json body (RFC 9457) whose `detail` says what is possible instead.
//! * A replay that this release cannot read is listed in the phase `unreadable`, with the reason; requests for it are
//!   refused with 409.
//! * A replay that no worker has taken up says so, and since when. At most one candidate of a read model waits to be
//!   promoted: when a newer one is ready, the older replay is `superseded` and its candidate discarded.
//! * A request that is repeated with the same `id` is executed once.

mod body;
mod problem;

use crate::{Body, Problem, Segment};
use annals_aggregate::Cause;
use annals_replay::{ReplayId, ReplayRequest, Replays};
use axum::{
    Json, Router,
    extract::{MatchedPath, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use body::{ReplayBody, RequestBody};
use problem::{refused, unknown};
/// The API of replays, to be mounted wherever `replays` runs.
pub fn replays(replays: Replays) -> Router {
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
    path: MatchedPath,
    Body(body): Body<RequestBody>,
) -> Result<impl IntoResponse, Problem> {
    let id = body.id.as_deref().map_or_else(|| Ok(ReplayId::generate()), parse)?;
    replays.request(id, ReplayRequest::from(body), Cause::new()).await.map_err(refused)?;
    let location = [(header::LOCATION, format!("{}/{id}", path.as_str()))];
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
