//! What the shop says of itself: what there is, and whether it is well.

use crate::orders::queries::Queries;
use annals::event::Sequence;
use annals::projection::{ProjectorHandle, ProjectorState};
use annals::reactor::ReactorHandle;
use annals::service::Problem;
use annals::store::EventStore;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the shop's health is read from.
#[derive(Clone)]
pub struct Health {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The read models.
    pub queries: Queries,
    /// The reactors.
    pub reactors: Vec<(&'static str, ReactorHandle)>,
}

/// The routes `/` and `/health`.
pub fn routes(health: Health) -> Router {
    Router::new().route("/", get(contents)).route("/health", get(show)).with_state(health)
}

async fn contents() -> &'static str {
    CONTENTS
}

const CONTENTS: &str = "\
Annals shop: three services over one log

orders
  POST /orders                        {order_id?, customer_id, ordered_on, items, total_cents} -> {order_id, token}
  GET  /orders/{order_id}             ?wait_for=<token>
  GET  /orders                        ?customer_id=&after=&limit=
  GET  /customers/{customer_id}       ?wait_for=<token>
  GET  /customers                     ?after=&limit=
  GET  /sales/{day}                   ?wait_for=<token>
  GET  /sales                         ?after=&limit=
  GET  /totals                        ?wait_for=<token>
payments
  GET  /payments/{order_id}
  POST /payments/{order_id}/refund
shipping
  GET  /shipments/{order_id}
  POST /shipments/{order_id}/delivery
replays
  POST /replays                       {read_model, from, mode: plan | build | promote_if_identical | promote}
  GET  /replays, GET /replays/{id}
  POST /replays/{id}/promote, cancel, rollback, retire
shop
  GET  /health
";

#[derive(Serialize)]
struct Report {
    status: &'static str,
    head: u64,
    reactors: BTreeMap<&'static str, Consumer>,
    read_models: BTreeMap<&'static str, Consumer>,
}

#[derive(Serialize)]
struct Consumer {
    at: u64,
    behind: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

async fn show(
    State(Health { store, queries, reactors }): State<Health>,
) -> Result<(StatusCode, Json<Report>), Problem> {
    store.ready().await.map_err(Problem::unavailable)?;
    let head = store.head().await.map_err(Problem::unavailable)?.last;
    let read_models = queries.read_models().map(|(name, model)| (name, model_health(model, head)));
    let read_models = BTreeMap::from(read_models);
    let well = read_models.values().all(|model| model.trouble.is_none());
    let (code, status) =
        if well { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "degraded") };
    let reactors =
        reactors.iter().map(|(name, reactor)| (*name, consumer(reactor.position(), head))).collect();
    Ok((code, Json(Report { status, head: head.get(), reactors, read_models })))
}

fn consumer(at: Sequence, head: Sequence) -> Consumer {
    Consumer { at: at.get(), behind: head.get().saturating_sub(at.get()), trouble: None }
}

fn model_health(model: &ProjectorHandle, head: Sequence) -> Consumer {
    let progress = model.progress();
    let trouble = match progress.state {
        ProjectorState::Running => None,
        ProjectorState::NeedsReplay { reason }
        | ProjectorState::OtherHistory { reason, .. }
        | ProjectorState::Retrying { reason }
        | ProjectorState::Stopped { reason } => Some(reason),
        _ => None,
    };
    Consumer { trouble, ..consumer(progress.checkpoint, head) }
}
