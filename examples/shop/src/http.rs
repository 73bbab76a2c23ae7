//! What the three HTTP APIs have in common: extractors whose refusals are problem+json, limits, and the answers to
//! unknown paths and methods.

use crate::ids::OrderId;
use crate::problem::{self, Problem};
use annals::event::Sequence;
use annals::telemetry;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, Path, Query, Request};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tracing::Instrument;

/// How long a request may take; well above [`WAIT_TIMEOUT`](crate::orders::queries::WAIT_TIMEOUT). What a slow client
/// holds is let go then.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request's body may be.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// A JSON body.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

/// The parameters behind the `?`.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

/// The variable part of a path.
#[derive(Clone, Debug)]
pub struct Segment<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Self(body))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(params) = Query::from_request_parts(parts, state).await?;
        Ok(Self(params))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(segment) = Path::from_request_parts(parts, state).await?;
        Ok(Self(segment))
    }
}

/// The answer to a command: the order it was about, and a token. Reading with `wait_for=<token>` sees its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The order.
    pub order_id: OrderId,
    /// A sequence number of the log.
    pub token: u64,
}

impl Accepted {
    /// The answer about `order_id`, whose last event is at `token`.
    pub fn new(order_id: OrderId, token: Sequence) -> Self {
        Self { order_id, token: token.get() }
    }
}

/// Puts a span around each request, limits, and answers to unknown paths and methods around `routes`. The last thing
/// that is done to a router.
pub fn finish(routes: Router) -> Router {
    routes
        .layer(middleware::from_fn(trace))
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// A request is part of its caller's trace, and the events that it gives rise to are part of the request's.
async fn trace(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let span = telemetry::server_span(request.method().as_str(), route, header);
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).instrument(span.clone()).await;
    let too_slow = || Problem::unavailable("the request took too long; repeat it").into_response();
    let response = answer.unwrap_or_else(|_| too_slow());
    telemetry::record_status(&span, response.status().as_u16());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body as Bytes;
    use axum::http::{StatusCode, header};
    use axum::routing::post;
    use serde_json::Value;
    use tower::ServiceExt;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[expect(dead_code, reason = "only its parsing matters")]
        items: u32,
    }

    fn router() -> Router {
        let take = async |Body(_): Body<Wanted>| "taken";
        finish(Router::new().route("/things", post(take)))
    }

    async fn answer(request: axum::http::request::Builder, body: impl Into<Bytes>) -> (Response, Value) {
        let response = router().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        (Response::from_parts(parts, Bytes::empty()), json)
    }

    fn post_json() -> axum::http::request::Builder {
        Request::post("/things").header(header::CONTENT_TYPE, "application/json")
    }

    async fn assert_problem(
        request: axum::http::request::Builder,
        body: impl Into<Bytes>,
        expected: (StatusCode, &str),
    ) {
        let (response, json) = answer(request, body).await;
        let (status, detail) = expected;
        assert_eq!(response.status(), status, "{json}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(json["status"], status.as_u16());
        assert!(json["detail"].as_str().unwrap().contains(detail), "{json}");
        assert!(json["type"].is_string() && json["title"].is_string());
    }

    #[tokio::test]
    async fn a_bad_request_gets_a_problem_that_says_what_to_change() {
        assert_problem(post_json(), "{", (StatusCode::BAD_REQUEST, "EOF")).await;
        assert_problem(post_json(), "{}", (StatusCode::UNPROCESSABLE_ENTITY, "missing field `items`")).await;
        let typo = r#"{"items":1,"itmes":2}"#;
        assert_problem(post_json(), typo, (StatusCode::UNPROCESSABLE_ENTITY, "unknown field `itmes`")).await;
        let negative = r#"{"items":-1}"#;
        assert_problem(post_json(), negative, (StatusCode::UNPROCESSABLE_ENTITY, "invalid value")).await;
        let untyped = Request::post("/things");
        assert_problem(untyped, "{}", (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type")).await;
        let long = " ".repeat(BODY_BYTES_MAX + 1);
        assert_problem(post_json(), long, (StatusCode::PAYLOAD_TOO_LARGE, "16384")).await;
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_get_a_problem() {
        assert_problem(Request::get("/nothing"), "", (StatusCode::NOT_FOUND, "/nothing")).await;
        assert_problem(Request::delete("/things"), "", (StatusCode::METHOD_NOT_ALLOWED, "DELETE")).await;
        let (response, _) = answer(Request::delete("/things"), "").await;
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }
}
