//! What every route has around it.

use crate::{
    extract::BodyBytesMax,
    limits::HttpLimits,
    problem::Problem,
    refusal::{Again, given_up},
    rejection::as_problem,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::{self, Next},
    response::Response,
};
#[cfg(feature = "kit")]
use http_body::Body as _;
use std::time::Duration;
use tracing::{Instrument, Span};

/// Puts a span around each request to `routes`, the limit of bodies, and problem+json in place of each refusal in plain text:
/// of axum's own extractors, of unknown paths and methods. The last thing that is done to a router of plain HTTP; gRPC is
/// merged afterwards.
///
/// `hint` says to who asks for what is not there where to look, as the end of a sentence.
pub fn finish(routes: Router, limits: &HttpLimits, hint: &'static str) -> Router {
    around(routes, limits).fallback(move |uri: Uri| async move { unknown_path(&uri, hint) })
}

/// The same for routes that may have a fallback of their own, which stays: only where that finds nothing is the path unknown.
#[cfg(feature = "kit")]
pub(crate) fn finish_own(routes: Router, limits: &HttpLimits, hint: &'static str) -> Router {
    let unknown = async move |request: Request, next: Next| {
        let unmatched = request.extensions().get::<MatchedPath>().is_none().then(|| request.uri().clone());
        let answer = next.run(request).await;
        let says_nothing =
            answer.status() == StatusCode::NOT_FOUND && answer.body().size_hint().exact() == Some(0);
        match unmatched {
            Some(uri) if says_nothing => {
                axum::response::IntoResponse::into_response(unknown_path(&uri, hint))
            }
            _ => answer,
        }
    };
    around(routes.layer(middleware::from_fn(unknown)), limits)
}

fn around(routes: Router, limits: &HttpLimits) -> Router {
    let bytes_max = usize::try_from(limits.body_bytes_max).unwrap_or(usize::MAX);
    routes
        .layer(middleware::from_fn_with_state(BodyBytesMax(limits.body_bytes_max), admit))
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
    let (wait, again) = (wait_of(request.headers()), Again::of(request.method()));
    let answer = async { as_problem(next.run(request).await, bytes_max.0).await };
    let response = within(wait, again, answer).instrument(span).await;
    unanswered.answered(response.status());
    response
}

/// How long the caller waits, by the header `prefer: wait=<seconds>` (RFC 7240); `None`: it does not say.
fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split([',', ';'])).filter_map(|one| one.split_once('='));
    let (_, wait) = preferences.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?;
    Some(Duration::from_secs(wait.trim().trim_matches('"').parse().ok()?))
}

/// The answer, or that it did not come while the caller waits. What was under way for it is dropped.
async fn within(wait: Option<Duration>, again: Again, answer: impl Future<Output = Response>) -> Response {
    let Some(wait) = wait else { return answer.await };
    let late =
        || given_up(format_args!("no answer within the {wait:?} that `prefer: wait` allows; {again}"), again);
    tokio::time::timeout(wait, answer).await.unwrap_or_else(|_| late())
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
pub(crate) fn unknown_path(uri: &Uri, hint: &str) -> Problem {
    Problem::not_found(format!("there is nothing at {}; {hint}", uri.path()))
}

/// The answer to a method that a path does not have.
async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not answer {method}; the header allow says what it answers", uri.path());
    Problem::of_status(StatusCode::METHOD_NOT_ALLOWED, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn the_callers_patience_is_read_from_wherever_it_stands() {
        let wait = |lines: &[&'static str]| {
            let lines = lines.iter().map(|line| HeaderValue::from_static(line));
            wait_of(&HeaderMap::from_iter(lines.map(|line| (HeaderName::from_static("prefer"), line))))
        };
        let two = Some(Duration::from_secs(2));
        assert_eq!(wait(&["wait=2"]), two);
        assert_eq!(wait(&["respond-async, Wait = 2"]), two);
        assert_eq!(wait(&["return=minimal", "wait=\"2\""]), two);
        for none in ["", "wait", "wait=soon", "wait=-1", "await=2"] {
            assert_eq!(wait(&[none]), None, "{none}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_when_its_caller_does_not_wait_any_longer() {
        let late = within(Some(Duration::from_secs(2)), Again::AsItIs, std::future::pending()).await;
        assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
        let content_type = &late.headers()[axum::http::header::CONTENT_TYPE];
        assert_eq!(content_type, "application/problem+json");
    }
}
