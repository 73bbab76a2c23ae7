use annals_aggregate::{ExecuteError, LoadError};
use annals_store::{AppendError, ReadError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{borrow::Cow, error::Error, fmt};

/// How long a client is asked to wait before it repeats a request that failed for now, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// The kind of a refusal of a request whose id named another one before.
const REUSED: &str = "urn:annals:request-id-reused";

/// Stands with an answer of that kind, for whoever knows how the caller gave the id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reused;

/// A refusal: a body of `application/problem+json` (RFC 9457) whose `detail` says what to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which kind of refusal: the same for the same cause, for programs.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The kind, for people.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to change.
    pub detail: String,
}

impl Problem {
    /// The request cannot be understood.
    pub fn bad_request(detail: impl ToString) -> Self {
        Self::of_status(StatusCode::BAD_REQUEST, detail)
    }
    /// The request is understood, but what it asks for breaks a rule.
    pub fn rule(detail: impl ToString) -> Self {
        Self::of_status(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }
    /// What was asked for is not done here.
    pub fn forbidden(detail: impl ToString) -> Self {
        Self::of_status(StatusCode::FORBIDDEN, detail)
    }
    /// What was asked for is not there.
    pub fn not_found(detail: impl ToString) -> Self {
        Self::of_status(StatusCode::NOT_FOUND, detail)
    }
    /// What was asked for contradicts what is there.
    pub fn conflict(detail: impl ToString) -> Self {
        Self::of_status(StatusCode::CONFLICT, detail)
    }
    /// The request is in order but cannot be answered now.
    pub fn unavailable(detail: impl ToString) -> Self {
        Self::of_status(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
    /// The server is at fault. The cause is logged here and not told.
    pub fn internal(cause: &(dyn Error + 'static)) -> Self {
        tracing::error!(cause = crate::config::redacted(&crate::sentence(cause)), "a request failed");
        let detail = "the server failed to answer; the cause is in its log";
        Self::of_status(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// A refusal that the status says.
    pub fn of_status(status: StatusCode, detail: impl ToString) -> Self {
        let (kind, title) = words(status);
        Self { kind: kind.into(), title: title.into(), status: status.as_u16(), detail: detail.to_string() }
    }

    /// The caller named two requests by this header.
    #[cfg(feature = "kit")]
    pub(crate) fn reused(header: &str, key: &str) -> Self {
        let detail = format!(
            "the {header} {key:?} was sent before with another request; send another one with what is new"
        );
        Self { kind: REUSED.into(), ..Self::conflict(detail) }
    }

    /// The answer to a command that was not executed; `refused` says what the aggregate's own refusal is.
    pub fn of_execute<E: Error + 'static>(error: ExecuteError<E>, refused: impl FnOnce(E) -> Self) -> Self {
        match error {
            ExecuteError::Rejected(refusal) => refused(refusal),
            ExecuteError::Load(error) => error.into(),
            ExecuteError::Contended { .. } => Self::unavailable(error),
            ExecuteError::Append { ref cause, .. } => Self::of_append(cause, &error),
            // A value that is no tag is the caller's.
            ExecuteError::Encode { ref cause, .. } if cause.is_unfit_tag() => Self::rule(cause),
            other => Self::internal(&other),
        }
    }

    /// The answer to `error`, whose cause is that an append was not done.
    pub(crate) fn of_append(cause: &AppendError, error: &(impl Error + 'static)) -> Self {
        match cause {
            AppendError::Unavailable { .. } | AppendError::OtherLog { .. } | AppendError::Corrupted(_) => {
                Self::unavailable(error)
            }
            AppendError::RequestIdReused { .. } => Self { kind: REUSED.into(), ..Self::conflict(error) },
            AppendError::EventIdReused { .. }
            | AppendError::RequestUnjudged { .. }
            | AppendError::RequestAhead { .. }
            | AppendError::OriginalDropped { .. } => Self::conflict(error),
            _ => Self::internal(error),
        }
    }
}

/// The kind and title of a status.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => ("urn:annals:bad-request", "The request cannot be understood"),
        StatusCode::UNPROCESSABLE_ENTITY => ("urn:annals:rule", "The request breaks a rule"),
        StatusCode::FORBIDDEN => ("urn:annals:forbidden", "This is not done here"),
        StatusCode::NOT_FOUND => ("urn:annals:not-found", "Not found"),
        StatusCode::METHOD_NOT_ALLOWED => ("urn:annals:method-not-allowed", "Method not allowed"),
        StatusCode::CONFLICT => ("urn:annals:conflict", "The request contradicts what is recorded"),
        StatusCode::GONE => ("urn:annals:gone", "What was asked for is no longer there"),
        StatusCode::PAYLOAD_TOO_LARGE => ("urn:annals:too-large", "The request is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("urn:annals:media-type", "The body is not of the right type"),
        StatusCode::REQUEST_TIMEOUT => ("urn:annals:slow-request", "The request came too slowly"),
        StatusCode::SERVICE_UNAVAILABLE => ("urn:annals:unavailable", "The server cannot answer now"),
        StatusCode::INTERNAL_SERVER_ERROR => ("urn:annals:internal", "The server failed"),
        // RFC 9457: no more than the status says.
        other => ("about:blank", other.canonical_reason().unwrap_or("Refused")),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reused = self.kind == REUSED;
        let mut response = (status, Json(self)).into_response();
        if reused {
            response.extensions_mut().insert(Reused);
        }
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let after = HeaderValue::from_static(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable { .. } | ReadError::OtherLog { .. } => Self::unavailable(error),
            ReadError::Invalid { .. } => Self::bad_request(error),
            ReadError::BelowStart { .. } => Self::of_status(StatusCode::GONE, error),
            other => Self::internal(&other),
        }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::InvalidId(invalid) => Self::bad_request(invalid),
            LoadError::Read { cause: ReadError::Unavailable { .. } | ReadError::OtherLog { .. }, .. } => {
                Self::unavailable(error)
            }
            other => Self::internal(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_event::{EventId, RequestId, StreamName, Timestamp};
    use annals_store::Damage;
    use std::{convert::Infallible, time::Duration};

    #[test]
    fn damage_of_the_log_is_not_told_to_a_caller() {
        let damage = Damage {
            place: "/srv/log/00000001.seg".to_owned(),
            offset: Some(7),
            reason: "a frame does not match".to_owned(),
        };
        let problem = Problem::from(ReadError::Corrupted(damage));
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR.as_u16());
        assert!(!problem.detail.contains("/srv/log"), "{problem:?}");
    }

    #[test]
    fn a_reused_or_unjudgeable_request_is_a_conflict_and_no_server_error() {
        let (request_id, event_id) = (RequestId::from_name("r"), EventId::from_name("e"));
        let ahead = Duration::from_secs(6);
        for cause in [
            AppendError::RequestIdReused { request_id },
            AppendError::EventIdReused { event_id },
            AppendError::RequestUnjudged { request_id, judged_after: Timestamp::from_micros(1) },
            AppendError::RequestAhead { request_id, ahead },
            AppendError::OriginalDropped { request_id },
        ] {
            let said = cause.to_string();
            let stream = StreamName::new("order-1").unwrap();
            let error = ExecuteError::<Infallible>::Append { stream, cause };
            let problem = Problem::of_execute(error, |never| match never {});
            assert_eq!(problem.status, StatusCode::CONFLICT.as_u16(), "{problem:?}");
            assert!(problem.detail.contains(&said) || problem.detail.contains("order-1"), "{problem:?}");
        }
    }
}
