//! What the event store can be told.

use crate::Limits;
use annals_service::{
    Config, ConfigError, HttpLimits,
    config::{Flag, Key, Keys, Takes},
};
use serde::{Deserialize, Deserializer, de::Error};
use std::{num::NonZeroUsize, path::PathBuf};
use tokio::sync::Semaphore;

/// Its name.
pub const NAME: &str = "annals-event-store";

/// Its keys. Those of the log are a service's own log's, too.
pub const KEYS: Keys = Keys {
    about: "Serves the shared log. Services append and read events over gRPC (annals.v1.EventStore). On the same port, HTTP has\n\
        /health, /metrics, /v1/head and /v1/stats for operators, and POST {} to /v1/backup makes a backup.\n\n\
        When the server is ready, it prints its address on standard output; everything else goes to standard error. Ctrl-C or\n\
        SIGTERM shuts it down within 10 seconds: requests under way are answered, and the log is closed. However the process\n\
        ends, no append that was answered is lost. data is the log's own folder, which is made if it is not there.\n\n\
        There is no authentication yet: anyone who can connect to the port can read and write the log.\n\n\
        annals-event-store verify --data DIR             reads and verifies everything, changes nothing\n\
        annals-event-store backup --data DIR --to NEW    copies the log to a new folder and verifies the copy",
    version: Some(env!("CARGO_PKG_VERSION")),
    platform: &["listen", "data", "log", "http", "telemetry"],
    defaults: &[
        ("listen", Some("127.0.0.1:7400")),
        ("data", None),
        ("http.body", Some("16 KiB")),
        ("http.drain", Some("0s")),
        ("http.shutdown", Some("5s")),
    ],
    own: &[
        Key::optional(
            "event_store.backups",
            "the folder for backups, outside of the log's; not set: none are made",
        ),
        Key::new(
            "event_store.serve_damaged",
            "false",
            "serve a damaged log below its damage, for reading only",
        ),
        Key::new("event_store.subscriptions", "512", "subscriptions at once; more are refused"),
    ],
    flags: &[
        flag("--backups", "event_store.backups", Takes::Value),
        flag("--serve-damaged", "event_store.serve_damaged", Takes::Nothing),
        flag("--subscriptions-max", "event_store.subscriptions", Takes::Value),
        flag("--trust-clock", "log.trust_clock", Takes::Nothing),
        flag("--retain-days", "log.retain_age", Takes::Number("d")),
        flag("--retain-bytes", "log.retain_size", Takes::Number(" B")),
        flag("--reserve-bytes", "log.reserve", Takes::Number(" B")),
        flag("--scrub-mib-per-s", "log.scrub", Takes::Number(" MiB/s")),
        flag("--connections-max", "http.connections", Takes::Value),
        flag("--request-ms-max", "http.request", Takes::Number("ms")),
        flag("--budget-bytes", "http.budget", Takes::Number(" B")),
    ],
    settings: false,
};

const fn flag(name: &'static str, key: &'static str, takes: Takes) -> Flag {
    Flag { name, key, takes }
}

/// The table `event_store`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// The folder for backups; `None`: none are made.
    pub backups: Option<PathBuf>,
    /// Whether a damaged log is served below its damage, for reading only.
    pub serve_damaged: bool,
    /// Subscriptions at once.
    #[serde(deserialize_with = "permits")]
    pub subscriptions: NonZeroUsize,
}

/// How many may be at once.
fn permits<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroUsize, D::Error> {
    let (permits, most) = (usize::deserialize(from)?, Semaphore::MAX_PERMITS);
    let counted = NonZeroUsize::new(permits).filter(|permits| permits.get() <= most);
    counted.ok_or_else(|| {
        D::Error::custom(format!("{permits} cannot be counted; write a number from 1 to {most}"))
    })
}

impl Settings {
    /// What `config` says.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        config.settings("event_store")
    }

    /// How much, how long, how many at once.
    pub fn limits(&self, config: &Config) -> Limits {
        let message_bytes_max = Limits::default().http.message_bytes_max;
        let http = HttpLimits { message_bytes_max, ..config.http.limits.clone() };
        Limits { http, subscriptions_max: self.subscriptions.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_librarys() {
        let config = Config::of_program(NAME, &KEYS, ["--data=x".into()]).unwrap();
        let settings = Settings::of(&config).unwrap();
        let limits = settings.limits(&config);
        assert_eq!(limits.subscriptions_max, Limits::SUBSCRIPTIONS_MAX_DEFAULT);
        assert_eq!(limits.http, Limits::default().http);
        assert!(settings.backups.is_none() && !settings.serve_damaged);
    }

    #[test]
    fn more_or_fewer_subscriptions_than_can_be_counted_are_refused() {
        let most = Semaphore::MAX_PERMITS;
        for count in [0, most + 1, usize::MAX] {
            let flags = ["--data=x".to_owned(), format!("--subscriptions-max={count}")].map(Into::into);
            let told =
                Settings::of(&Config::of_program(NAME, &KEYS, flags).unwrap()).unwrap_err().to_string();
            let reason = format!("{count} cannot be counted; write a number from 1 to {most}");
            assert_eq!(told, format!("event_store.subscriptions (from --subscriptions-max): {reason}"));
        }
    }
}
