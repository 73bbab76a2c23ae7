//! The configuration of a service, or of another program that serves: what was asked for, by whom, and what holds.
//!
//! What always holds:
//!
//! * Each key can be set in the file `annals.toml` (`--config` names another), by a variable (`store.url` is
//!   `ANNALS_STORE__URL`) and by a flag (`--store.url`). A flag wins over a variable, that over the file, and the file over the
//!   default. `--data`, `--listen`, `--store` and `ANNALS_DATA`, `ANNALS_LISTEN`, `ANNALS_STORE` are short forms. An empty
//!   variable is not set.
//! * A key that nobody takes is an error that names the nearest one. A key is taken only if what it asks for is there. Variables alone
//!   may be another program's, which shares the environment: those of a table that is written like none of this one's are told of and
//!   not read.
//! * Times and sizes have units. A bare number is an error.
//! * No password is shown, neither in what is printed nor in an error. A [`Secret`] is never taken from a flag. Whoever writes one
//!   into a file that everybody can read is warned.
//! * Nothing but files is touched: no folder is made, no address tried.

mod error;
mod exposed;
mod help;
mod keys;
mod layers;
mod others;
mod secret;
mod sections;
mod settings;
#[cfg(test)]
mod tests;
mod units;
mod url;

pub use annals_telemetry::LogForm;
pub use error::ConfigError;
pub use keys::{Flag, Key, Keys, Takes};
pub use layers::{Origin, Wanted};
pub use secret::Secret;
pub(crate) use secret::redacted;
pub use sections::{HttpConfig, LogConfig, ReadModelConfig, ReadModelsConfig, StoreConfig, TelemetryConfig};
pub use url::{CatalogUrl, StoreUrl};

use error::{is_slip, nearest};
use layers::{Gathered, Given, Leaves, gather};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How the table of a read model begins.
const MODEL: &str = "read_model.";

/// The configuration of a service. Its text is the effective one: each key, its value and where it is from, without secrets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The service's name.
    pub name: String,
    /// Where to serve HTTP.
    pub listen: SocketAddr,
    /// The folder for all that is kept on this machine.
    pub data: PathBuf,
    /// The event store.
    pub store: StoreConfig,
    /// The log, where it is in the data folder.
    pub log: LogConfig,
    /// The read models.
    pub read_models: ReadModelsConfig,
    /// The HTTP server.
    pub http: HttpConfig,
    /// Traces, metrics and log lines.
    pub telemetry: TelemetryConfig,
    /// What the command line asks for.
    pub wanted: Wanted,
    leaves: Leaves,
    warnings: Vec<String>,
    taken: Arc<Mutex<BTreeSet<String>>>,
}

impl Config {
    /// The configuration of this process: its flags, its environment and its file.
    pub fn load(name: &str) -> Result<Self, ConfigError> {
        Self::of_program(name, &keys::SERVICE, env::args_os().skip(1))
    }

    /// The same for a program that takes other keys than a service, and these flags.
    pub fn of_program(
        name: &str,
        keys: &'static Keys,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, ConfigError> {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let variables = env::vars_os().map(|(name, value)| (text(name), text(value)));
        let ours = variables.filter(|(name, value)| name.starts_with("ANNALS_") && !value.trim().is_empty());
        let arguments = arguments.into_iter().map(text).collect();
        let folder = env::current_dir().unwrap_or_default();
        Self::of(name, keys, Given { arguments, variables: ours.collect(), folder })
    }

    /// The configuration that this text is, without flags and environment: for tests. The service has no name.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let mut leaves = Leaves::new(&keys::SERVICE);
        leaves.add_toml(text, "annals.toml")?;
        Self::from_leaves("", leaves, Wanted::Serve)
    }

    /// The defaults with this data folder and a free port, without file, environment and flags: for a service within a program.
    pub fn in_folder(name: &str, data: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_leaves(name, Leaves::of_folder(&keys::SERVICE, data.as_ref()), Wanted::Serve)
    }

    fn of(name: &str, keys: &'static Keys, given: Given) -> Result<Self, ConfigError> {
        let Gathered { leaves, wanted, warning } = gather(keys, given)?;
        if matches!(wanted, Wanted::Help | Wanted::Version) {
            // What must have a value and has none does not matter then.
            return Ok(Self { leaves, ..Self::from_leaves(name, Leaves::new(&keys::SERVICE), wanted)? });
        }
        let mut config = Self::from_leaves(name, leaves, wanted)?;
        config.warnings.extend(warning);
        Ok(config)
    }

    fn from_leaves(name: &str, mut leaves: Leaves, wanted: Wanted) -> Result<Self, ConfigError> {
        let others = leaves.check_names()?;
        let (listen, data) = (leaves.listen()?, leaves.data()?);
        for (name, _) in leaves.below("read_model") {
            leaves.read_model(name.rsplit_once('.').map_or(name, |(model, _)| model))?;
        }
        Ok(Self {
            name: name.to_owned(),
            listen,
            store: leaves.store()?,
            log: leaves.log(data.clone())?,
            read_models: leaves.read_models(&data)?,
            http: leaves.http(listen)?,
            telemetry: leaves.telemetry()?,
            data,
            wanted,
            leaves,
            warnings: others::warning(&others).into_iter().collect(),
            taken: Arc::default(),
        })
    }

    /// A table of the service's own, such as `mail`.
    pub fn settings<T: DeserializeOwned>(&self, table: &str) -> Result<T, ConfigError> {
        self.taken.lock().insert(table.to_owned());
        settings::settings(&self.leaves, table)
    }

    /// What is said of one read model.
    pub fn read_model(&self, name: &str) -> Result<ReadModelConfig, ConfigError> {
        self.taken.lock().insert(format!("read_model.{name}"));
        self.leaves.read_model(name)
    }

    /// Refuses keys that nobody took: to be called when all that takes keys was built. Returns what to warn of: variables that are
    /// another program's.
    pub fn all_taken(&self) -> Result<Option<String>, ConfigError> {
        let (taken, mut others) = (self.taken.lock(), Vec::new());
        for (key, leaf) in self.leaves.iter() {
            let is_model = |table: &str| table.starts_with(MODEL);
            let (table, rest) = match is_model(key) {
                true => key.rsplit_once('.').unwrap_or((key, "")),
                false => key.split_once('.').unwrap_or((key, "")),
            };
            if taken.contains(table) || keys::is_known(table) {
                continue;
            }
            let known = taken.iter().map(String::as_str).chain(keys::TABLES.iter().copied());
            let known: Vec<_> = known.filter(|known| is_model(known) == is_model(table)).collect();
            match &leaf.origin {
                Origin::Variable(variable) if !is_slip(table, known.iter().copied()) => {
                    others.push(variable.clone());
                }
                origin => {
                    let nearest = nearest(table, known).map(|near| format!("{near}.{rest}"));
                    return Err(ConfigError::Unknown {
                        key: key.to_owned(),
                        origin: origin.clone(),
                        nearest,
                    });
                }
            }
        }
        Ok(others::warning(&others))
    }

    /// What whoever starts the program had better know although nothing is wrong: secrets that others can read, and variables that
    /// are another program's.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What to print instead of serving: the answer to `--help`, `--version` and `--print-config`.
    pub fn answer(&self) -> Option<String> {
        match self.wanted {
            Wanted::Help => Some(help::help(&self.name, self.leaves.keys)),
            Wanted::Version => self.leaves.keys.version.map(|version| format!("{} {version}", self.name)),
            Wanted::Print => Some(self.to_string()),
            Wanted::Serve | Wanted::Check => None,
        }
    }
}
