//! Who may read a generation, and who may continue it.

use std::fmt;

/// Which tables a read model has, hashed: who may *read* a generation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaHash(String);

/// Which fold made a generation's rows: who may *continue* it. Raise it with every change of a projection's code
/// that would make other rows from the same events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldVersion(u32);

impl SchemaHash {
    /// The hash as text: 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The hash that is stored as `text`.
    pub const fn from_text(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FoldVersion {
    /// The fold version with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for FoldVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
