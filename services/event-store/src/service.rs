//! The server: the log's methods and pages at a port.

use crate::{Limits, routes::parts};
use annals_service::{BindError, HttpServer, finish};
use annals_store::{EventStore, ReadError};
use axum::Router;
use std::{net::SocketAddr, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Where to look instead of what is not there.
const HINT: &str =
    "try /health, /health/live, /health/ready, /v1/head or /v1/stats, or POST {} to /v1/backup";

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How much, how long, how many at once.
    pub limits: Limits,
}

impl Options {
    /// Any free port of this machine, for this machine only.
    pub fn loopback() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), limits: Limits::default() }
    }
}

/// Why the log is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store does not say which log it is.
    #[error("the log cannot be served: {0}")]
    Store(ReadError),
}

impl From<ReadError> for ServeError {
    fn from(cause: ReadError) -> Self {
        Self::Store(cause)
    }
}

/// A server of one log, bound to its address. From now on callers wait instead of being refused.
pub struct Service {
    server: HttpServer,
    router: Router,
}

impl Service {
    /// Takes the address and asks the store which log it is.
    pub async fn bind(options: Options, store: Arc<dyn EventStore>) -> Result<Self, ServeError> {
        let Options { listen, limits } = options;
        let server = HttpServer::bind(listen, limits.http.clone()).await?;
        Self::on(server, &limits, store, Router::new()).await
    }

    /// The same at an address that was taken before the store was opened, with more pages.
    pub async fn on(
        server: HttpServer,
        limits: &Limits,
        store: Arc<dyn EventStore>,
        pages: Router,
    ) -> Result<Self, ServeError> {
        let (grpc, http) = parts(store, limits, server.ending()).await?;
        let router = grpc.merge(finish(http.merge(pages), &limits.http, HINT));
        Ok(Self { server, router })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `shutdown`, then ends subscriptions, waits for the answers under way, and closes what is left in the end.
    pub async fn run(self, shutdown: CancellationToken) {
        self.server.serve(self.router, shutdown).await;
    }
}
