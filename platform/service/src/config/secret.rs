//! What must not be shown: secrets, and passwords in the middle of other text.

use serde::{Deserialize, Deserializer};
use std::fmt;

/// What stands where a secret is not shown.
const HIDDEN: &str = "***";
/// A name that has one of these among its words is a secret's.
const SECRET_WORDS: [&str; 7] = ["password", "passwd", "secret", "token", "key", "credential", "credentials"];
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

/// Whether a key of this name holds a secret: one of its last part's words says so.
pub(super) fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    let is_file = last.ends_with("_file");
    !is_file && last.split(['_', '-']).any(|word| SECRET_WORDS.contains(&word))
}

/// The value of `key`, for people: as it is but for secrets.
pub(super) fn shown(key: &str, value: &str) -> String {
    if is_secret(key) { HIDDEN.to_owned() } else { redacted(value) }
}

/// The text without passwords: `postgres://shop:***@db`, `?password=***`.
pub(crate) fn redacted(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '`' | '\'' | '<' | '>');
    let words = text.split_inclusive(ends);
    words.map(|word| without_query_secret(&without_password(word))).collect()
}

/// Whatever stands between the first colon of an authority and its last at sign.
fn without_password(word: &str) -> String {
    let hidden = || {
        let (before, host) = word.rsplit_once('@')?;
        let authority = before.find("://").map_or(0, |scheme| scheme + "://".len());
        let (scheme, user) = before.split_at_checked(authority)?;
        let (user, _) = user.split_once(':')?;
        Some(format!("{scheme}{user}:{HIDDEN}@{host}"))
    };
    hidden().unwrap_or_else(|| word.to_owned())
}

fn without_query_secret(word: &str) -> String {
    let Some((address, query)) = word.split_once('?') else { return word.to_owned() };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(&name.to_ascii_lowercase()) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(hide).collect();
    format!("{address}?{}", query.join("&"))
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
            ("cannot use `http://a:b@c:1/d` now", "cannot use `http://a:***@c:1/d` now"),
            ("postgres://db/shop?password=hunter2&x=1", "postgres://db/shop?password=***&x=1"),
            ("http://shop@db:80/a", "http://shop@db:80/a"),
            ("12:30 by the clock", "12:30 by the clock"),
        ] {
            assert_eq!(redacted(text), told);
        }
    }

    #[test]
    fn a_secret_is_neither_printed_nor_told_by_its_name() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
        assert_eq!(shown("mail.api_key", "hunter2"), "***");
        assert_eq!(shown("mail.password_file", "/run/secrets/mail"), "/run/secrets/mail");
        assert_eq!(shown("mail.keyboard", "qwerty"), "qwerty");
    }
}
