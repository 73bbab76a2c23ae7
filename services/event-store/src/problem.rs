//! HTTP errors as `application/problem+json` (RFC 9457).

use annals_store::ReadError;
use annals_store_log::BackupError;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An error for an HTTP caller.
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(crate) fn not_found() -> Self {
        let detail =
            "there is nothing here; try /health, /health/live, /health/ready, /v1/head or /v1/stats".into();
        Self { status: StatusCode::NOT_FOUND, detail }
    }

    pub(crate) fn other_method() -> Self {
        let detail = "nothing here takes this method; the header `allow` says which it takes".into();
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail }
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, detail: detail.into() }
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail: detail.into() }
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let status = match error {
            BackupError::Exists { .. } | BackupError::UnderWay { .. } => StatusCode::CONFLICT,
            BackupError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
            BackupError::TooFast | BackupError::Io { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, detail: error.to_string() }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let status = match error {
            ReadError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ReadError::Invalid { .. } => StatusCode::BAD_REQUEST,
            ReadError::BelowStart { .. } => StatusCode::GONE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, detail: error.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body = json!({ "status": self.status.as_u16(), "title": title, "detail": self.detail });
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, content_type, body.to_string()).into_response()
    }
}
