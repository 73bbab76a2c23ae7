//! Each key by file, variable and flag, and what it changes. A new key fails here until it has a value of its own.

use super::*;

/// A value of each key that is not its default, as text and as the file has it.
const VALUES: [(&str, &str); 23] = [
    ("listen", "0.0.0.0:9000"),
    ("data", "/srv/annals"),
    ("store.url", "http://events:7400"),
    ("store.call", "7s"),
    ("log.retain_age", "365d"),
    ("log.retain_size", "200 GiB"),
    ("log.reserve", "1 GiB"),
    ("log.scrub", "1 MiB/s"),
    ("log.trust_clock", "true"),
    ("read_models.url", "sqlite:models"),
    ("read_models.password_file", "/dev/null"),
    ("read_models.schema", "shop"),
    ("read_models.views", "true"),
    ("read_models.snapshots", "/srv/snapshots"),
    ("http.request", "5s"),
    ("http.body", "64 KiB"),
    ("http.drain", "2s"),
    ("http.shutdown", "3s"),
    ("http.connections", "16"),
    ("http.budget", "32 MiB"),
    ("telemetry.sample", "0.01"),
    ("telemetry.metrics", "false"),
    ("telemetry.log", "json"),
];

#[test]
fn each_key_is_set_by_file_variable_and_flag_in_this_order() {
    assert_eq!(
        VALUES.map(|(key, _)| key).to_vec(),
        help::variables().iter().map(|(key, _)| *key).collect::<Vec<_>>()
    );
    for ((key, value), (_, variable)) in VALUES.into_iter().zip(help::variables()) {
        let bare = matches!(
            key,
            "log.trust_clock"
                | "http.connections"
                | "telemetry.sample"
                | "telemetry.metrics"
                | "read_models.views"
        );
        let shown = if bare { value.to_owned() } else { format!("{value:?}") };
        let file = format!("{key} = {shown}");
        let (flag, pair) = (format!("--{key}"), format!("--{key}={value}"));
        let line = |config: Result<Config, ConfigError>| line_of(&config.unwrap(), key);
        assert_eq!(line(given(&[], &[], &file)), format!("{key} = {shown} # annals.toml"));
        assert_eq!(line(given(&[], &[(&variable, value)], &file)), format!("{key} = {shown} # {variable}"));
        assert_eq!(
            line(given(&[&flag, value], &[(&variable, "?")], "")),
            format!("{key} = {shown} # {flag}")
        );
        assert_eq!(line(given(&[&pair], &[(&variable, "?")], "")), format!("{key} = {shown} # {flag}"));
    }
}

#[test]
fn each_key_of_a_read_model_is_set_by_file_variable_and_flag() {
    for (key, variable) in help::variables_of_model("orders") {
        let (file, pair) = (format!("{key} = 7"), format!("--{key}=7"));
        let line = |config: Result<Config, ConfigError>| line_of(&config.unwrap(), &key);
        assert_eq!(line(given(&[], &[], &file)), format!("{key} = 7 # annals.toml"));
        assert_eq!(line(given(&[], &[(&variable, "7")], &file)), format!("{key} = 7 # {variable}"));
        assert_eq!(line(given(&[&pair], &[(&variable, "?")], "")), format!("{key} = 7 # --{key}"));
        let none = format!("{:?}", ReadModelConfig::default());
        assert_ne!(format!("{:?}", given(&[&pair], &[], "").unwrap().read_model("orders").unwrap()), none);
    }
}

/// All that the parts get.
fn parts_get(config: &Config) -> String {
    let Config { listen, data, store, log, read_models, http, telemetry, .. } = config;
    format!("{:?}", (listen, data, store, log, read_models, http, telemetry))
}

#[test]
fn each_key_changes_what_the_parts_get() {
    let default = parts_get(&given(&[], &[], "").unwrap());
    for (key, value) in VALUES {
        let set = parts_get(&given(&[&format!("--{key}={value}")], &[], "").unwrap());
        assert_ne!(set, default, "{key} = {value} has no effect");
    }
}

#[test]
fn what_is_set_is_what_the_parts_get() {
    let config = VALUES.into_iter().filter(|(key, _)| !key.starts_with("log."));
    let flags: Vec<_> = config.map(|(key, value)| format!("--{key}={value}")).collect();
    let config = given(&flags.iter().map(String::as_str).collect::<Vec<_>>(), &[], "").unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(config.store.url, StoreUrl::Http("http://events:7400".into()));
    assert_eq!(config.store.call_time_max.as_secs(), 7);
    assert_eq!(
        (config.read_models.folder.as_deref(), config.read_models.snapshots.as_path()),
        (Some(Path::new("models")), Path::new("/srv/snapshots"))
    );
    let limits = &config.http.limits;
    assert_eq!((limits.connections_max, limits.body_bytes_max), (16, 64 << 10));
    assert_eq!(
        [limits.request_time_max, limits.shutdown_time_max / 2, config.http.drain].map(|time| time.as_secs()),
        [5, 3, 2]
    );
    assert_eq!(
        (config.telemetry.sample, config.telemetry.metrics, config.telemetry.log),
        (0.01, false, LogForm::Json)
    );
    let log = given(
        &[],
        &[],
        "log = { retain_age = \"365d\", retain_size = \"200 GiB\", reserve = \"1 GiB\", scrub = \"0 B/s\" }",
    );
    let LogConfig { retain_age, retain_bytes, reserve_bytes, scrub_bytes_per_s, .. } = log.unwrap().log;
    assert_eq!(retain_age.unwrap().as_secs(), 365 * 86_400);
    assert_eq!((retain_bytes, reserve_bytes, scrub_bytes_per_s), (Some(200 << 30), 1 << 30, None));
}
