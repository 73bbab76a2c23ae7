//! The router of everything that the server answers, and what is checked and traced around each request.

use crate::{Limits, Subscriptions, grpc, http};
use annals_event::LogId;
use annals_store::{EventStore, ReadError};
use annals_wire::{LOG_ID_HEADER, status};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Uri},
    middleware::{self, Next},
    response::Response,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Instrument;

const GRPC_PATHS: &str = "/annals.v1.EventStore/{method}";

/// What a request is checked against before it reaches the store.
#[derive(Clone)]
struct Gate {
    log_id: LogId,
}

/// The log's gRPC methods and HTTP pages, to be merged into a process's own router. The limits of connections are left to
/// the process's server. `shutdown` ends the subscriptions.
///
/// Asks the store for its log id first.
pub async fn routes(
    store: Arc<dyn EventStore>,
    limits: &Limits,
    shutdown: CancellationToken,
) -> Result<Router, ReadError> {
    let subscriptions = Subscriptions::at_most(limits.subscriptions_max);
    let (grpc, http) = parts(store, &subscriptions, shutdown).await?;
    Ok(grpc.merge(http))
}

/// The gRPC methods, and the HTTP pages.
pub(crate) async fn parts(
    store: Arc<dyn EventStore>,
    subscriptions: &Subscriptions,
    shutdown: CancellationToken,
) -> Result<(Router, Router), ReadError> {
    let gate = Gate { log_id: store.head().await?.log_id };
    let grpc = Router::new()
        .route_service(GRPC_PATHS, grpc::server(Arc::clone(&store), subscriptions, shutdown.clone()))
        .layer(middleware::from_fn_with_state(gate, admit));
    Ok((grpc, http::router(store, shutdown)))
}

/// Admits a gRPC request if it is for this log, in a span of the caller's trace. For a subscription the span records only
/// how it began.
async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    if let Err(error) = gate.check_log(request.headers()) {
        return refusal(&error);
    }
    let span = span_of(request.uri(), request.headers());
    let answer = next.run(request).instrument(span.clone()).await;
    // A request that is refused at once has its status in the answer's headers.
    let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
    annals_telemetry::record_rpc_status(&span, code.into());
    answer
}

fn span_of(uri: &Uri, headers: &HeaderMap) -> tracing::Span {
    annals_telemetry::rpc_server_span(uri.path().trim_start_matches('/'), |name| headers.get_all(name))
}

fn refusal(error: &ReadError) -> Response {
    status::of_read_error(error).into_http::<Body>()
}

impl Gate {
    fn check_log(&self, headers: &HeaderMap) -> Result<(), ReadError> {
        let Some(wanted) = headers.get(LOG_ID_HEADER) else { return Ok(()) };
        let wanted = wanted.to_str().ok().and_then(|text| text.parse::<LogId>().ok());
        let no_id = || ReadError::Invalid { reason: format!("the header {LOG_ID_HEADER} is not a log id") };
        let (wanted, found) = (wanted.ok_or_else(no_id)?, self.log_id);
        if wanted == found { Ok(()) } else { Err(ReadError::OtherLog { wanted, found }) }
    }
}
