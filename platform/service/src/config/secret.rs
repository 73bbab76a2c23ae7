//! What must not be shown: secrets, and passwords in the middle of other text.

use serde::{Deserialize, Deserializer};
use std::fmt;
use toml::Value;

/// What stands where a secret is not shown.
const HIDDEN: &str = "***";
/// A name that has one of these among its words, or several of them as in `keys`, is a secret's.
const SECRET_WORDS: [&str; 6] = ["key", "pass", "pwd", "pw", "pin", "auth"];
/// A name that has one of these in it, whatever is around it, is a secret's.
const SECRET_PARTS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "accountkey",
];
/// By this name a [`Secret`] makes itself known to the configuration's deserializer.
pub(super) const SECRET_TYPE: &str = "annals::Secret";

/// A password, a token or a key in a service's own settings. It cannot be printed.
///
/// Its value comes from a file, with `mail.password_file = "/run/secrets/mail"` for a field `password`, from the environment, or
/// from the configuration file, but never from a flag, which every user of the machine can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of the program's own making, as in a test.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for whoever has to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "annals::Secret")]
        struct Text(String);
        Text::deserialize(deserializer).map(|Text(secret)| Self(secret))
    }
}

/// Whether a key of this name holds a secret: any part of it says so, unless it names a file. The platform's own keys hold none.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_file = key.ends_with("_file");
    let is_word =
        |word: &str| SECRET_WORDS.iter().any(|secret| matches!(word.strip_prefix(secret), Some("" | "s")));
    let has_word = || key.split(|c: char| !c.is_alphanumeric()).any(is_word);
    let has_part = || SECRET_PARTS.iter().any(|part| key.contains(part));
    !is_file && !key.starts_with("read_model.") && (has_word() || has_part())
}

/// The value of `key`, for people: as it is but for secrets.
pub(super) fn shown(key: &str, value: &str) -> String {
    if is_secret(key) { HIDDEN.to_owned() } else { redacted(value) }
}

/// The same of a value of the file: what is in its lists and tables is a secret, or is none, by its own name.
pub(super) fn shown_toml(key: &str, value: &Value) -> Value {
    match value {
        Value::Table(table) => {
            let below = |(name, value): (&String, &Value)| {
                (name.clone(), shown_toml(&format!("{key}.{name}"), value))
            };
            Value::Table(table.iter().map(below).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(|value| shown_toml(key, value)).collect()),
        Value::String(text) => Value::String(shown(key, text)),
        _ if is_secret(key) => Value::String(HIDDEN.to_owned()),
        other => other.clone(),
    }
}

/// The text without passwords: `postgres://shop:***@db`, `https://***@host`, `?password=***`, `host=db password=***`.
pub(crate) fn redacted(text: &str) -> String {
    let words = text.split_inclusive(ends_word);
    let words: String = words.map(|word| without_query_secret(&without_password(word))).collect();
    without_named_secrets(&words)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '`' | '\'' | '<' | '>')
}

/// Of an address of HTTP nothing before the at sign is told, since a token may stand there as the user; of another, nothing
/// between the first colon of its authority and its last at sign.
fn without_password(word: &str) -> String {
    let hidden = || {
        let (before, host) = word.rsplit_once('@')?;
        let authority = before.find("://").map_or(0, |scheme| scheme + "://".len());
        let (scheme, user) = before.split_at_checked(authority)?;
        let is_http = scheme.ends_with("http://") || scheme.ends_with("https://");
        if is_http && !user.contains(['/', '?', '#']) {
            return Some(format!("{scheme}{HIDDEN}@{host}"));
        }
        let (user, _) = user.split_once(':')?;
        Some(format!("{scheme}{user}:{HIDDEN}@{host}"))
    };
    hidden().unwrap_or_else(|| word.to_owned())
}

fn without_query_secret(word: &str) -> String {
    let Some((address, query)) = word.split_once('?') else { return word.to_owned() };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(hide).collect();
    format!("{address}?{}", query.join("&"))
}

/// Hides what stands after a secret's name and an equals sign, as in `host=db password=..` and `Server=db;Pwd=..`.
fn without_named_secrets(text: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('=') {
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = before.trim_end().rsplit(|c| !is_of_name(c)).next().unwrap_or_default();
        told.push_str(before);
        told.push('=');
        rest = after;
        if is_secret(name) {
            let value = after.trim_start();
            told.push_str(after.strip_suffix(value).unwrap_or_default());
            told.push_str(HIDDEN);
            rest = value.get(end_of_value(value)..).unwrap_or_default();
        }
    }
    told + rest
}

/// Where a value ends that stands after an equals sign: in quotes with the same quote, else before what parts it from the next.
fn end_of_value(value: &str) -> usize {
    let quoted = value.starts_with(['"', '\'']).then(|| {
        let (quote, inner) = value.split_at_checked(1)?;
        inner.find(quote).map(|end| end + 2)
    });
    let bare = || value.find(|c| ends_word(c) || matches!(c, ';' | '&'));
    quoted.unwrap_or_else(bare).unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_hidden_wherever_it_stands() {
        for (text, told) in [
            ("postgres://shop:hunter2@db/shop", "postgres://shop:***@db/shop"),
            ("postgres://shop:hunt/er@2@db/shop", "postgres://shop:***@db/shop"),
            ("postgres:/shop:hunter2@db", "postgres:***@db"),
            ("cannot use `http://a:b@c:1/d` now", "cannot use `http://***@c:1/d` now"),
            ("https://hunter2@sentry.example/7", "https://***@sentry.example/7"),
            ("https://hunter2:@api.example", "https://***@api.example"),
            ("http://db:80/a?to=ann@b.org", "http://db:***@b.org"),
            ("http://db/a?to=ann@b.org", "http://db/a?to=ann@b.org"),
            ("postgres://db/shop?password=hunter2&x=1", "postgres://db/shop?password=***&x=1"),
            ("postgres://shop@db:80/a", "postgres://shop@db:80/a"),
            ("host=db password=hunter2 user=shop", "host=db password=*** user=shop"),
            ("host=db password = 'hunter 2' user=shop", "host=db password = *** user=shop"),
            ("host=db password='hunter 2", "host=db password=***"),
            ("Server=db;Pwd=hunter2;Database=shop", "Server=db;Pwd=***;Database=shop"),
            ("AccountName=shop;AccountKey=aHVudGVyMg==;Tls=1", "AccountName=shop;AccountKey=***;Tls=1"),
            ("a == b, c=", "a == b, c="),
            ("12:30 by the clock", "12:30 by the clock"),
        ] {
            assert_eq!(redacted(text), told);
        }
    }

    #[test]
    fn a_secret_is_neither_printed_nor_told_by_its_name() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
        for name in
            ["api_key", "apikey", "apiKey", "pass", "pwd", "pin", "passphrase", "credentials.user", "AUTH"]
        {
            assert_eq!(shown(&format!("mail.{name}"), "hunter2"), "***", "{name}");
        }
        assert_eq!(shown("mail.password_file", "/run/secrets/mail"), "/run/secrets/mail");
        assert_eq!(shown("mail.keyboard", "qwerty"), "qwerty");
        assert_eq!(shown("read_model.tokens.snapshot_every", "7"), "7");
    }
}
