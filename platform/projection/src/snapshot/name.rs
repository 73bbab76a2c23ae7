use annals_event::Sequence;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// How many digits the sequence number has, so that names sort as sequence numbers do.
const DIGITS: usize = 20;

/// The name of a snapshot: `<sequence number>-<uuid>`. Never anything else, so that it can be part of a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SnapshotName {
    sequence: Sequence,
    id: Uuid,
}

impl SnapshotName {
    /// A new name for a snapshot at `sequence`.
    pub fn generate(sequence: Sequence) -> Self {
        Self { sequence, id: Uuid::now_v7() }
    }
    /// Orders snapshots by when they were taken.
    pub(super) const fn taken(&self) -> Uuid {
        self.id
    }
    /// The sequence number that the snapshot is at.
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$}-{}", self.sequence.get(), self.id)
    }
}

impl fmt::Debug for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<SnapshotName> for String {
    fn from(name: SnapshotName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for SnapshotName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for SnapshotName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (sequence, id) = text.split_once('-')?;
            let name =
                Self { sequence: Sequence::new(sequence.parse().ok()?), id: Uuid::parse_str(id).ok()? };
            (name.to_string() == text).then_some(name)
        };
        parse().ok_or_else(|| format!("{text:?} is not the name of a snapshot"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_was_made_from_and_nothing_that_leaves_a_folder() {
        let name = SnapshotName::generate(Sequence::new(42));
        assert_eq!(name.to_string().parse(), Ok(name));
        assert!(name.to_string().starts_with("00000000000000000042-"));
        for bad in ["", "42", "../x-1", "00000000000000000042-", "42-6ba7b810-9dad-11d1-80b4-00c04fd430c8"] {
            assert!(bad.parse::<SnapshotName>().is_err(), "{bad}");
        }
    }
}
