use super::{layers::Origin, secret::redacted};
use std::{fmt, io, path::PathBuf};

/// What is wrong with a configuration, said to whoever wrote it. No secret and no password is in its text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read: the configuration itself, or one that it names.
    #[error("{what}: cannot read {}: {cause}", path.display())]
    File {
        /// Who names it.
        what: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The configuration file is no TOML.
    #[error("{file}, line {line}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A key has a value that it cannot have.
    #[error("{key} (from {origin}): {reason}")]
    Value {
        /// The key.
        key: String,
        /// Where its value is from.
        origin: Origin,
        /// What is wrong with it, and what to write.
        reason: String,
    },
    /// Nobody takes a key.
    #[error("{key} (from {origin}): there is no such key{}", Nearest(nearest))]
    Unknown {
        /// The key.
        key: String,
        /// Where it is from.
        origin: Origin,
        /// The key that was meant, perhaps.
        nearest: Option<String>,
    },
    /// A key that a later release will have.
    #[error("{key} (from {origin}): {what} not there yet; leave it out")]
    NotYet {
        /// The key.
        key: String,
        /// Where it is from.
        origin: Origin,
        /// What it needs.
        what: &'static str,
    },
    /// A key without a value that must have one.
    #[error("{key} is missing; set it in annals.toml, as {variable} or as --{key}")]
    Missing {
        /// The key.
        key: String,
        /// Its variable.
        variable: String,
    },
    /// The command line is no list of flags.
    #[error("{argument}: {reason}; --help tells them all")]
    Argument {
        /// The argument.
        argument: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ConfigError {
    pub(super) fn value(key: &str, origin: &Origin, reason: impl AsRef<str>) -> Self {
        Self::Value { key: key.to_owned(), origin: origin.clone(), reason: redacted(reason.as_ref()) }
    }

    pub(super) fn argument(argument: &str, reason: impl Into<String>) -> Self {
        Self::Argument { argument: redacted(argument), reason: reason.into() }
    }
}

/// The end of a sentence about something unknown.
pub(super) struct Nearest<'a>(pub(super) &'a Option<String>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |nearest| write!(f, "; did you mean {nearest}?"))
    }
}

/// Whether `name` is one of `known` but for a slip: stricter than [`nearest`], since names of other programs are judged by it, and short
/// names are near each other by chance (`loan` and `log`).
pub(super) fn is_slip<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> bool {
    let slips = 1.max(name.chars().count() / 4);
    known.into_iter().any(|known| strsim::damerau_levenshtein(name, known) <= slips)
}

/// The one of `known` that is written most like `name`, if any is.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let distances = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    let last = name.rsplit('.').next().unwrap_or(name);
    let near = distance <= 2.max(last.chars().count() / 3);
    near.then(|| nearest.to_owned())
}
