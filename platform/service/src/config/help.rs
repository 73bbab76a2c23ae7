//! What people read: `--help`, and the effective configuration.

use super::{
    Config,
    keys::{Flag, Key, Keys, MODEL_KEYS, Takes},
    layers::{Leaf, Origin, Written},
    secret::{shown, shown_toml},
    sections::DRAIN_DEFAULT,
    units,
};
use std::fmt::{self, Write};

/// Most columns that a line's first part takes.
const COLUMNS: usize = 34;

/// The text of `--help`.
pub(super) fn help(name: &str, keys: &Keys) -> String {
    let mut text = format!(
        "{name}: {about}\n\n\
         Usage: {name} [--KEY VALUE]...\n\n\
         Each key is a flag (--http.request 5s), a variable (ANNALS_HTTP__REQUEST) and a key of annals.toml (http.request = \"5s\").\n\
         A flag wins over a variable, a variable over the file, the file over the default.\n\n",
        about = keys.about
    );
    let mut row = |left: &str, right: &str| {
        let _ = writeln!(text, "  {left:<COLUMNS$} {right}");
    };
    row("--config FILE", "the file to read instead of annals.toml; ANNALS_CONFIG");
    row("--check", "read it all, try every address, start nothing");
    row("--print-config", "print the effective configuration: each key, and where it is from");
    row("--help", "this");
    row("", "");
    for key in keys.all() {
        row(&flag_of(&key), &told(&key));
    }
    if keys.has_models() {
        for key in MODEL_KEYS {
            row(&format!("--read_model.NAME.{}", key.name), &told(key));
        }
    }
    if keys.settings {
        row("--TABLE.KEY", "a setting of the service's own");
    }
    for Flag { name, key, takes } in keys.flags {
        match takes {
            Takes::Value => row(&format!("{name} VALUE"), &format!("--{key} VALUE")),
            Takes::Number(unit) => row(&format!("{name} N"), &format!("--{key} N{unit}")),
            Takes::Nothing => row(name, &format!("--{key} true")),
        }
    }
    text.push_str(&end(keys));
    text
}

/// Who may do what in a service.
const OPEN: &str = "Authentication is not there yet: whoever reaches the port can also start, promote and retire replays\n\
                    (/_annals/v1/replays).\n";

/// What is the same for all keys.
fn end(keys: &Keys) -> String {
    let short: Vec<_> = [("data", "data"), ("listen", "listen"), ("store", "store.url")]
        .into_iter()
        .filter(|(_, name)| keys.all().any(|key| key.name == *name))
        .map(|(short, name)| format!("ANNALS_{} (--{short}) is {name}", short.to_ascii_uppercase()))
        .collect();
    let secrets = "Secrets: MY.password_file names the file that has it, or ANNALS_MY__PASSWORD; never a flag. A key whose\n\
                   name says that it is one (password, token, key, pin, ..) is not printed.\n";
    format!(
        "\nShort: {short}.\n\
         {secrets}\
         Variables that Kubernetes sets for a Service are not read: those without __ that end with _PORT, _SERVICE_HOST or\n\
         _SERVICE_PORT, or have _PORT_ in them. Nor are those of a table that the program does not have, if it is not written much\n\
         like one that it has: a warning names them.\n\
         {stopping}\
         {open}\
         As everywhere: RUST_LOG (log lines), OTEL_EXPORTER_OTLP_ENDPOINT (where spans and metrics go),\n\
         OTEL_METRICS_EXPORTER=none (spans alone), OTEL_METRIC_EXPORT_INTERVAL, OTEL_SERVICE_NAME.\n\n\
         Exit codes: 0 stopped in order, 1 a part ended for good, 2 configuration, 3 the store or the read models cannot be\n\
         opened or are damaged, 4 address in use, 5 data folder held by another process, 130 a second signal.\n",
        short = short.join(", "),
        secrets = if keys.settings { secrets } else { "" },
        stopping = stopping(keys),
        open = if keys.has_models() { OPEN } else { "" },
    )
}

/// How long an end takes, beside those who do not wait for it.
fn stopping(keys: &Keys) -> String {
    let by_default = |key| keys.default_of(key).and_then(|text| units::duration(text).ok());
    let shutdown = by_default("http.shutdown").unwrap_or_default().saturating_mul(2);
    let drain = by_default("http.drain");
    let all = shutdown.saturating_add(drain.unwrap_or(DRAIN_DEFAULT));
    let loopback = if drain.is_none() { format!(", {shutdown:?} on loopback") } else { String::new() };
    format!(
        "Told to stop, it goes on taking requests for http.drain, and ends within twice http.shutdown after that: by default\n\
         {all:?} in all{loopback}. Kubernetes kills after 30s (terminationGracePeriodSeconds), docker stop after 10s (--time).\n"
    )
}

fn flag_of(key: &Key) -> String {
    format!("--{}", key.name)
}

fn told(key: &Key) -> String {
    match key.default {
        Some(default) => format!("{} [{default}]", key.help),
        None => key.help.to_owned(),
    }
}

/// The effective configuration, as a file that sets it, but for secrets.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.leaves.keys;
        for key in keys.all() {
            match self.leaves.text(key.name) {
                Ok(Some((text, origin))) => line(f, key.name, &in_toml(key.name, &text), &origin)?,
                _ if key.name == "http.drain" => {
                    // Its default depends on where the program listens.
                    line(f, key.name, &format!("\"{}s\"", self.http.drain.as_secs()), &Origin::Default)?;
                }
                _ => writeln!(f, "# {} ({})", key.name, key.help)?,
            }
        }
        let rest = self.leaves.iter().filter(|(key, _)| keys.all().all(|known| known.name != *key));
        for (key, Leaf { written, origin }) in rest {
            let value = match written {
                Written::Text(text) if key.starts_with("read_model.") => in_toml(key, text),
                Written::Text(text) => toml::Value::String(shown(key, text)).to_string(),
                Written::Toml(value) => shown_toml(key, value).to_string(),
            };
            line(f, key, &value, origin)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, key: &str, value: &str, origin: &Origin) -> fmt::Result {
    let pair = format!("{key} = {value}");
    writeln!(f, "{pair:<COLUMNS$} # {origin}")
}

/// A platform's value as the file has it: numbers and switches that read as they are written without quotes, all else with them.
fn in_toml(key: &str, text: &str) -> String {
    let shown = shown(key, text);
    let is_whole = shown.parse::<i64>().is_ok_and(|number| number.to_string() == shown);
    let is_share =
        || shown.contains('.') && shown.parse::<f64>().is_ok_and(|number| number.to_string() == shown);
    let is_bare = is_whole || is_share() || matches!(text, "true" | "false");
    if is_bare { shown } else { toml::Value::String(shown).to_string() }
}

/// Every key with its variable: what the tests go through.
#[cfg(test)]
pub(super) fn variables() -> Vec<(&'static str, String)> {
    super::keys::SERVICE.all().map(|key| (key.name, super::keys::variable_of(key.name))).collect()
}

/// The same of the read model `model`.
#[cfg(test)]
pub(super) fn variables_of_model(model: &str) -> Vec<(String, String)> {
    let names = MODEL_KEYS.iter().map(|key| format!("read_model.{model}.{}", key.name));
    names.map(|name| (name.clone(), super::keys::variable_of(&name))).collect()
}
