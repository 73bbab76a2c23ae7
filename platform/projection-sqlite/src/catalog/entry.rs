//! The catalog's list of generations.

use super::{damaged, now_us, parse_id};
use crate::failure::failure;
use annals_projection::{
    DatabaseError, GenerationId,
    backend::{GenerationEntry, GenerationState},
};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use std::time::Duration;

pub(super) async fn set_retired(
    connection: &mut SqliteConnection,
    id: GenerationId,
) -> Result<(), DatabaseError> {
    let retire =
        "UPDATE generation SET state = 'retired', retired_at_us = coalesce(retired_at_us, ?) WHERE id = ?";
    let retire = sqlx::query(retire).bind(now_us()).bind(id.to_string());
    retire.execute(connection).await.map(|_| ()).map_err(failure)
}

pub(super) fn entry(row: &SqliteRow) -> Result<GenerationEntry, DatabaseError> {
    let state: &str = row.try_get(1).map_err(failure)?;
    let age_us = now_us().saturating_sub(row.try_get(3).map_err(failure)?);
    Ok(GenerationEntry {
        id: parse_id(row.try_get(0).map_err(failure)?)?,
        state: GenerationState::parse(state)
            .ok_or_else(|| damaged(format!("a generation is in state {state:?}")))?,
        snapshot: row.try_get(2).map_err(failure)?,
        age: Duration::from_micros(u64::try_from(age_us).unwrap_or(0)),
    })
}
