//! Which event store the shop runs on: the log in the data folder, or one that another process serves.

use crate::folder::DataFolder;
use crate::report::LogReport;
use annals::store::EventStore;
use annals::store_log::{LogStore, Options};
use annals_store_grpc::GrpcStore;
use anyhow::{Result, bail};
use std::sync::Arc;

/// The shop's event store.
#[derive(Clone)]
pub enum Store {
    /// The log in the data folder.
    Embedded(LogStore),
    /// A log that another process serves.
    Remote(GrpcStore),
}

impl Store {
    /// Opens the log in the data folder, or connects to the store at `address`.
    pub async fn open(folder: &DataFolder, address: Option<&str>) -> Result<Self> {
        if let Some(address) = address {
            return Ok(Self::Remote(GrpcStore::connect(address, Default::default()).await?));
        }
        let log = LogStore::open(folder.log(), Options::default()).await?;
        if let Some(damage) = log.damage() {
            bail!(
                "the log is damaged: {damage}; restore it from a backup, or name another folder with --data"
            );
        }
        Ok(Self::Embedded(log))
    }

    /// The store, as the services see it.
    pub fn events(&self) -> Arc<dyn EventStore> {
        match self {
            Self::Embedded(log) => Arc::new(log.clone()),
            Self::Remote(store) => Arc::new(store.clone()),
        }
    }

    /// What was written in this run.
    pub fn report(&self) -> LogReport {
        match self {
            Self::Embedded(log) => log.stats().into(),
            Self::Remote(_) => LogReport::default(),
        }
    }

    /// Closes the log in order.
    pub async fn close(&self) -> Result<()> {
        match self {
            Self::Embedded(log) => Ok(log.close().await?),
            Self::Remote(_) => Ok(()),
        }
    }
}

impl From<annals::store_log::Stats> for LogReport {
    fn from(stats: annals::store_log::Stats) -> Self {
        Self {
            events: Some(stats.events),
            appends: Some(stats.appends),
            groups: Some(stats.groups),
            syncs: Some(stats.syncs),
        }
    }
}
