//! The catalog's list of generations.

use super::{damaged, now_us, parse_id};
use crate::{GenerationError, GenerationId};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use std::{fmt, time::Duration};

/// What a generation is, by the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationState {
    /// Its file may be incomplete.
    Creating,
    /// It can be folded, promoted and read.
    Ready,
    /// Its file goes after a grace period.
    Retired,
}

/// A generation in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GenerationEntry {
    /// Its id.
    pub id: GenerationId,
    /// What it is.
    pub state: GenerationState,
    /// The snapshot that it was restored from.
    pub snapshot: Option<String>,
    /// How long ago it was made, or retired.
    pub age: Duration,
}

impl fmt::Display for GenerationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl GenerationState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Retired => "retired",
        }
    }
    pub(super) fn from_str(text: &str) -> Result<Self, GenerationError> {
        [Self::Creating, Self::Ready, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| damaged(format!("a generation is in state {text:?}")))
    }
}

pub(super) async fn set_retired(
    connection: &mut SqliteConnection,
    id: GenerationId,
) -> Result<(), GenerationError> {
    let retire =
        "UPDATE generation SET state = 'retired', retired_at_us = coalesce(retired_at_us, ?) WHERE id = ?";
    sqlx::query(retire).bind(now_us()).bind(id.to_string()).execute(connection).await?;
    Ok(())
}

pub(super) fn entry(row: &SqliteRow) -> Result<GenerationEntry, GenerationError> {
    let age_us = now_us().saturating_sub(row.try_get(3)?);
    Ok(GenerationEntry {
        id: parse_id(row.try_get(0)?)?,
        state: GenerationState::from_str(row.try_get(1)?)?,
        snapshot: row.try_get(2)?,
        age: Duration::from_micros(u64::try_from(age_us).unwrap_or(0)),
    })
}
