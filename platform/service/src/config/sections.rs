//! The platform's own keys as values, and what is wrong with those that are none.

use super::{
    Secret,
    error::{ConfigError, nearest},
    keys::{self, Keys, MODEL_KEYS},
    layers::{Leaf, Leaves, Origin, Written},
    others, units,
    url::{CatalogUrl, StoreUrl},
};
use crate::{HttpLimits, listen_address};
use annals_telemetry::LogForm;
use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};
use tokio::sync::Semaphore;

/// The event store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreConfig {
    /// Which one.
    pub url: StoreUrl,
    /// How long a call may take where it is in another process, including all attempts.
    pub call_time_max: Duration,
}

/// The log in the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogConfig {
    /// The data folder.
    pub data: PathBuf,
    /// Events that are older may be dropped; `None`: all are kept.
    pub retain_age: Option<Duration>,
    /// The oldest events may be dropped while the log takes more bytes; `None`: all are kept.
    pub retain_bytes: Option<u64>,
    /// Bytes of the disk that appends leave free.
    pub reserve_bytes: u64,
    /// Stored bytes that are verified in the background in a second; `None`: none.
    pub scrub_bytes_per_s: Option<NonZeroU64>,
    /// Whether the machine's clock is trusted although it is over a year ahead of the last event.
    pub trust_clock: bool,
}

/// The read models of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadModelsConfig {
    /// Where they are.
    pub url: CatalogUrl,
    /// The folder of SQLite's files; `None`: they are in a database.
    pub folder: Option<PathBuf>,
    /// The database's password, if it is not in the URL.
    pub password: Option<Secret>,
    /// The schema of the catalog in a database.
    pub schema: String,
    /// Whether a database keeps views of what is live.
    pub views: bool,
    /// The folder of their snapshots.
    pub snapshots: PathBuf,
}

/// One read model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadModelConfig {
    /// A snapshot of it after so many events; `None`: none by itself.
    pub snapshot_every: Option<NonZeroU64>,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Its limits.
    pub limits: HttpLimits,
    /// How long requests are still taken once the service is told to stop and says that it is not ready.
    pub drain: Duration,
}

/// Traces, metrics and log lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TelemetryConfig {
    /// The share of traces that are exported.
    pub sample: f64,
    /// Whether `/metrics` is served.
    pub metrics: bool,
    /// The form of log lines.
    pub log: LogForm,
}

impl TelemetryConfig {
    /// The same for [`annals_telemetry::init`]. `RUST_LOG` and the variables of OpenTelemetry say the rest.
    pub fn options(&self, service_name: &str) -> annals_telemetry::Options {
        let (sample_ratio, log_form) = (self.sample, self.log);
        annals_telemetry::Options {
            sample_ratio,
            log_form,
            ..annals_telemetry::Options::from_env(service_name)
        }
    }
}

impl Leaves {
    /// Refuses keys that cannot be anybody's: those of the platform's tables that it does not have, and values outside of any
    /// table. Takes out the variables of other programs, and returns their names.
    pub(super) fn check_names(&mut self) -> Result<Vec<String>, ConfigError> {
        let keys = self.keys;
        let others = self.take_out(|key, leaf| others::variable(keys, key, leaf));
        self.iter().try_for_each(|(key, leaf)| check_name(keys, key, leaf))?;
        Ok(others)
    }

    /// The text of a key as it was written, or its default.
    pub(super) fn text(&self, key: &str) -> Result<Option<(String, Origin)>, ConfigError> {
        let Some(Leaf { written, origin }) = self.get(key) else {
            return Ok(self.keys.default_of(key).map(|text| (text.to_owned(), Origin::Default)));
        };
        let text = match written {
            Written::Text(text) | Written::Toml(toml::Value::String(text)) => text.clone(),
            Written::Toml(
                value @ (toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_)),
            ) => value.to_string(),
            Written::Toml(_) => return Err(ConfigError::value(key, origin, "it must be one value, no list")),
        };
        Ok(Some((text, origin.clone())))
    }

    /// The value of a key; `None`: it has none.
    fn find<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((text, origin)) = self.text(key)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|reason| ConfigError::value(key, &origin, reason))
    }

    /// The value of a key that has a default.
    fn value<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        let missing = || ConfigError::Missing { key: key.to_owned(), variable: keys::variable_of(key) };
        self.find(key, parse)?.ok_or_else(missing)
    }

    pub(super) fn listen(&self) -> Result<SocketAddr, ConfigError> {
        self.value("listen", |text| listen_address(text).map_err(|reason| format!("{text:?}: {reason}")))
    }

    pub(super) fn data(&self) -> Result<PathBuf, ConfigError> {
        self.value("data", folder)
    }

    pub(super) fn store(&self) -> Result<StoreConfig, ConfigError> {
        let call_time_max =
            self.value("store.call", |text| not_zero(text, units::duration, "leaves no time for any call"))?;
        Ok(StoreConfig { url: self.store_url()?, call_time_max })
    }

    fn store_url(&self) -> Result<StoreUrl, ConfigError> {
        let url = self.find("store.url", StoreUrl::from_str)?.unwrap_or_default();
        match self.below("log").next() {
            Some((name, leaf)) if url != StoreUrl::Log => {
                let reason =
                    format!("it is for the log in the data folder, and store.url names {url}; leave one out");
                Err(ConfigError::value(&format!("log.{name}"), &leaf.origin, reason))
            }
            _ => Ok(url),
        }
    }

    pub(super) fn log(&self, data: PathBuf) -> Result<LogConfig, ConfigError> {
        Ok(LogConfig {
            data,
            retain_age: self.find("log.retain_age", |text| not_zero(text, units::duration, DROPS_ALL))?,
            retain_bytes: self.find("log.retain_size", |text| not_zero(text, units::size, DROPS_ALL))?,
            reserve_bytes: self.value("log.reserve", units::size)?,
            scrub_bytes_per_s: NonZeroU64::new(self.value("log.scrub", units::rate)?),
            trust_clock: self.value("log.trust_clock", switch)?,
        })
    }

    pub(super) fn read_models(&self, data: &std::path::Path) -> Result<ReadModelsConfig, ConfigError> {
        let url = self.value("read_models.url", CatalogUrl::from_str)?;
        let folder_of_files = match &url {
            CatalogUrl::Sqlite => Some(data.join("read-models")),
            CatalogUrl::SqliteIn(folder) => Some(folder.clone()),
            CatalogUrl::Postgres(_) => None,
        };
        let snapshots = self.find("read_models.snapshots", folder)?.unwrap_or_else(|| data.join("snapshots"));
        Ok(ReadModelsConfig {
            url,
            folder: folder_of_files,
            password: self.find("read_models.password_file", content)?,
            schema: self.value("read_models.schema", schema)?,
            views: self.value("read_models.views", switch)?,
            snapshots,
        })
    }

    pub(super) fn read_model(&self, name: &str) -> Result<ReadModelConfig, ConfigError> {
        Ok(ReadModelConfig {
            snapshot_every: self.find(&format!("read_model.{name}.snapshot_every"), number)?,
        })
    }

    pub(super) fn http(&self, listen: SocketAddr) -> Result<HttpConfig, ConfigError> {
        let bytes = |text: &str| u32::try_from(units::size(text)?).map_err(|_| format!("{text} is too much"));
        let limits = HttpLimits {
            connections_max: self.value("http.connections", permits)?,
            body_bytes_max: self.value("http.body", |text| not_zero(text, bytes, "takes no body at all"))?,
            budget_bytes: self.value("http.budget", bytes)?,
            request_time_max: self.value("http.request", |text| {
                not_zero(text, units::duration, "leaves no time for any request")
            })?,
            // The time of the whole end, of which requests have the first half: it is the end that cuts them off, and names them.
            shutdown_time_max: self.value("http.shutdown", units::duration)?.saturating_mul(2),
            ..HttpLimits::default()
        };
        let drain_default = if listen.ip().is_loopback() { Duration::ZERO } else { DRAIN_DEFAULT };
        Ok(HttpConfig { limits, drain: self.find("http.drain", units::duration)?.unwrap_or(drain_default) })
    }

    pub(super) fn telemetry(&self) -> Result<TelemetryConfig, ConfigError> {
        let sample = |text: &str| match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(format!("{text:?} is no share; write a number from 0 to 1, such as 0.01")),
        };
        let form = |text: &str| match text {
            "text" => Ok(LogForm::Text),
            "json" => Ok(LogForm::Json),
            _ => Err(format!("{text:?} is no form of log lines; write text or json")),
        };
        Ok(TelemetryConfig {
            sample: self.value("telemetry.sample", sample)?,
            metrics: self.value("telemetry.metrics", switch)?,
            log: self.value("telemetry.log", form)?,
        })
    }
}

/// How long load balancers may take to notice that a service goes away.
pub(super) const DRAIN_DEFAULT: Duration = Duration::from_secs(5);

/// What no path can have.
pub(super) const HAS_NUL: &str = "it has a NUL character; write the name of a folder";

fn folder(text: &str) -> Result<PathBuf, String> {
    match text.split_once("://") {
        Some((scheme, _)) => Err(format!("{scheme}:// is not there yet; write a folder of this machine")),
        None if text.trim().is_empty() => Err("it is empty; write the name of a folder".into()),
        None if text.contains('\0') => Err(HAS_NUL.into()),
        None => Ok(text.into()),
    }
}

/// What a file has, without the end of its last line.
fn content(path: &str) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// How many bytes the name of a schema may have; the schemas of generations begin with it.
const SCHEMA_BYTES_MAX: usize = 26;

fn schema(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let begins = text.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    if begins && text.len() <= SCHEMA_BYTES_MAX && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no name of a schema; write up to {SCHEMA_BYTES_MAX} of a-z, 0-9 and _, a letter first"
    ))
}

fn switch(text: &str) -> Result<bool, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

/// What a limit of the log does that is nothing.
const DROPS_ALL: &str = "drops every event; leave it out to keep all";

/// A quantity that cannot be nothing; `none` says what that would do.
fn not_zero<T: Default + PartialEq>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    none: &str,
) -> Result<T, String> {
    let quantity = parse(text)?;
    if quantity == T::default() { Err(format!("{text:?} {none}")) } else { Ok(quantity) }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is no whole number from 1 on"))
}

/// How many may be at once.
fn permits(text: &str) -> Result<usize, String> {
    let (permits, most) = (number::<NonZeroUsize>(text)?.get(), Semaphore::MAX_PERMITS);
    if permits <= most {
        Ok(permits)
    } else {
        Err(format!("{text:?} is too many; write a number from 1 to {most}"))
    }
}

fn check_name(keys: &Keys, key: &str, leaf: &Leaf) -> Result<(), ConfigError> {
    if let Some(what) = keys::needs(key) {
        return Err(ConfigError::NotYet { key: key.to_owned(), origin: leaf.origin.clone(), what });
    }
    let (table, _) = key.split_once('.').unwrap_or((key, ""));
    let model_key = || {
        let (_, name) = key.strip_prefix("read_model.")?.split_once('.')?;
        MODEL_KEYS.iter().any(|key| key.name == name).then_some(())
    };
    let is_table = key.contains('.') || matches!(&leaf.written, Written::Toml(toml::Value::Array(_)));
    let is_own = keys.settings && is_table && !keys::is_known(table);
    let is_models = keys.has_models() && model_key().is_some();
    if is_own || is_models || keys.all().any(|known| known.name == key) {
        return Ok(());
    }
    let beside = if keys.has_models() { model_keys_beside(key) } else { Vec::new() };
    let known: Vec<_> = keys.all().map(|key| key.name.to_owned()).chain(beside).collect();
    let nearest = nearest(key, known.iter().map(String::as_str));
    Err(ConfigError::Unknown { key: key.to_owned(), origin: leaf.origin.clone(), nearest })
}

/// The keys that the read model of `key` may have.
fn model_keys_beside(key: &str) -> Vec<String> {
    let Some((model, _)) = key.strip_prefix("read_model.").and_then(|rest| rest.split_once('.')) else {
        return Vec::new();
    };
    MODEL_KEYS.iter().map(|key| format!("read_model.{model}.{}", key.name)).collect()
}
