//! Everything that the server answers, as one router: what goes around each request stands here.

use crate::{Limits, grpc, http};
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

/// What a request is held against before it reaches the store.
#[derive(Clone)]
struct Gate {
    log_id: LogId,
}

/// The log's gRPC methods and HTTP pages, to be merged into a process's own router. The connection's limits are the
/// server's business. `shutdown` ends the subscriptions.
///
/// Asks the store which log it is.
pub async fn routes(
    store: Arc<dyn EventStore>,
    limits: &Limits,
    shutdown: CancellationToken,
) -> Result<Router, ReadError> {
    let (grpc, http) = parts(store, limits, shutdown).await?;
    Ok(grpc.merge(http))
}

/// The gRPC methods, and the HTTP pages.
pub(crate) async fn parts(
    store: Arc<dyn EventStore>,
    limits: &Limits,
    shutdown: CancellationToken,
) -> Result<(Router, Router), ReadError> {
    let gate = Gate { log_id: store.head().await?.log_id };
    let grpc = Router::new()
        .route_service(GRPC_PATHS, grpc::server(Arc::clone(&store), limits, shutdown.clone()))
        .layer(middleware::from_fn_with_state(gate, admit));
    Ok((grpc, http::router(store, shutdown)))
}

/// Lets a gRPC request in: for the right log, in the caller's trace. The span of a subscription tells how it began.
async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    if let Err(error) = gate.check_log(request.headers()) {
        return refusal(&error);
    }
    let span = span_of(request.uri(), request.headers());
    let answer = next.run(request).instrument(span.clone()).await;
    // An answer that is refused from the start has its status in its headers.
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
        let no_id = || ReadError::Invalid { reason: format!("the header {LOG_ID_HEADER} is no id of a log") };
        let (wanted, found) = (wanted.ok_or_else(no_id)?, self.log_id);
        if wanted == found { Ok(()) } else { Err(ReadError::OtherLog { wanted, found }) }
    }
}
