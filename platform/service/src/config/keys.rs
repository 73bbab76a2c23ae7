//! The keys that a program takes: what `--help` tells, what a misspelt one is compared with, and the defaults.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// With its table, as in `http.request`.
    pub(super) name: &'static str,
    /// What holds when nobody sets it; `None`: what `help` says.
    pub(super) default: Option<&'static str>,
    /// One line.
    pub(super) help: &'static str,
}

impl Key {
    /// A key with a default value.
    pub const fn new(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, default: Some(default), help }
    }

    /// A key that need not have a value.
    pub const fn optional(name: &'static str, help: &'static str) -> Self {
        Self { name, default: None, help }
    }
}

/// The keys that a program takes. A service takes all of the platform's and tables of its own; another program names those of the
/// platform's that it has a use for.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// What the program is, in a sentence or more: the beginning of `--help`.
    pub about: &'static str,
    /// What `--version` says; `None`: it is no flag.
    pub version: Option<&'static str>,
    /// Keys of the platform, and tables of which it takes all keys.
    pub platform: &'static [&'static str],
    /// Keys of the platform that have another default here, or none.
    pub defaults: &'static [(&'static str, Option<&'static str>)],
    /// Keys that the platform does not have. Each is in a table, which is read with [`Config::settings`](super::Config::settings).
    pub own: &'static [Key],
    /// Further names of keys, as flags alone.
    pub flags: &'static [Flag],
    /// Whether the code of the program may take tables that are not named here.
    pub settings: bool,
}

/// A further name of a key, as a flag alone.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// With its dashes.
    pub name: &'static str,
    /// The key that it sets.
    pub key: &'static str,
    /// What stands after it.
    pub takes: Takes,
}

/// What stands after a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A value as the key has it.
    Value,
    /// A whole number of this unit.
    Number(&'static str),
    /// Nothing: the flag switches the key on.
    Nothing,
}

/// The keys of a service.
pub(super) const SERVICE: Keys = Keys {
    about: "A service on Annals.",
    version: None,
    platform: &["listen", "data", "store", "log", "read_models", "http", "telemetry"],
    defaults: &[],
    own: &[],
    flags: &[],
    settings: true,
};

impl Keys {
    /// All keys, in the order in which they are told.
    pub(super) fn all(&self) -> impl Iterator<Item = Key> {
        let is_taken = |name: &str| {
            let table = table_of(name);
            self.platform.iter().any(|taken| *taken == name || *taken == table)
        };
        let platform = KEYS.iter().filter(move |key| is_taken(key.name));
        let platform = platform.map(|key| Key { default: self.default_of(key.name), ..*key });
        platform.chain(self.own.iter().copied())
    }

    /// The tables that they are in, and those that are in none.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'static str> {
        let models = self.has_models().then_some("read_model");
        self.all().map(|key| table_of(key.name)).chain(models)
    }

    /// The default of a key that has one. A key of the platform that the program does not take has the platform's.
    pub(super) fn default_of(&self, name: &str) -> Option<&'static str> {
        match self.defaults.iter().find(|(key, _)| *key == name) {
            Some((_, default)) => *default,
            None => self.own.iter().chain(KEYS).find(|key| key.name == name)?.default,
        }
    }

    /// Whether it takes read models, which have keys of their own.
    pub(super) fn has_models(&self) -> bool {
        self.platform.contains(&"read_models")
    }

    /// The further flag of this name.
    pub(super) fn flag(&self, name: &str) -> Option<Flag> {
        self.flags.iter().find(|flag| flag.name == name).copied()
    }
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key::new(name, default, help)
}

const fn may(name: &'static str, help: &'static str) -> Key {
    Key::optional(name, help)
}

/// Every key of the platform but those of single read models.
const KEYS: &[Key] = &[
    key("listen", "127.0.0.1:8080", "where to serve HTTP; port 0 takes a free one"),
    key(
        "data",
        "annals-data",
        "the folder for all that is kept on this machine; one process at a time has it",
    ),
    may(
        "store.url",
        "the event store: http://HOST:PORT, memory: (for tests), or not set: the log in data/log",
    ),
    key(
        "store.call",
        "5s",
        "how long a call to an event store in another process may take, with all attempts; then its request gets 503",
    ),
    may("log.retain_age", "events that are older may be dropped, such as 365d; not set: all are kept"),
    may(
        "log.retain_size",
        "the oldest events may be dropped above it, such as 200 GiB; not set: all are kept",
    ),
    key("log.reserve", "16 MiB", "how much of the disk appends leave free; 0 B: they go on until it is full"),
    key("log.scrub", "4 MiB/s", "how fast stored events are verified in the background; 0 B/s: they are not"),
    key(
        "log.trust_clock",
        "false",
        "trust the machine's clock even if it is over a year ahead of the last event",
    ),
    key(
        "read_models.url",
        "sqlite",
        "where read models are: sqlite is data/read-models, sqlite:FOLDER another folder, postgres://USER@HOST/DATABASE a database",
    ),
    may("read_models.password_file", "the file with the database's password, in place of one in the URL"),
    key(
        "read_models.schema",
        "annals",
        "the schema of the catalog in a database; services that share it share read models",
    ),
    key(
        "read_models.views",
        "false",
        "keep views in the database of what is live, for programs that ask it themselves",
    ),
    may(
        "read_models.snapshots",
        "the folder for snapshots of read models and aggregates; not set: data/snapshots",
    ),
    key("http.request", "30s", "how long a request may take"),
    key("http.body", "1 MiB", "the largest body of a request"),
    may(
        "http.drain",
        "how long to go on taking requests once told to stop; not set: 0s on loopback, else 5s",
    ),
    key(
        "http.shutdown",
        "10s",
        "how long requests under way may take once no more are taken; all ends within twice that",
    ),
    key("http.connections", "1024", "connections at once; more wait"),
    key(
        "http.budget",
        "64 MiB",
        "bytes of bodies in memory at once, over all connections; more wait to be read",
    ),
    key("telemetry.sample", "1", "the share of traces that are exported, from 0 to 1"),
    key("telemetry.metrics", "true", "whether /metrics is served"),
    key("telemetry.log", "text", "the form of log lines on standard error: text or json"),
];

/// Keys of one read model, after `read_model.NAME.`.
pub(super) const MODEL_KEYS: &[Key] =
    &[may("snapshot_every", "a snapshot of it after so many events; not set: none by itself")];

/// The tables that belong to the platform. All others are the service's own.
pub(super) const TABLES: &[&str] =
    &["store", "log", "read_models", "read_model", "http", "telemetry", "auth", "admin", "console"];

/// The table of a key; of one that is in none, its name.
pub(super) fn table_of(key: &str) -> &str {
    key.split_once('.').map_or(key, |(table, _)| table)
}

/// Whether it is a table of the platform, or one of its keys that is in none.
pub(super) fn is_known(table: &str) -> bool {
    TABLES.contains(&table) || KEYS.iter().any(|key| key.name == table)
}

/// What a later release will have: the beginning of the key, and what it needs.
const LATER: &[(&str, &str)] = &[
    ("auth", "authentication is"),
    ("admin", "a second address for operators is"),
    ("console", "the console is"),
    ("store.token_file", "authentication is"),
    ("store.ca_file", "TLS is"),
    ("read_models.on_error", "parking events is"),
    ("read_models.lease", "standby is"),
];

/// What a key needs that only a later release has.
pub(super) fn needs(key: &str) -> Option<&'static str> {
    let begins =
        |begin: &str| key.strip_prefix(begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if key.starts_with("read_model.") && key.ends_with(".on_error") {
        return Some("parking events is");
    }
    LATER.iter().find(|(begin, _)| begins(begin)).map(|(_, what)| *what)
}

/// The environment variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("ANNALS_{}", key.replace('.', "__").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigError, Wanted, layers::Given};
    use serde::Deserialize;

    const STORE: Keys = Keys {
        about: "Keeps things.",
        version: Some("1.2.3"),
        platform: &["listen", "data", "log"],
        defaults: &[("listen", Some("127.0.0.1:7400")), ("data", None)],
        own: &[Key::optional("shelf.label", "a label"), Key::new("shelf.boards", "5", "how many")],
        flags: &[
            Flag { name: "--boards", key: "shelf.boards", takes: Takes::Value },
            Flag { name: "--keep-days", key: "log.retain_age", takes: Takes::Number("d") },
            Flag { name: "--trust", key: "log.trust_clock", takes: Takes::Nothing },
        ],
        settings: false,
    };

    #[derive(Debug, PartialEq, Deserialize)]
    struct Shelf {
        label: Option<String>,
        boards: u32,
    }

    fn given(arguments: &[&str]) -> Result<Config, ConfigError> {
        given_with(arguments, &[])
    }

    fn given_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let folder = tempfile::tempdir().unwrap();
        Config::of("store", &STORE, Given { arguments, variables, folder: folder.path().into() })
    }

    #[test]
    fn a_program_has_its_own_keys_defaults_and_flags() {
        let config = given(&["--data=x", "--keep-days", "7", "--trust"]).unwrap();
        assert_eq!(config.listen.port(), 7400);
        assert_eq!(config.log.retain_age.unwrap().as_secs(), 7 * 86_400);
        assert!(config.log.trust_clock);
        assert_eq!(config.settings::<Shelf>("shelf").unwrap(), Shelf { label: None, boards: 5 });
        let more = given(&["--data=x", "--boards=6", "--shelf.label=a"]).unwrap();
        assert_eq!(more.settings::<Shelf>("shelf").unwrap(), Shelf { label: Some("a".into()), boards: 6 });
        assert!(more.to_string().contains("shelf.boards = 6"), "{more}");
        assert!(!more.to_string().contains("read_models"), "{more}");
    }

    #[test]
    fn what_a_program_does_not_take_is_refused_with_the_nearest() {
        let refused = |arguments: &[&str]| given(arguments).unwrap_err().to_string();
        assert!(refused(&[]).starts_with("data is missing; "));
        let told = refused(&["--data=x", "--shelf.board=1"]);
        assert_eq!(
            told,
            "shelf.board (from --shelf.board): there is no such key; did you mean shelf.boards?"
        );
        let told = refused(&["--data=x", "--read_model.a.snapshot_every=1"]);
        assert!(told.ends_with("there is no such key"), "{told}");
        assert!(refused(&["--data=x", "--store.url=memory:"]).contains("there is no such key"));
        assert_eq!(refused(&["--trust=1"]), "--trust: it takes no value; --help tells them all");
        assert!(refused(&["--keep-days=soon"]).contains("must be a whole number"));
        assert!(refused(&["--keep-day=7"]).contains("did you mean --keep-days?"));
    }

    #[test]
    fn variables_of_tables_that_a_program_does_not_have_are_another_programs() {
        let others = [("ANNALS_LENDING__PASSWORD", "hunter2"), ("ANNALS_STORE", "http://a:1")];
        let config = given_with(&["--data=x"], &others).unwrap();
        let told = "ANNALS_LENDING__PASSWORD, ANNALS_STORE: no table of this program has such a name; they are not read";
        assert_eq!(config.warnings(), [told]);
        assert!(!config.to_string().contains("lending"), "{config}");
        for (variable, told) in [
            ("ANNALS_SHELV__LABEL", "there is no such key; did you mean shelf.label?"),
            ("ANNALS_SHELF__COLOUR", "there is no such key"),
            ("ANNALS_AUTH__TOKENS_FILE", "authentication is not there yet; leave it out"),
        ] {
            let refused = given_with(&["--data=x"], &[(variable, "a")]).unwrap_err().to_string();
            assert!(refused.ends_with(told), "{refused}");
        }
    }

    #[test]
    fn help_and_version_need_no_values() {
        let help = given(&["--help"]).unwrap().answer().unwrap();
        assert!(help.starts_with("store: Keeps things.") && help.contains("--keep-days N"), "{help}");
        assert!(!help.contains("http.request  ") && !help.contains("Secrets"), "{help}");
        let version = given(&["--version"]).unwrap();
        assert_eq!((version.wanted, version.answer().unwrap().as_str()), (Wanted::Version, "store 1.2.3"));
    }
}
