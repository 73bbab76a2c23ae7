//! Secrets that stand where every user of the machine can read them.

use super::{
    layers::{Leaf, Leaves, Written},
    secret::{is_secret, redacted},
};
use std::{fs::Metadata, os::unix::fs::PermissionsExt};

/// The bit that lets everybody read a file.
const BY_ALL: u32 = 0o004;

/// What to say to whoever has written secrets into a file that everybody can read; `leaves` are what it has.
pub(super) fn warning(file: &str, metadata: &Metadata, leaves: &Leaves) -> Option<String> {
    if metadata.permissions().mode() & BY_ALL == 0 {
        return None;
    }
    let secrets: Vec<_> =
        leaves.iter().filter(|(key, leaf)| has_secret(key, leaf)).map(|(key, _)| key).collect();
    let first = secrets.first()?;
    Some(format!(
        "every user of this machine can read {file}, and it has secrets: {}; let {first}_file name the file that has it, \
         or take the right to read {file} from others",
        secrets.join(", ")
    ))
}

fn has_secret(key: &str, Leaf { written, .. }: &Leaf) -> bool {
    let has_password = |text: &str| redacted(text) != text;
    match written {
        Written::Text(text) | Written::Toml(toml::Value::String(text)) => {
            is_secret(key) || has_password(text)
        }
        // A list of secrets, or of addresses.
        Written::Toml(value @ toml::Value::Array(_)) => is_secret(key) || has_password(&value.to_string()),
        Written::Toml(_) => false,
    }
}
