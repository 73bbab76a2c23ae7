//! The running shop as its client sees it.

use crate::options::Options;
use annals::service::{Config, Running};
use annals::store::EventStore;
use anyhow::{Context, Result, anyhow, bail};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What the shop's services are configured with.
const CONFIG: &str = include_str!("../../shop/orders.toml");

/// The configuration of the shop with these options.
pub fn config(options: &Options) -> Result<Config> {
    let data = options.data.to_str().context("--data is not UTF-8")?;
    let (data, listen) = (toml::Value::from(data), options.listen);
    let mut config = Config::from_toml(&format!("data = {data}\nlisten = \"{listen}\"\n{CONFIG}"))?;
    config.name = "shop".to_owned();
    if let Some(url) = &options.store {
        config.store.url = url.parse().map_err(|reason| anyhow!("--store: {reason}"))?;
    }
    Ok(config)
}

/// A running shop. Cloning it is cheap.
#[derive(Clone)]
pub struct Shop {
    /// Where it serves HTTP.
    pub url: String,
    /// Its log.
    pub store: Arc<dyn EventStore>,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Whether the log had events when the shop was started.
    pub resumed: bool,
    /// What asks it.
    pub http: Client,
}

/// What the shop says of itself.
#[derive(Debug, Deserialize)]
pub struct Health {
    /// The log's last sequence number; `None`: the store does not say.
    pub head: Option<u64>,
    /// What somebody may have to look into.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// What follows the log, by kind and name.
    #[serde(default)]
    pub consumers: BTreeMap<String, BTreeMap<String, Consumer>>,
}

/// What follows the log.
#[derive(Debug, Deserialize)]
pub struct Consumer {
    /// What it does, in one word.
    pub state: String,
    /// Everything up to here is handled.
    pub at: u64,
}

impl Shop {
    /// The shop that just began to run.
    pub async fn of(running: &Running, options: &Options) -> Result<Self> {
        let store = running.app().store().clone();
        let resumed = store.head().await?.last.get() > 0;
        let data_dir = options.data.canonicalize()?;
        // It is on this machine: a proxy of the environment would only be in the way.
        let http = Client::builder().no_proxy().build()?;
        Ok(Self { url: format!("http://{}", running.address()), store, data_dir, resumed, http })
    }

    /// The answer to `GET path`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        answer(self.http.get(format!("{}{path}", self.url)).send().await?).await
    }

    /// The answer to `POST path`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        answer(self.http.post(format!("{}{path}", self.url)).json(body).send().await?).await
    }

    /// What it says of itself, also while it is not ready.
    pub async fn health(&self) -> Result<Health> {
        Ok(self.http.get(format!("{}/health/ready", self.url)).send().await?.json().await?)
    }

    /// Its counts, in the text form of Prometheus.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.http.get(format!("{}/metrics", self.url)).send().await?.error_for_status()?.text().await?)
    }
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

async fn answer<T: DeserializeOwned>(response: Response) -> Result<T> {
    if response.status().is_success() {
        return Ok(response.json().await?);
    }
    let Refusal { detail } = response.json().await?;
    bail!(detail)
}
