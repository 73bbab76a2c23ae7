//! HTTP: the server's health and the log's head.

use annals_service::Problem;
use annals_store::{EventStore, Head, ReadError};
use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long the store may take to answer. What is asked is in memory, so a store that takes longer is not ready.
const READY_TIME_MAX: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Log {
    store: Arc<dyn EventStore>,
    shutdown: CancellationToken,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Damage that does not keep the log from accepting appends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damages: Vec<String>,
    /// Other reasons why some appends may be refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct HeadBody {
    log_id: String,
    first: u64,
    last: u64,
}

impl From<Head> for HeadBody {
    fn from(head: Head) -> Self {
        Self { log_id: head.log_id.to_string(), first: head.first.get(), last: head.last.get() }
    }
}

/// `/health/live`: whether the process answers.
///
/// `/health/ready`, also `/health`: whether the log accepts appends and the server is not shutting down; if not, why. The
/// status is `damaged`, with the places, if verification found damage that appends do not depend on. `warnings` are other
/// reasons why some appends are refused, for instance that the log's time is still catching up with a clock that jumped.
///
/// `/v1/head`: the log's id, and its first and last sequence number.
pub(crate) fn router(store: Arc<dyn EventStore>, shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/health", get(ready))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/v1/head", get(head))
        .with_state(Log { store, shutdown })
}

async fn live() -> Json<Health> {
    Json(Health { status: "live", damages: Vec::new(), warnings: Vec::new() })
}

async fn ready(State(log): State<Log>) -> Result<Json<Health>, Problem> {
    if log.shutdown.is_cancelled() {
        return Err(Problem::unavailable("the server is shutting down"));
    }
    in_time(async { Ok(log.store.ready().await) }).await?.map_err(Problem::unavailable)?;
    let damages: Vec<_> = log.store.damages().iter().map(ToString::to_string).collect();
    let status = if damages.is_empty() { "ready" } else { "damaged" };
    Ok(Json(Health { status, damages, warnings: log.store.warnings() }))
}

async fn head(State(log): State<Log>) -> Result<Json<HeadBody>, Problem> {
    in_time(log.store.head()).await.map(|head| Json(head.into()))
}

async fn in_time<T>(asked: impl Future<Output = Result<T, ReadError>>) -> Result<T, Problem> {
    match tokio::time::timeout(READY_TIME_MAX, asked).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(Problem::unavailable(format!("the log did not answer within {READY_TIME_MAX:?}"))),
    }
}
