//! The layers of a configuration: file, environment, flags. A later one wins, key by key.

use super::{
    error::{ConfigError, nearest},
    exposed,
    keys::KEYS,
    secret::redacted,
};
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};
use toml::Value;

/// The file that is read when none is named, if it is there.
const FILE: &str = "annals.toml";
/// A free port of this machine.
const ANY_PORT: &str = "127.0.0.1:0";
/// Variables with a name of ours that are no keys.
const NO_KEYS: [&str; 3] = ["ANNALS_CONFIG", "ANNALS_SPANS", "ANNALS_GOLDEN"];
/// How the variables end that Kubernetes sets for a service whose name begins with `annals`.
const OF_KUBERNETES: [&str; 4] = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_ADDR"];

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// This file.
    File(String),
    /// This environment variable.
    Variable(String),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File(name) | Self::Variable(name) | Self::Flag(name) => name,
        })
    }
}

/// A value as it was written.
#[derive(Clone)]
pub(super) enum Written {
    /// In a variable or a flag: what it is depends on who takes it.
    Text(String),
    /// In the file.
    Toml(Value),
}

/// A key's value and where it is from.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) written: Written,
    pub(super) origin: Origin,
}

/// All keys that somebody set.
#[derive(Clone, Default)]
pub(super) struct Leaves(BTreeMap<String, Leaf>);

/// The keys alone: a value may be a secret.
impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Leaves {
    /// A data folder and a free port: all that a service within a program needs.
    pub(super) fn of_folder(data: &Path) -> Self {
        let data = data.to_string_lossy().into_owned();
        let leaf = |(key, value): (&str, String)| {
            (key.to_owned(), Leaf { written: Written::Text(value), origin: Origin::Default })
        };
        Self([("data", data), ("listen", ANY_PORT.to_owned())].map(leaf).into())
    }

    pub(super) fn get(&self, key: &str) -> Option<&Leaf> {
        self.0.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Leaf)> {
        self.0.iter().map(|(key, leaf)| (key.as_str(), leaf))
    }

    /// The keys of a table and below it, without its name.
    pub(super) fn below<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, &'a Leaf)> {
        self.iter().filter_map(move |(key, leaf)| Some((key.strip_prefix(table)?.strip_prefix('.')?, leaf)))
    }

    /// Sets a key. A value and a table of the same name cannot both be: the later one wins.
    fn set(&mut self, key: String, leaf: Leaf) {
        let is_within =
            |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        self.0.retain(|other, _| !is_within(other, &key) && !is_within(&key, other));
        self.0.insert(key, leaf);
    }

    fn set_toml(&mut self, key: &str, value: Value, file: &str) {
        match value {
            Value::Table(table) => {
                for (name, value) in table {
                    let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                    self.set_toml(&key, value, file);
                }
            }
            value => self.set(
                key.to_owned(),
                Leaf { written: Written::Toml(value), origin: Origin::File(file.to_owned()) },
            ),
        }
    }

    /// The keys of a file's text.
    pub(super) fn add_toml(&mut self, text: &str, file: &str) -> Result<(), ConfigError> {
        // The parser's own message shows the line, and what is written there may be a secret.
        let refused = |error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            ConfigError::Syntax { file: file.to_owned(), line, reason: redacted(error.message()) }
        };
        let table: toml::Table = text.parse().map_err(refused)?;
        self.set_toml("", Value::Table(table), file);
        Ok(())
    }
}

/// What a program was given.
pub(super) struct Given {
    /// Its arguments, without its own name.
    pub(super) arguments: Vec<String>,
    /// The environment.
    pub(super) variables: Vec<(String, String)>,
    /// Where relative paths of the configuration file begin.
    pub(super) folder: PathBuf,
}

/// Flags that ask for something else than to serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// To serve.
    #[default]
    Serve,
    /// `--help`.
    Help,
    /// `--print-config`.
    Print,
    /// `--check`.
    Check,
}

/// The layers of what a program was given, and what it is to do.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) leaves: Leaves,
    pub(super) wanted: Wanted,
    /// What to say of the file.
    pub(super) warning: Option<String>,
}

/// Puts the layers of what a program was given on each other.
pub(super) fn gather(given: Given) -> Result<Gathered, ConfigError> {
    let Given { arguments, variables, folder } = given;
    let flags = Flags::of(arguments)?;
    let mut leaves = Leaves::default();
    if flags.wanted == Wanted::Help {
        return Ok(Gathered { wanted: flags.wanted, ..Gathered::default() });
    }
    let variable = variables.iter().find(|(name, value)| name == "ANNALS_CONFIG" && !value.is_empty());
    let named = flags
        .config
        .map(|path| ("--config", path))
        .or(variable.map(|(_, path)| ("ANNALS_CONFIG", path.clone())));
    let warning = add_file(&mut leaves, named, &folder)?;
    for (name, value) in variables {
        if let Some(key) = key_of(&name)? {
            leaves.set(key, Leaf { written: Written::Text(value), origin: Origin::Variable(name) });
        }
    }
    for (flag, key, value) in flags.values {
        leaves.set(key, Leaf { written: Written::Text(value), origin: Origin::Flag(flag) });
    }
    Ok(Gathered { leaves, wanted: flags.wanted, warning })
}

/// Adds the file's keys, the first ones; returns what to say of the file.
fn add_file(
    leaves: &mut Leaves,
    named: Option<(&str, String)>,
    folder: &Path,
) -> Result<Option<String>, ConfigError> {
    let (what, path) = match &named {
        Some((what, path)) => (*what, path.as_str()),
        None => (FILE, FILE),
    };
    match fs::read_to_string(folder.join(path)) {
        Ok(text) => {
            leaves.add_toml(&text, path)?;
            let metadata = fs::metadata(folder.join(path)).ok();
            Ok(metadata.and_then(|metadata| exposed::warning(path, &metadata, leaves)))
        }
        Err(cause) if named.is_none() && cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ConfigError::File { what: what.to_owned(), path: path.into(), cause }),
    }
}

/// The key that a variable sets; `None`: it is not ours.
fn key_of(variable: &str) -> Result<Option<String>, ConfigError> {
    let Some(name) = variable.strip_prefix("ANNALS_") else { return Ok(None) };
    if NO_KEYS.contains(&variable) || is_of_kubernetes(name) {
        return Ok(None);
    }
    let key = name.to_ascii_lowercase().replace("__", ".");
    match key.as_str() {
        "store" => Ok(Some("store.url".into())),
        "listen" | "data" => Ok(Some(key)),
        key if key.contains('.') => Ok(Some(key.to_owned())),
        _ => {
            let known = KEYS.iter().map(|key| super::keys::variable_of(key.name));
            let known: Vec<_> = known.chain(["ANNALS_STORE".into(), "ANNALS_CONFIG".into()]).collect();
            let nearest = nearest(variable, known.iter().map(String::as_str));
            Err(ConfigError::Unknown { key, origin: Origin::Variable(variable.to_owned()), nearest })
        }
    }
}

fn is_of_kubernetes(name: &str) -> bool {
    let has_port = ["_PORT_", "_SERVICE_PORT_"].iter().any(|middle| name.contains(middle));
    !name.contains("__") && (has_port || OF_KUBERNETES.iter().any(|end| name.ends_with(end)))
}

/// A command line.
#[derive(Default)]
struct Flags {
    /// Flag, key, value.
    values: Vec<(String, String, String)>,
    config: Option<String>,
    wanted: Wanted,
}

impl Flags {
    fn of(arguments: Vec<String>) -> Result<Self, ConfigError> {
        let (mut flags, mut arguments) = (Self::default(), arguments.into_iter());
        while let Some(argument) = arguments.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            flags.add(flag, value, &mut arguments)?;
        }
        Ok(flags)
    }

    fn add(
        &mut self,
        flag: String,
        value: Option<String>,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), ConfigError> {
        let wanted = match flag.as_str() {
            "--help" | "-h" => Some(Wanted::Help),
            "--print-config" => Some(Wanted::Print),
            "--check" => Some(Wanted::Check),
            _ => None,
        };
        match (wanted, &value) {
            (Some(_), Some(_)) => return Err(ConfigError::argument(&flag, "it takes no value")),
            (Some(_), None) if self.wanted == Wanted::Help => return Ok(()),
            (Some(wanted), None) => {
                self.wanted = wanted;
                return Ok(());
            }
            (None, _) => {}
        }
        let key = flag_key(&flag)?;
        let missing = || ConfigError::argument(&flag, format!("its value is missing, as in {flag}=VALUE"));
        let value = value.or_else(|| rest.next()).ok_or_else(missing)?;
        match key.as_str() {
            "config" => self.config = Some(value),
            _ => self.values.push((flag, key, value)),
        }
        Ok(())
    }
}

/// The key that a flag sets.
fn flag_key(flag: &str) -> Result<String, ConfigError> {
    let Some(name) = flag.strip_prefix("--").filter(|name| !name.is_empty()) else {
        return Err(ConfigError::argument(flag, "it is no flag; a flag begins with --"));
    };
    match name {
        "store" => Ok("store.url".into()),
        "listen" | "data" | "config" => Ok(name.to_owned()),
        _ if name.contains('.') => Ok(name.to_owned()),
        _ => {
            let known = KEYS.iter().map(|key| key.name);
            let known = known.chain(["store", "config", "help", "check", "print-config"]);
            let meant = nearest(name, known).map(|name| format!("; did you mean --{name}?"));
            let reason = format!("there is no such flag{}", meant.unwrap_or_default());
            Err(ConfigError::argument(flag, reason))
        }
    }
}
