//! Requests of a service that was told to stop while its event store is away: they are answered then, since what they wait for does
//! not come before the end. The others have their time.

use crate::refusal::{Again, given_up};
use annals_store::{EventStore, probe};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often a store is looked at that answered when it was looked at last.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// A service's end, and the store that its requests wait for.
#[derive(Clone)]
pub(super) struct Leaving {
    pub(super) stop: CancellationToken,
    pub(super) store: Arc<dyn EventStore>,
}

impl Leaving {
    /// Waits until the service was told to stop and its store does not answer.
    async fn in_vain(&self) {
        self.stop.cancelled().await;
        while probe(&*self.store).await.is_ok() {
            sleep(PROBE_EVERY).await;
        }
    }
}

/// The routes' answer, or that there will be none.
pub(super) async fn answer(State(leaving): State<Leaving>, request: Request, next: Next) -> Response {
    let again = Again::of(request.method());
    tokio::select! {
        answer = next.run(request) => answer,
        () = leaving.in_vain() => {
            given_up(format_args!("the service is stopping, and its event store does not answer; {again}"), again)
        }
    }
}
