//! Every refusal of the HTTP APIs is a problem+json body (RFC 9457) whose `detail` says what to change.

use annals::aggregate::{ExecuteError, LoadError};
use annals::store::{AppendError, ReadError};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// How long a client is asked to wait before it repeats a request that failed for now.
const RETRY_AFTER_SECONDS: &str = "1";

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which kind of refusal: the same for the same cause, for programs.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The kind, for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to change.
    pub detail: String,
}

impl Problem {
    /// The request cannot be understood.
    pub fn bad_request(detail: impl ToString) -> Self {
        Self::new(
            "urn:annals-shop:bad-request",
            "The request cannot be understood",
            StatusCode::BAD_REQUEST,
            detail,
        )
    }
    /// The request is understood, but what it asks for breaks a rule.
    pub fn rule(detail: impl ToString) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new("urn:annals-shop:rule", "The request breaks a rule of the shop", status, detail)
    }
    /// What was asked for is not there.
    pub fn not_found(detail: impl ToString) -> Self {
        Self::new("urn:annals-shop:not-found", "Not found", StatusCode::NOT_FOUND, detail)
    }
    /// What was asked for contradicts what is there.
    pub fn conflict(detail: impl ToString) -> Self {
        let title = "The request contradicts what is recorded";
        Self::new("urn:annals-shop:conflict", title, StatusCode::CONFLICT, detail)
    }
    /// The request is in order but cannot be answered now.
    pub fn unavailable(detail: impl ToString) -> Self {
        let title = "The shop cannot answer now";
        Self::new("urn:annals-shop:unavailable", title, StatusCode::SERVICE_UNAVAILABLE, detail)
    }
    /// The shop is at fault. The cause is logged here and not told.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(cause = %cause, "a request failed");
        let detail = "the shop failed to answer; the cause is in its log";
        let title = "The shop failed";
        Self::new("urn:annals-shop:internal", title, StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    fn new(kind: &'static str, title: &'static str, status: StatusCode, detail: impl ToString) -> Self {
        Self { kind, title, status: status.as_u16(), detail: detail.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let after = HeaderValue::from_static(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::InvalidId(invalid) => Self::bad_request(invalid),
            LoadError::Read { source: ReadError::Unavailable { .. }, .. } => Self::unavailable(error),
            other => Self::internal(&other),
        }
    }
}

/// The answer to a command that was not executed; `rejected` says what the aggregate's own refusal is.
pub fn not_executed<E: std::error::Error + 'static>(
    error: ExecuteError<E>,
    rejected: impl FnOnce(E) -> Problem,
) -> Problem {
    match error {
        ExecuteError::Rejected(refusal) => rejected(refusal),
        ExecuteError::Load(error) => error.into(),
        ExecuteError::Contended { .. }
        | ExecuteError::Append {
            source: AppendError::Unavailable { .. } | AppendError::Corrupted(_), ..
        } => Problem::unavailable(error),
        other => Problem::internal(&other),
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        let detail = match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                format!("the body is too large; at most {} bytes are allowed", crate::http::BODY_BYTES_MAX)
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                "the body must be JSON; send it with the header content-type: application/json".to_owned()
            }
            _ => rejection.body_text(),
        };
        Self { status: status.as_u16(), ..Self::bad_request(detail) }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

/// The answer to a path that no service has.
pub async fn unknown_path(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}; GET / lists what there is", uri.path()))
}

/// The answer to a method that a path does not have.
pub async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not answer {method}; the header allow says what it answers", uri.path());
    Problem::new(
        "urn:annals-shop:method-not-allowed",
        "Method not allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        detail,
    )
}
