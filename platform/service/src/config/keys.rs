//! All keys of the platform: what `--help` tells, what a misspelt one is compared with, and the defaults.

/// A key of the platform.
pub(super) struct Key {
    /// With its table, as in `http.request`.
    pub(super) name: &'static str,
    /// What holds when nobody sets it; `None`: what `help` says.
    pub(super) default: Option<&'static str>,
    /// One line.
    pub(super) help: &'static str,
}

/// A key with a default value.
const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default: Some(default), help }
}

/// A key that need not have a value.
const fn may(name: &'static str, help: &'static str) -> Key {
    Key { name, default: None, help }
}

/// Every key but those of single read models.
pub(super) const KEYS: &[Key] = &[
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
    may("log.retain_age", "events that are older may be dropped, such as 365d; not set: all are kept"),
    may(
        "log.retain_size",
        "the oldest events may be dropped above it, such as 200 GiB; not set: all are kept",
    ),
    key("log.reserve", "16 MiB", "how much of the disk appends leave free; 0 B: they go on until it is full"),
    key("log.scrub", "4 MiB/s", "how fast stored events are verified in the background; 0 B/s: they are not"),
    key(
        "read_models.url",
        "sqlite",
        "where read models are: sqlite is data/read-models, sqlite:FOLDER another folder",
    ),
    may("read_models.snapshots", "the folder for their snapshots; not set: data/snapshots"),
    key("http.request", "30s", "how long a request may take"),
    key("http.body", "1 MiB", "the largest body of a request"),
    may(
        "http.drain",
        "how long to go on taking requests once told to stop; not set: 0s on loopback, else 5s",
    ),
    key("http.shutdown", "10s", "how long requests under way may take once no more are taken"),
    key("http.connections", "1024", "connections at once; more wait"),
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
    ("read_models.password_file", "PostgreSQL is"),
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

/// The default of a key that has one.
pub(super) fn default_of(name: &str) -> Option<&'static str> {
    KEYS.iter().find(|key| key.name == name)?.default
}

/// The environment variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("ANNALS_{}", key.replace('.', "__").to_ascii_uppercase())
}
