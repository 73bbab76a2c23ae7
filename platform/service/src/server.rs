//! A port, its connections, and an end in order.

use crate::{
    answered::Answered,
    budget::Budget,
    connection::{self, Host},
    limits::HttpLimits,
};
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

/// Why an address cannot be served at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else has the port.
    #[error("{address} is in use by another process; stop it, or listen elsewhere")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
}

/// A server, bound to its address. From now on callers wait instead of being refused.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    limits: Arc<HttpLimits>,
    answered: Answered,
    ending: CancellationToken,
}

impl HttpServer {
    /// Takes the address; port 0 takes a free one. To be done before anything else is touched: of all that a start needs,
    /// this is what another process can have.
    pub async fn bind(address: SocketAddr, limits: HttpLimits) -> Result<Self, BindError> {
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            _ => BindError::Listen { address, cause },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (limits, answered) = (Arc::new(limits.reachable()), Answered::default());
        Ok(Self { listener, address, limits, answered, ending: CancellationToken::new() })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts what it answers, whoever answers it: its routes, or the server itself, which refuses what takes too long or too much.
    pub fn answered(&self) -> Answered {
        self.answered.clone()
    }

    /// Is cancelled once the server takes no more connections: what is [`LongLived`](crate::LongLived) ends then.
    pub fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }

    /// Serves until `shutdown`, then waits for the answers under way, and closes what is left after
    /// [`HttpLimits::shutdown_time_max`].
    pub async fn serve(self, router: Router, shutdown: CancellationToken) {
        let (connections, cut_off) = (TaskTracker::new(), CancellationToken::new());
        let _cut_off_when_dropped = cut_off.clone().drop_guard();
        let _end_when_dropped = self.ending.clone().drop_guard();
        let permits = Arc::new(Semaphore::new(self.limits.connections_max.min(Semaphore::MAX_PERMITS)));
        let budget = Budget::new(&self.limits);
        while let Some((stream, permit)) = self.next_connection(&permits, &shutdown).await {
            let host = Host {
                router: router.clone(),
                limits: Arc::clone(&self.limits),
                share: budget.share(),
                answered: self.answered(),
            };
            let conversing = converse(stream, permit, host, self.ending.clone());
            connections.spawn(cut_off.clone().run_until_cancelled_owned(conversing));
        }
        drop(self.listener);
        self.ending.cancel();
        connections.close();
        if tokio::time::timeout(self.limits.shutdown_time_max, connections.wait()).await.is_err() {
            warn!(connections = connections.len(), "cutting off connections that take too long to end");
            cut_off.cancel();
            connections.wait().await;
        }
        info!(address = %self.address, "no longer serving");
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
}

async fn converse(stream: TcpStream, permit: OwnedSemaphorePermit, host: Host, ending: CancellationToken) {
    let _permit = permit;
    if let Err(error) = connection::serve(stream, host, ending).await {
        debug!(%error, "a connection was closed");
    }
}
