//! Refusals as `application/problem+json` (RFC 9457).

use annals_replay::{ReplayError, ReplayId, ReplayRefused};
use axum::{
    extract::rejection::{JsonRejection, PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(crate) fn bad_request(detail: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail }
    }
    pub(crate) fn unknown(id: ReplayId) -> Self {
        let detail = format!("there is no replay {id}; GET /replays lists them");
        Self { status: StatusCode::NOT_FOUND, detail }
    }
    pub(crate) fn nothing_here() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            detail: "there is nothing here; try /replays or /health".into(),
        }
    }
    pub(crate) fn other_method() -> Self {
        let detail = "nothing here takes this method; the header `allow` says which it takes".into();
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail }
    }
    pub(crate) fn too_slow(time_max: Duration) -> Self {
        let detail = format!("no answer within {time_max:?}; repeat the request with the same `id`");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let status = match &error {
            ReplayError::Refused { reason: ReplayRefused::Unknown, .. } => StatusCode::NOT_FOUND,
            ReplayError::Refused { .. } | ReplayError::Unreadable { .. } => StatusCode::CONFLICT,
            ReplayError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, detail: error.to_string() }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self { status: rejection.status(), detail: rejection.body_text() }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self { status: rejection.status(), detail: rejection.body_text() }
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
