//! The server: a port, its connections, and an end in order.

use crate::{
    Limits, connection, routes,
    routes::{nothing_here, other_method},
};
use annals_store::{EventStore, ReadError};
use axum::Router;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

/// How long to wait when the system has no handle for a connection: there may be one when another has closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    /// Somebody else has the port.
    #[error("{address} is in use by another process; stop it, or listen elsewhere")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The store does not say which log it is.
    #[error("the log cannot be served: {0}")]
    Store(#[from] ReadError),
}

/// A server of one log, bound to its address. From now on callers wait instead of being refused.
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    limits: Arc<Limits>,
    /// Ends what the router has going on.
    ending: CancellationToken,
}

impl Service {
    /// Takes the address and asks the store which log it is.
    pub async fn bind(options: Options, store: Arc<dyn EventStore>) -> Result<Self, ServeError> {
        Self::bind_with(options, store, Router::new()).await
    }

    /// The same, with more pages.
    pub async fn bind_with(
        options: Options,
        store: Arc<dyn EventStore>,
        pages: Router,
    ) -> Result<Self, ServeError> {
        let address = options.listen;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse { address },
            _ => ServeError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ending = CancellationToken::new();
        let router = routes(store, &options.limits, ending.clone()).await?.merge(pages);
        let router = router.method_not_allowed_fallback(other_method).fallback(nothing_here);
        Ok(Self { listener, address, router, limits: Arc::new(options.limits), ending })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then ends subscriptions, waits for the answers under way, and closes what is left
    /// after [`Limits::shutdown_time_max`].
    pub async fn run(self, shutdown: CancellationToken) {
        let (connections, cut_off) = (TaskTracker::new(), CancellationToken::new());
        let _cut_off_when_dropped = cut_off.clone().drop_guard();
        let _end_when_dropped = self.ending.clone().drop_guard();
        let permits = Arc::new(Semaphore::new(self.limits.connections_max));
        while let Some((stream, permit)) = self.next_connection(&permits, &shutdown).await {
            connections.spawn(cut_off.clone().run_until_cancelled_owned(self.converse(stream, permit)));
        }
        drop(self.listener);
        self.ending.cancel();
        connections.close();
        if tokio::time::timeout(self.limits.shutdown_time_max, connections.wait()).await.is_err() {
            warn!(connections = connections.len(), "cutting off connections that take too long to end");
            cut_off.cancel();
            connections.wait().await;
        }
        info!("no longer serving the log");
    }

    /// The next connection, once there may be one more; `None`: shut down.
    async fn next_connection(
        &self,
        permits: &Arc<Semaphore>,
        shutdown: &CancellationToken,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let permit = shutdown.run_until_cancelled(Arc::clone(permits).acquire_owned()).await?.ok()?;
        loop {
            match shutdown.run_until_cancelled(self.listener.accept()).await? {
                Ok((stream, _)) => return Some((stream, permit)),
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    shutdown.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await?;
                }
            }
        }
    }

    fn converse(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (router, limits, ending) = (self.router.clone(), Arc::clone(&self.limits), self.ending.clone());
        async move {
            let _permit = permit;
            if let Err(error) = connection::serve(stream, router, &limits, ending).await {
                debug!(%error, "a connection was closed");
            }
        }
    }
}
