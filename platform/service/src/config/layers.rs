//! The layers of a configuration: file, environment, flags. A later one wins, key by key.

use super::{
    error::{ConfigError, nearest},
    exposed,
    keys::{Flag, Keys, Takes},
    others,
    secret::redacted,
};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};
use toml::Value;

/// The file that is read when none is named, if it is there.
const FILE: &str = "annals.toml";
/// The largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A free port of this machine.
const ANY_PORT: &str = "127.0.0.1:0";
/// Variables with a name of ours that are no keys.
const NO_KEYS: [&str; 3] = ["ANNALS_CONFIG", "ANNALS_SPANS", "ANNALS_GOLDEN"];

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

/// All keys that somebody set, and those that could be.
#[derive(Clone)]
pub(super) struct Leaves {
    pub(super) keys: &'static Keys,
    set: BTreeMap<String, Leaf>,
}

/// The keys alone: a value may be a secret.
impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.keys()).finish()
    }
}

impl Leaves {
    /// Nothing is set but what the program's own keys are by default.
    pub(super) fn new(keys: &'static Keys) -> Self {
        let mut leaves = Self { keys, set: BTreeMap::new() };
        for (key, default) in keys.own.iter().filter_map(|key| Some((key.name, key.default?))) {
            leaves.set_default(key, default);
        }
        leaves
    }

    /// A data folder and a free port: all that a service within a program needs.
    pub(super) fn of_folder(keys: &'static Keys, data: &Path) -> Self {
        let mut leaves = Self::new(keys);
        leaves.set_default("data", &data.to_string_lossy());
        leaves.set_default("listen", ANY_PORT);
        leaves
    }

    fn set_default(&mut self, key: &str, value: &str) {
        let leaf = Leaf { written: Written::Text(value.to_owned()), origin: Origin::Default };
        self.set(key.to_owned(), leaf);
    }

    pub(super) fn get(&self, key: &str) -> Option<&Leaf> {
        self.set.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Leaf)> {
        self.set.iter().map(|(key, leaf)| (key.as_str(), leaf))
    }

    /// The keys of a table and below it, without its name.
    pub(super) fn below<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, &'a Leaf)> {
        self.iter().filter_map(move |(key, leaf)| Some((key.strip_prefix(table)?.strip_prefix('.')?, leaf)))
    }

    /// Takes out the keys of which `is_out` says something, and returns that.
    pub(super) fn take_out(&mut self, is_out: impl Fn(&str, &Leaf) -> Option<String>) -> Vec<String> {
        let mut out = Vec::new();
        self.set.retain(|key, leaf| {
            let said = is_out(key, leaf);
            let stays = said.is_none();
            out.extend(said);
            stays
        });
        out
    }

    /// Sets a key. A value and a table of the same name cannot both be: the later one wins.
    fn set(&mut self, key: String, leaf: Leaf) {
        let is_within =
            |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        self.set.retain(|other, _| !is_within(other, &key) && !is_within(&key, other));
        self.set.insert(key, leaf);
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
    /// `--version`.
    Version,
}

/// The layers of what a program was given, and what it is to do.
pub(super) struct Gathered {
    pub(super) leaves: Leaves,
    pub(super) wanted: Wanted,
    /// What to say of the file.
    pub(super) warning: Option<String>,
}

/// Puts the layers of what a program was given on each other.
pub(super) fn gather(keys: &'static Keys, given: Given) -> Result<Gathered, ConfigError> {
    let Given { arguments, variables, folder } = given;
    let flags = Flags::of(keys, arguments)?;
    let mut leaves = Leaves::new(keys);
    if flags.is_answered() {
        return Ok(Gathered { leaves, wanted: flags.wanted, warning: None });
    }
    let variable = variables.iter().find(|(name, value)| name == "ANNALS_CONFIG" && !value.is_empty());
    let named = flags
        .config
        .map(|path| ("--config", path))
        .or(variable.map(|(_, path)| ("ANNALS_CONFIG", path.clone())));
    let warning = add_file(&mut leaves, named, &folder)?;
    for (name, value) in variables {
        if let Some(key) = key_of(keys, &name)? {
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
    match read_file(&folder.join(path)) {
        Ok((text, metadata)) => {
            leaves.add_toml(&text, path)?;
            Ok(exposed::warning(path, &metadata, leaves))
        }
        Err(cause) if named.is_none() && cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ConfigError::File { what: what.to_owned(), path: path.into(), cause }),
    }
}

/// The text of a regular file of a bounded size: a pipe would be waited for, a device read for ever.
fn read_file(path: &Path) -> io::Result<(String, Metadata)> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = File::open(path)?;
    let (metadata, mut text) = (file.metadata()?, String::new());
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok((text, metadata))
}

/// The key that a variable sets; `None`: it is not ours.
fn key_of(keys: &Keys, variable: &str) -> Result<Option<String>, ConfigError> {
    let Some(name) = variable.strip_prefix("ANNALS_") else { return Ok(None) };
    if NO_KEYS.contains(&variable) || others::is_passed_over(variable) {
        return Ok(None);
    }
    let key = name.to_ascii_lowercase().replace("__", ".");
    match key.as_str() {
        "store" => Ok(Some("store.url".into())),
        "listen" | "data" => Ok(Some(key)),
        key if key.contains('.') => Ok(Some(key.to_owned())),
        _ => {
            let known = keys.all().map(|key| super::keys::variable_of(key.name));
            let known: Vec<_> = known.chain(["ANNALS_STORE".into(), "ANNALS_CONFIG".into()]).collect();
            let nearest = nearest(variable, known.iter().map(String::as_str));
            Err(ConfigError::Unknown { key, origin: Origin::Variable(variable.to_owned()), nearest })
        }
    }
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
    fn of(keys: &Keys, arguments: Vec<String>) -> Result<Self, ConfigError> {
        let (mut flags, mut arguments) = (Self::default(), arguments.into_iter());
        while let Some(argument) = arguments.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            flags.add(keys, flag, value, &mut arguments)?;
        }
        Ok(flags)
    }

    /// Refuses a second flag for the same key: of two nobody knows which is meant.
    fn check_new(&self, flag: &str, key: &str) -> Result<(), ConfigError> {
        let earlier = self.values.iter().find(|(_, set, _)| set == key).map(|(flag, ..)| flag.as_str());
        match earlier.or(self.config.as_ref().filter(|_| key == "config").map(|_| flag)) {
            None => Ok(()),
            Some(earlier) if earlier == flag => Err(ConfigError::argument(flag, "it is given twice")),
            Some(earlier) => {
                Err(ConfigError::argument(flag, format!("{earlier} sets the same key; leave one out")))
            }
        }
    }

    /// Whether the configuration need not be read.
    fn is_answered(&self) -> bool {
        matches!(self.wanted, Wanted::Help | Wanted::Version)
    }

    fn add(
        &mut self,
        keys: &Keys,
        flag: String,
        value: Option<String>,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), ConfigError> {
        let wanted = wanted_by(keys, &flag);
        let key = if wanted.is_some() { None } else { Some(flag_key(keys, &flag)?) };
        let takes_nothing = key.as_ref().is_none_or(|(_, takes)| *takes == Takes::Nothing);
        if takes_nothing && value.is_some() {
            return Err(ConfigError::argument(&flag, "it takes no value"));
        }
        match (wanted, key) {
            (Some(wanted), _) if !self.is_answered() => self.wanted = wanted,
            (Some(_), _) | (None, None) => {}
            (None, Some((key, takes))) => {
                let missing =
                    || ConfigError::argument(&flag, format!("its value is missing, as in {flag}=VALUE"));
                let value = match takes {
                    Takes::Nothing => "true".to_owned(),
                    _ => value.or_else(|| rest.next()).ok_or_else(missing)?,
                };
                self.check_new(&flag, &key)?;
                match key.as_str() {
                    "config" => self.config = Some(value),
                    _ => self.values.push((flag.clone(), key, with_unit(&flag, value, takes)?)),
                }
            }
        }
        Ok(())
    }
}

/// What a flag asks for that is no key.
fn wanted_by(keys: &Keys, flag: &str) -> Option<Wanted> {
    match flag {
        "--help" | "-h" => Some(Wanted::Help),
        "--version" | "-V" if keys.version.is_some() => Some(Wanted::Version),
        "--print-config" => Some(Wanted::Print),
        "--check" => Some(Wanted::Check),
        _ => None,
    }
}

/// The key that a flag sets, and what stands after it.
fn flag_key(keys: &Keys, flag: &str) -> Result<(String, Takes), ConfigError> {
    let Some(name) = flag.strip_prefix("--").filter(|name| !name.is_empty()) else {
        return Err(ConfigError::argument(flag, "it is no flag; a flag begins with --"));
    };
    if let Some(Flag { key, takes, .. }) = keys.flag(flag) {
        return Ok((key.to_owned(), takes));
    }
    match name {
        "store" => Ok(("store.url".into(), Takes::Value)),
        "listen" | "data" | "config" => Ok((name.to_owned(), Takes::Value)),
        _ if name.contains('.') => Ok((name.to_owned(), Takes::Value)),
        _ => {
            let known = keys.all().map(|key| key.name);
            let further = keys.flags.iter().filter_map(|flag| flag.name.strip_prefix("--"));
            let known = known.chain(further).chain(["store", "config", "help", "check", "print-config"]);
            let meant = nearest(name, known).map(|name| format!("; did you mean --{name}?"));
            let reason = format!("there is no such flag{}", meant.unwrap_or_default());
            Err(ConfigError::argument(flag, reason))
        }
    }
}

/// The value of a flag as its key has it.
fn with_unit(flag: &str, value: String, takes: Takes) -> Result<String, ConfigError> {
    match takes {
        Takes::Number(_) if value.trim().parse::<u64>().is_err() => {
            Err(ConfigError::argument(flag, "its value must be a whole number"))
        }
        Takes::Number(unit) => Ok(format!("{}{unit}", value.trim())),
        Takes::Value | Takes::Nothing => Ok(value),
    }
}
