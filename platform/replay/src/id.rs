use annals_projection::GenerationId;
use serde::Serialize;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Which replay. Later ones have greater ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ReplayId(Uuid);

impl ReplayId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The generation that the replay builds.
    pub const fn candidate(self) -> GenerationId {
        GenerationId::from_uuid(self.0)
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReplayId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}
