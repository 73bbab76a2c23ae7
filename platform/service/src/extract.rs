//! Extractors whose refusals are problem+json.

use crate::{problem::Problem, strict};
use axum::{
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// A body of JSON. A struct in it is an object and nothing else.
///
/// Refused are: another content type (415), too long a body (413), what is no JSON (400), and JSON of another shape (422).
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

/// The parameters behind the `?`.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

/// The variable part of a path.
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
        strict::from_slice(&bytes).map(Self).map_err(|error| malformed(&error))
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
        _ => Problem::of_status(status, rejection.body_text()),
    }
}

fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    match error.inner().classify() {
        Category::Data => Problem::rule(format!("the body is not what is wanted here: {error}")),
        _ => Problem::bad_request(format!("the body is not JSON: {}", error.inner())),
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = Query::from_request_parts(parts, state).await;
        params
            .map(|Query(params)| Self(params))
            .map_err(|rejection: QueryRejection| Problem::bad_request(rejection.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::from_request_parts(parts, state).await;
        segment
            .map(|Path(segment)| Self(segment))
            .map_err(|rejection: PathRejection| Problem::bad_request(rejection.body_text()))
    }
}
