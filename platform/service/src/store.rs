//! The event store that a URL names.
//!
//! What always holds:
//!
//! * A store that is served elsewhere is waited for, with a line for whoever looks on; its absence never ends a program.
//! * A log that is damaged, or that another process has, is not opened.

use crate::{Exit, config::LogConfig};
#[cfg(feature = "kit")]
use crate::{
    config::{StoreConfig, StoreUrl},
    folder::log_folder,
};
use annals_store::{Damage, EventStore};
#[cfg(feature = "kit")]
use annals_store::{GappedStore, ReadError};
#[cfg(feature = "kit")]
use annals_store_grpc::{ConnectError, GrpcStore};
use annals_store_log::{CloseError, LogStore, OpenError, Options, Retainer, Retention, Scrub};
use std::{fmt, sync::Arc};
use tokio::task::JoinHandle;
#[cfg(feature = "kit")]
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::error;

/// Why a store cannot be opened, now or ever.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log is damaged. It is closed again as it was.
    #[error("the log is damaged: {0}; restore it from a backup, or name another folder with --data")]
    Damaged(Damage),
    /// What answers at the address is no event store that can be used.
    #[cfg(feature = "kit")]
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It did not answer when it was tried.
    #[error("the event store at {0} does not answer")]
    Away(String),
}

impl StoreError {
    /// What a process ends with because of it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Open(OpenError::InUse { .. }) => Exit::FolderHeld,
            #[cfg(feature = "kit")]
            Self::Connect(ConnectError::Address { .. }) => Exit::Configuration,
            _ => Exit::Store,
        }
    }
}

/// A store that is open.
pub struct OpenStore {
    events: Arc<dyn EventStore>,
    embedded: Option<Embedded>,
}

/// The log in the data folder, and what tends it.
struct Embedded {
    log: LogStore,
    retaining: Option<JoinHandle<()>>,
    stop: DropGuard,
}

/// How long a store is waited for that is only tried.
#[cfg(feature = "kit")]
const TRY_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// Tries whether the store answers, where it is served elsewhere. Nothing else is touched.
#[cfg(feature = "kit")]
pub async fn check(config: &StoreConfig) -> Result<(), StoreError> {
    let StoreUrl::Http(address) = &config.url else { return Ok(()) };
    let connecting = tokio::time::timeout(TRY_TIME_MAX, connect(address));
    connecting.await.map_err(|_| StoreError::Away(config.url.to_string()))??;
    Ok(())
}

/// Opens the store: `log` says where and how, where it is the log in the data folder. A store that is served elsewhere is waited
/// for until it answers; dropping the future ends that. From then on its calls end at their deadline.
#[cfg(feature = "kit")]
pub async fn open(config: &StoreConfig, log: &LogConfig) -> Result<OpenStore, StoreError> {
    match &config.url {
        StoreUrl::Log => open_log(log).await,
        StoreUrl::Http(address) => {
            Ok(OpenStore::elsewhere(connect(address).await?.within(config.call_time_max)))
        }
        StoreUrl::Memory => Ok(OpenStore::elsewhere(GappedStore::new())),
    }
}

#[cfg(feature = "kit")]
async fn open_log(config: &LogConfig) -> Result<OpenStore, StoreError> {
    let log = LogStore::open(log_folder(&config.data), config.options()).await?;
    if let Some(damage) = log.damage() {
        if let Err(error) = log.close().await {
            error!(%error, "the damaged log");
        }
        return Err(StoreError::Damaged(damage));
    }
    Ok(OpenStore::of_log(log, config.retention()))
}

impl LogConfig {
    /// How the log is opened.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.reserve_bytes = self.reserve_bytes;
        options.scrub = self.scrub_bytes_per_s.map(Scrub::at);
        options.trust_clock = self.trust_clock;
        options
    }

    /// What it may drop.
    pub fn retention(&self) -> Retention {
        Retention { age_max: self.retain_age, bytes_max: self.retain_bytes }
    }
}

/// Asks until there is an answer.
#[cfg(feature = "kit")]
async fn connect(address: &str) -> Result<GrpcStore, ConnectError> {
    let (begun, patient) = (Instant::now(), annals_store_grpc::Options::default());
    // Nobody waits for it who has a deadline. Each attempt tells in a line of its own that it goes on.
    let patient = annals_store_grpc::Options { call_time_max: patient.retry_time_max, ..patient };
    loop {
        match GrpcStore::connect(address, patient.clone()).await {
            Err(ConnectError::Store { cause: ReadError::Unavailable { reason }, .. }) => {
                let seconds = begun.elapsed().as_secs();
                tracing::warn!(address, reason, "still waiting for the event store, for {seconds} s now");
                sleep(annals_store::OUTAGE_WAIT_MAX).await;
            }
            connected => return connected,
        }
    }
}

impl OpenStore {
    /// A log that this process has opened. What it may drop is dropped from now on, until it is closed.
    pub fn of_log(log: LogStore, retention: Retention) -> Self {
        let stop = CancellationToken::new();
        let retaining = (retention != Retention::default())
            .then(|| tokio::spawn(Retainer::new(log.clone(), retention).run(stop.clone())));
        let embedded = Embedded { log: log.clone(), retaining, stop: stop.drop_guard() };
        Self { events: Arc::new(log), embedded: Some(embedded) }
    }

    /// A store that needs nothing when it is closed.
    pub fn elsewhere(store: impl EventStore) -> Self {
        Self { events: Arc::new(store), embedded: None }
    }

    /// The store.
    pub fn events(&self) -> &Arc<dyn EventStore> {
        &self.events
    }

    /// The log of this process; `None`: the store is elsewhere.
    pub fn log(&self) -> Option<&LogStore> {
        self.embedded.as_ref().map(|embedded| &embedded.log)
    }

    /// Closes the log in order, retention first. A store that is elsewhere needs nothing.
    pub async fn close(self) -> Result<(), CloseError> {
        let Some(Embedded { log, retaining, stop }) = self.embedded else { return Ok(()) };
        drop(stop);
        if let Some(retaining) = retaining
            && let Err(error) = retaining.await
        {
            error!(%error, "retention ended");
        }
        log.close().await
    }
}

impl fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenStore").field(&self.events.capabilities().name).finish()
    }
}

#[cfg(all(test, feature = "kit"))]
mod tests {
    use crate::Config;
    use std::time::Duration;

    #[test]
    fn a_call_has_as_much_time_by_default_as_the_network_adapter_gives_it() {
        let expected = Duration::from_millis(annals_store_grpc::Options::CALL_MS_MAX_DEFAULT);
        assert_eq!(Config::from_toml("").unwrap().store.call_time_max, expected);
    }
}
