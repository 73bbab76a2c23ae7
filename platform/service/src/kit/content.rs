//! What a request asks for that an `idempotency-key` names: a digest of its question and its body, made while the body is read.
//! And whether it has begun to act.
//!
//! What always holds:
//!
//! * A handler has read the body before it executes a command, so a repeat of the request has the same digest, and another body
//!   another one. The digest is kept with the events; it is made with the request's id, so that a short body cannot be guessed from
//!   it without that.
//! * Nothing is executed in a request's name before its [`Caller`](super::Caller) was made a cause. Until then what is found of the
//!   request's doings in the log was done by an earlier one, which this one repeats.

use super::caller::IDEMPOTENCY_KEY;
use crate::{Problem, problem::Reused};
use annals_aggregate::{Cause, RequestContent};
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
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

tokio::task_local! {
    /// The request that the task answers, if it is named.
    static ANSWERED: Content;
}

/// What is known of a named request so far.
#[derive(Clone, Default)]
pub(super) struct Content(Arc<Known>);

#[derive(Default)]
struct Known {
    /// What has been read of it.
    read: Mutex<Hasher>,
    /// Its id, once a handler wants to know who asks.
    id: OnceLock<RequestId>,
    /// Whether something may have been executed in its name.
    acts: AtomicBool,
}

/// The request that this task answers, if it has an id and has not begun to act.
pub(super) fn looks_first() -> Option<Cause> {
    let looking = |content: &Content| {
        let id = *content.0.id.get()?;
        let acts = content.0.acts.load(Ordering::Acquire);
        (!acts).then(|| Cause::new().request(id).content(content.digest(id)))
    };
    ANSWERED.try_with(looking).ok().flatten()
}

impl Content {
    /// The request has this id.
    pub(super) fn named(&self, id: RequestId) {
        // A request has one key, so that a second handle to its caller has the same id.
        let _ = self.0.id.set(id);
    }

    /// From now on things may be executed in the request's name.
    pub(super) fn acts(&self) {
        self.0.acts.store(true, Ordering::Release);
    }

    /// The digest of what was read so far, for the request of this id.
    pub(super) fn digest(&self, id: RequestId) -> RequestContent {
        let mut hasher = self.0.read.lock().clone();
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
        Arc::ptr_eq(&self.0, &other.0) || self.0.read.lock().finalize() == other.0.read.lock().finalize()
    }
}

impl Eq for Content {}

/// Watches what requests ask for that are named by an `idempotency-key`. The refusal of a key that named another request names it.
pub(super) async fn watch(mut request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY).cloned() else { return next.run(request).await };
    let content = Content::default();
    content.0.read.lock().update(request.uri().query().unwrap_or_default().as_bytes()).update(b"\n");
    request.extensions_mut().insert(content.clone());
    let read = content.clone();
    let request = request.map(|body| {
        Body::new(body.inspect_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                read.0.read.lock().update(data);
            }
        }))
    });
    let response = ANSWERED.scope(content, next.run(request)).await;
    match key.to_str().ok() {
        Some(key) if response.extensions().get::<Reused>().is_some() => {
            Problem::reused(IDEMPOTENCY_KEY, key).into_response()
        }
        _ => response,
    }
}
