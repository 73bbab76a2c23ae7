use crate::{
    body::{ReplayBody, RequestBody},
    problem::Problem,
};
use annals_aggregate::Context;
use annals_replay::{ReplayId, ReplayRequest, Replays};
use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::{StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use std::time::Duration;

/// How long a request's body may be.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take, its body included. Longer than a store that is away is tried again.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// The API as a whole server: also with its health, an answer to what is not there, and bounded time for each request.
pub fn server(replays: Replays) -> Router {
    routes(replays)
        .route("/health", get(async || Json(json!({ "status": "ready" }))))
        .method_not_allowed_fallback(async || Problem::other_method())
        .fallback(async || Problem::nothing_here())
        .layer(middleware::from_fn(in_time))
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::too_slow(REQUEST_TIME_MAX).into_response())
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
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(replays)
}

struct Body(RequestBody);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body: Result<Json<RequestBody>, JsonRejection> = Json::from_request(request, state).await;
        Ok(Self(body?.0))
    }
}

struct Id(ReplayId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        parse(&text?.0).map(Self)
    }
}

fn parse(text: &str) -> Result<ReplayId, Problem> {
    text.parse().map_err(|_| Problem::bad_request(format!("{text:?} is no replay id; an id is a UUID")))
}

async fn request(State(replays): State<Replays>, Body(body): Body) -> Result<impl IntoResponse, Problem> {
    let id = body.id.as_deref().map_or_else(|| Ok(ReplayId::generate()), parse)?;
    replays.request(id, ReplayRequest::from(body), Context::new()).await?;
    let location = [(header::LOCATION, format!("/replays/{id}"))];
    Ok((StatusCode::ACCEPTED, location, answer(&replays, id)?))
}

async fn list(State(replays): State<Replays>) -> Json<Vec<ReplayBody>> {
    Json(replays.list().into_iter().map(ReplayBody::from).collect())
}

async fn status(State(replays): State<Replays>, Id(id): Id) -> Result<Json<ReplayBody>, Problem> {
    answer(&replays, id)
}

async fn promote(State(replays): State<Replays>, Id(id): Id) -> Result<Json<ReplayBody>, Problem> {
    replays.promote(id, Context::new()).await?;
    answer(&replays, id)
}

async fn cancel(State(replays): State<Replays>, Id(id): Id) -> Result<Json<ReplayBody>, Problem> {
    replays.cancel(id, Context::new()).await?;
    answer(&replays, id)
}

async fn roll_back(State(replays): State<Replays>, Id(id): Id) -> Result<Json<ReplayBody>, Problem> {
    replays.roll_back(id, Context::new()).await?;
    answer(&replays, id)
}

async fn retire(State(replays): State<Replays>, Id(id): Id) -> Result<Json<ReplayBody>, Problem> {
    replays.retire(id, Context::new()).await?;
    answer(&replays, id)
}

fn answer(replays: &Replays, id: ReplayId) -> Result<Json<ReplayBody>, Problem> {
    replays.status(id).map(|status| Json(status.into())).ok_or_else(|| Problem::unknown(id))
}
