//! A real server on a free port of this machine that can be stopped, killed and restarted at the same address.

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_event_store::{Limits, Options, Service};
use annals_store::EventStore;
use annals_store_grpc::GrpcStore;
use annals_tests::lasting_address;
use std::{net::SocketAddr, sync::Arc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(store: Arc<dyn EventStore>) -> Self {
        Self::start_with(store, Options::loopback()).await
    }

    /// Starts a server on a port that will still be free for a restart.
    pub(crate) async fn start_to_restart(store: Arc<dyn EventStore>) -> Self {
        Self::start_at(lasting_address(), store).await
    }

    pub(crate) async fn start_with(store: Arc<dyn EventStore>, options: Options) -> Self {
        let service = Service::bind(options, store).await.unwrap();
        let (address, shutdown) = (service.address(), CancellationToken::new());
        let running = tokio::spawn(service.run(shutdown.clone()));
        Self { address, shutdown, running }
    }

    pub(crate) async fn start_at(address: SocketAddr, store: Arc<dyn EventStore>) -> Self {
        Self::start_with(store, Options { listen: address, limits: Limits::default() }).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client whose calls have more time than they need on a busy machine.
    pub(crate) async fn client(&self) -> GrpcStore {
        let options = annals_store_grpc::Options::default();
        let options = annals_store_grpc::Options { call_time_max: options.retry_time_max, ..options };
        GrpcStore::connect(&self.url(), options).await.unwrap()
    }

    /// Shuts down in order, as after a signal.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.running).await.unwrap();
    }

    /// Looks like a crash from outside: all connections break at once.
    pub(crate) async fn kill(mut self) {
        self.running.abort();
        assert!((&mut self.running).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(crate) fn event() -> NewEvent {
    NewEvent::json(EventType::new("happened").unwrap(), "{}")
}

/// An append of one event to `name`, at any version.
pub(crate) fn one_event(name: &str) -> Append {
    Append::to(stream(name), ExpectedVersion::Any, vec![event()])
}
