//! The server: the log's gRPC methods and HTTP pages on one port.

use crate::{Limits, Subscriptions, routes::parts};
use annals_service::{BindError, HttpServer, finish};
use annals_store::{EventStore, ReadError};
use axum::Router;
use std::{net::SocketAddr, sync::Arc};
use tokio_util::sync::CancellationToken;

/// The hint in the answer to a request for an unknown path.
const HINT: &str =
    "try /health, /health/live, /health/ready, /metrics, /v1/head or /v1/stats, or POST {} to /v1/backup";

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The address to listen on; port 0 means any free port.
    pub listen: SocketAddr,
    /// How much, how long, how many at once.
    pub limits: Limits,
}

impl Options {
    /// Any free port, reachable only from this machine.
    pub fn loopback() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), limits: Limits::default() }
    }
}

/// Why the server could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The server cannot listen on the address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store could not say which log it holds.
    #[error("the log cannot be served: {0}")]
    Store(ReadError),
}

impl From<ReadError> for ServeError {
    fn from(cause: ReadError) -> Self {
        Self::Store(cause)
    }
}

/// A server of one log, bound to its address. Connections made before it [runs](Self::run) wait instead of being refused.
pub struct Service {
    server: HttpServer,
    router: Router,
}

impl Service {
    /// Binds the address and asks the store for its log id.
    pub async fn bind(options: Options, store: Arc<dyn EventStore>) -> Result<Self, ServeError> {
        let Options { listen, limits } = options;
        let server = HttpServer::bind(listen, limits.http.clone()).await?;
        Self::on(server, &limits, store, |_| Router::new()).await
    }

    /// Like [`bind`](Self::bind), but with a server that was bound before the store was opened, and with additional pages, which may tell how
    /// many subscriptions there are.
    pub async fn on(
        server: HttpServer,
        limits: &Limits,
        store: Arc<dyn EventStore>,
        pages: impl FnOnce(&Subscriptions) -> Router,
    ) -> Result<Self, ServeError> {
        let subscriptions = Subscriptions::at_most(limits.subscriptions_max);
        let (grpc, http) = parts(store, &subscriptions, server.ending()).await?;
        let router = grpc.merge(finish(http.merge(pages(&subscriptions)), &limits.http, HINT));
        Ok(Self { server, router })
    }

    /// The address that the server is bound to, with its actual port.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `shutdown`. Then it ends subscriptions, waits a bounded time for the requests under way, and closes the
    /// connections that are left.
    pub async fn run(self, shutdown: CancellationToken) {
        self.server.serve(self.router, shutdown).await;
    }
}
