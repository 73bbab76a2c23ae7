//! Extractors whose refusals are problem+json.

use crate::{
    problem::Problem,
    strict, text,
    words::{Place, refusal},
};
use axum::{
    extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A body of JSON. A struct in it is an object and nothing else.
///
/// Refused are: another content type (415), too long a body (413), what is no JSON (400), and JSON of another shape (422).
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

/// The parameters after the `?`; a wrong one is refused by its name. A struct that denies unknown fields refuses `wait_for`, too.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

/// The variable part of a path that has one.
#[derive(Clone, Debug)]
pub struct Segment<T>(pub T);

/// The limit of bodies, in a request's extensions: for the sentence that refuses a longer one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBytesMax(pub(crate) u32);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "the body must be JSON; send it with the header content-type: application/json";
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes_max = request.extensions().get().copied();
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| unread(&rejection, bytes_max))?;
        strict::from_slice(&bytes).map(Self).map_err(|error| malformed(&bytes, &error))
    }
}

/// `application/json`, or a type whose name ends with `+json`; whatever parameters there are.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/").unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

fn unread(rejection: &BytesRejection, bytes_max: Option<BodyBytesMax>) -> Problem {
    let status = rejection.status();
    match (status, bytes_max) {
        (StatusCode::PAYLOAD_TOO_LARGE, Some(BodyBytesMax(bytes_max))) => Problem::of_status(
            status,
            format!("the body is too large; at most {bytes_max} bytes are allowed"),
        ),
        _ => Problem::of_status(status, "the body did not come whole; send it again"),
    }
}

fn malformed(bytes: &[u8], error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let said = error.inner().to_string();
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return Problem::bad_request(format!("the body is not JSON: {error}"));
    }
    // The field says more than the column.
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    Problem::rule(refusal(Place { whole: "the body", path: &error.path().to_string() }, said))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = pairs.map_err(|_| Problem::bad_request("the query is not UTF-8"))?;
        text::from_pairs(pairs).map(Self).map_err(|error| {
            let place = Place { whole: "the query", path: &error.path().to_string() };
            Problem::bad_request(refusal(place, &error.inner().to_string()))
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let variables = RawPathParams::from_request_parts(parts, state).await;
        let variables = variables.map_err(|_| Problem::bad_request("the path is not UTF-8"))?;
        let (name, value) = variables.iter().next().unwrap_or_default();
        text::from_text(value.to_owned()).map(Self).map_err(|error| {
            let place = Place { whole: "the path", path: name };
            Problem::bad_request(refusal(place, &error.to_string()))
        })
    }
}
