//! Secrets that stand where every user of the machine can read them.

use super::{
    layers::{Leaf, Leaves, Written},
    secret::{shown, shown_toml},
};
use std::{fs::Metadata, os::unix::fs::PermissionsExt};

/// The bit that lets everybody read a file.
const BY_ALL: u32 = 0o004;

/// What to say to whoever has written secrets into a file that everybody can read; `leaves` are what it has.
pub(super) fn warning(file: &str, metadata: &Metadata, leaves: &Leaves) -> Option<String> {
    if metadata.permissions().mode() & BY_ALL == 0 {
        return None;
    }
    let secrets: Vec<_> = leaves.iter().filter(|(key, leaf)| has_secret(key, leaf)).collect();
    let names: Vec<_> = secrets.iter().map(|(key, _)| *key).collect();
    // What is in a list has no key of its own.
    let alone =
        secrets.iter().find(|(_, leaf)| !matches!(leaf.written, Written::Toml(toml::Value::Array(_))));
    let cure = alone.map(|(key, _)| format!("let {key}_file name the file that has it, or "));
    (!secrets.is_empty()).then(|| {
        format!(
            "every user of this machine can read {file}, and it has secrets: {}; {}take the right to read {file} from others",
            names.join(", "),
            cure.unwrap_or_default()
        )
    })
}

fn has_secret(key: &str, Leaf { written, .. }: &Leaf) -> bool {
    match written {
        Written::Text(text) => shown(key, text) != *text,
        Written::Toml(value) => shown_toml(key, value) != *value,
    }
}
