//! What every route has around it.

use crate::{extract::BodyBytesMax, limits::HttpLimits, problem::Problem};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{Method, StatusCode, Uri},
    middleware::{self, Next},
    response::Response,
};
use tracing::{Instrument, Span};

/// Puts a span around each request to `routes`, the limit of bodies, and problem+json as the answer to unknown paths and
/// methods. The last thing that is done to a router of plain HTTP; gRPC is merged afterwards.
///
/// `hint` says to who asks for what is not there where to look, as the end of a sentence.
pub fn finish(routes: Router, limits: &HttpLimits, hint: &'static str) -> Router {
    let bytes_max = usize::try_from(limits.body_bytes_max).unwrap_or(usize::MAX);
    routes
        .layer(middleware::from_fn_with_state(BodyBytesMax(limits.body_bytes_max), admit))
        .fallback(move |uri: Uri| async move { unknown_path(&uri, hint) })
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(bytes_max))
}

/// A request is part of its caller's trace, and the events that it gives rise to are part of the request's.
async fn admit(
    State(bytes_max): State<BodyBytesMax>,
    route: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let headers = |name| request.headers().get_all(name);
    let span = annals_telemetry::server_span(request.method().as_str(), route, headers);
    request.extensions_mut().insert(bytes_max);
    let unanswered = Unanswered(Some(span.clone()));
    let response = next.run(request).instrument(span).await;
    unanswered.answered(response.status());
    response
}

/// A span whose request has no answer yet. Dropped like that it says that the routes took too long, which the server answers.
struct Unanswered(Option<Span>);

impl Unanswered {
    fn answered(mut self, status: StatusCode) {
        if let Some(span) = self.0.take() {
            annals_telemetry::record_status(&span, status.as_u16());
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            annals_telemetry::record_status(&span, StatusCode::SERVICE_UNAVAILABLE.as_u16());
        }
    }
}

/// The answer to a path that is not there.
fn unknown_path(uri: &Uri, hint: &str) -> Problem {
    Problem::not_found(format!("there is nothing at {}; {hint}", uri.path()))
}

/// The answer to a method that a path does not have.
async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not answer {method}; the header allow says what it answers", uri.path());
    Problem::of_status(StatusCode::METHOD_NOT_ALLOWED, detail)
}
