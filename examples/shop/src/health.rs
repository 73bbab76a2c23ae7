//! What the shop says of itself: what there is, and whether it is well.

use crate::orders::queries::Queries;
use crate::tasks::Ended;
use annals::reactor::ReactorHandle;
use annals::replay::Replays;
use annals::store::{ConsumerState, EventStore, probe};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// What the shop's health is read from.
#[derive(Clone)]
pub struct Health {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The read models.
    pub queries: Queries,
    /// The reactors.
    pub reactors: Vec<(&'static str, ReactorHandle)>,
    /// The list of replays.
    pub replays: Replays,
    /// The parts that have ended by themselves.
    pub ended: Ended,
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
  POST /replays                       {id?, read_model, from?, mode?: plan | build | promote_if_identical | promote}
  GET  /replays, GET /replays/{id}    the one that changed last first
  POST /replays/{id}/promote, cancel, rollback, retire
shop
  GET  /health

limit=<rows>&after=<the last row's key>: the next part of a list, as long as it says that there is more
prefer: wait=<seconds> in any request: answer within that time, or 503
";

#[derive(Serialize)]
struct Report {
    status: &'static str,
    /// Why the event store cannot be used now.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    /// The log's last sequence number; `None`: the store does not say.
    head: Option<u64>,
    reactors: BTreeMap<&'static str, Consumer>,
    read_models: BTreeMap<&'static str, Consumer>,
    replays: Consumer,
    /// The parts that stopped by themselves, and why. The others go on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stopped: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Consumer {
    state: &'static str,
    /// How long it has been in that state.
    for_seconds: u64,
    at: u64,
    behind: u64,
    /// How long ago the first event was recorded that it has not handled yet.
    age_ms: u64,
    /// How long `behind` and `age_ms` have not been looked up: the event store is away, or the consumer was shut down.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_for_seconds: Option<u64>,
    /// Why somebody may have to do something.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<ConsumerState> for Consumer {
    fn from(state: ConsumerState) -> Self {
        let seconds = |since: SystemTime| since.elapsed().unwrap_or_default().as_secs();
        Self {
            state: state.activity.word(),
            for_seconds: seconds(state.since),
            at: state.position.get(),
            behind: state.lag(),
            age_ms: u64::try_from(state.age().as_millis()).unwrap_or(u64::MAX),
            stale_for_seconds: state.stale_since.map(seconds),
            reason: state.activity.reason().map(str::to_owned),
        }
    }
}

/// Answers within [`PROBE_TIME_MAX`](annals::store::PROBE_TIME_MAX), also while the store does not.
async fn show(State(health): State<Health>) -> (StatusCode, Json<Report>) {
    let Health { store, queries, reactors, replays, ended } = health;
    let head = probe(&*store).await;
    let reactors = reactors.iter().map(|(name, reactor)| (*name, reactor.state().into()));
    let read_models = queries.read_models().map(|(name, model)| (name, model.state().into()));
    let (reactors, read_models) = (BTreeMap::from_iter(reactors), BTreeMap::from(read_models));
    let (replays, stopped) = (Consumer::from(replays.state()), ended.so_far());
    let is_well = |consumer: &Consumer| consumer.reason.is_none();
    let consumers_are_well = is_well(&replays) && reactors.values().chain(read_models.values()).all(is_well);
    let well = head.is_ok() && stopped.is_empty() && consumers_are_well;
    let (code, status) =
        if well { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "degraded") };
    let (head, store) = match head {
        Ok(head) => (Some(head.last.get()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    (code, Json(Report { status, store, head, reactors, read_models, replays, stopped }))
}
