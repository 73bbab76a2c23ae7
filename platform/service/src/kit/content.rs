//! What a request asks for: a digest of its question and its body, made while the body is read.
//!
//! What always holds: a handler has read the body before it executes a command, so a repeat of the request has the same digest, and
//! another body another one. The digest is kept with the events; it is made with the request's id, so that a short body cannot be
//! guessed from it without that.

use super::caller::IDEMPOTENCY_KEY;
use crate::{Problem, problem::Reused};
use annals_aggregate::RequestContent;
use annals_event::RequestId;
use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use blake3::Hasher;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::{fmt, sync::Arc};

/// What has been read of a request so far.
#[derive(Clone, Default)]
pub(super) struct Content(Arc<Mutex<Hasher>>);

impl Content {
    /// The digest of what was read so far, for the request of this id.
    pub(super) fn digest(&self, id: RequestId) -> RequestContent {
        let mut hasher = self.0.lock().clone();
        hasher.update(id.as_uuid().as_bytes());
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        digest.into()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content")
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.lock().finalize() == other.0.lock().finalize()
    }
}

impl Eq for Content {}

/// Watches what requests ask for that are named by an `idempotency-key`. The refusal of a key that named another request names it.
pub(super) async fn watch(mut request: Request, next: Next) -> Response {
    let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
    if key.is_some() {
        let content = Content::default();
        content.0.lock().update(request.uri().query().unwrap_or_default().as_bytes()).update(b"\n");
        request.extensions_mut().insert(content.clone());
        request = request.map(|body| {
            Body::new(body.inspect_frame(move |frame| {
                if let Some(data) = frame.data_ref() {
                    content.0.lock().update(data);
                }
            }))
        });
    }
    let response = next.run(request).await;
    match key.as_ref().and_then(|key| key.to_str().ok()) {
        Some(key) if response.extensions().get::<Reused>().is_some() => {
            Problem::reused(IDEMPOTENCY_KEY, key).into_response()
        }
        _ => response,
    }
}
