//! Where the event store and the read models are, as a URL says it.

use super::{Secret, secret::redacted, sections::HAS_NUL};
use axum::http::Uri;
use std::{fmt, path::PathBuf, str::FromStr};

/// Which event store a service uses. Its text has no password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// The log in the data folder.
    #[default]
    Log,
    /// The store that another process serves, as in `http://127.0.0.1:7400`.
    Http(String),
    /// A store in memory, for tests: gone with the process.
    Memory,
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, _)) = text.split_once(':') else {
            return Err(format!("{text:?} is no URL; {KNOWN_STORES}"));
        };
        match scheme {
            "http" => http(text),
            "memory" if text == "memory:" => Ok(Self::Memory),
            "memory" => Err(format!("{text:?} has a name, and a store in memory has none; write memory:")),
            "https" => Err("https comes with TLS, which is not there yet; use http:".into()),
            "unix" => Err("unix comes with Unix sockets, which are not there yet; use http:".into()),
            _ => Err(format!("no event store has the scheme {scheme:?}; {KNOWN_STORES}")),
        }
    }
}

const KNOWN_STORES: &str = "write http://HOST:PORT for one that is served, memory: for tests, or leave it out for the log in the data folder";

fn http(text: &str) -> Result<StoreUrl, String> {
    let wrong = || format!("{:?} is no address; write http://HOST:PORT", redacted(text));
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    if authority.as_str().contains('@') {
        return Err(format!(
            "{:?} names a user, and authentication is not there yet; leave the user out",
            redacted(text)
        ));
    }
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if !is_bare || authority.host().is_empty() {
        return Err(wrong());
    }
    // What stands between the host and the end: nothing, or a port.
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if !port.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(format!("{}, with a port from 1 to 65535", wrong()));
    }
    Ok(StoreUrl::Http(format!("http://{authority}")))
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("the log in the data folder"),
            Self::Http(url) => f.write_str(&redacted(url)),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

/// Where a service's read models are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogUrl {
    /// SQLite files in `read-models` in the data folder.
    #[default]
    Sqlite,
    /// SQLite files in this folder.
    SqliteIn(PathBuf),
    /// A PostgreSQL database, by its URL, which may have a password in it.
    Postgres(Secret),
}

impl FromStr for CatalogUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match (scheme, rest) {
            ("sqlite", "") => Ok(Self::Sqlite),
            ("sqlite", folder) if folder.contains('\0') => Err(HAS_NUL.into()),
            ("sqlite", folder) => Ok(Self::SqliteIn(folder.strip_prefix("//").unwrap_or(folder).into())),
            ("postgres" | "postgresql", rest) => postgres(text, rest),
            _ => Err(format!(
                "no database has the scheme {scheme:?}; write sqlite, sqlite:FOLDER or postgres://USER@HOST/DATABASE"
            )),
        }
    }
}

fn postgres(text: &str, rest: &str) -> Result<CatalogUrl, String> {
    if !cfg!(feature = "postgres") {
        let needs = "PostgreSQL needs a program that is built with the feature \"postgres\" of the crate annals; build it so, or write sqlite";
        return Err(needs.into());
    }
    let wrong = || format!("{:?} is no address; write postgres://USER@HOST/DATABASE", redacted(text));
    match rest.strip_prefix("//").filter(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace)) {
        Some(_) => Ok(CatalogUrl::Postgres(Secret::new(text))),
        None => Err(wrong()),
    }
}
