//! The pointer row: which generation of a read model is live. There is one for each schema hash.

use super::{damaged, now_us, parse_id};
use crate::{
    failure::failure,
    format::{GENERATION, stored_hash},
};
use annals_projection::{
    DatabaseError,
    backend::{Live, Slot},
};
use sqlx::{Row, SqliteConnection};

pub(super) async fn live(
    connection: &mut SqliteConnection,
    of: &Slot,
) -> Result<Option<Live>, DatabaseError> {
    let read =
        sqlx::query("SELECT generation, previous, epoch FROM live WHERE model = ? AND schema_hash = ?");
    let read = read.bind(of.model.as_str()).bind(stored_hash(&of.schema, &GENERATION));
    let Some(row) = read.fetch_optional(connection).await.map_err(failure)? else { return Ok(None) };
    let previous: Option<&str> = row.try_get(1).map_err(failure)?;
    let epoch: i64 = row.try_get(2).map_err(failure)?;
    Ok(Some(Live {
        generation: parse_id(row.try_get(0).map_err(failure)?)?,
        previous: previous.map(parse_id).transpose()?,
        epoch: u64::try_from(epoch).map_err(|error| damaged(error.to_string()))?,
    }))
}

/// Makes the row say so.
pub(super) async fn point(
    connection: &mut SqliteConnection,
    of: &Slot,
    to: Live,
) -> Result<(), DatabaseError> {
    let epoch = i64::try_from(to.epoch).map_err(|error| damaged(error.to_string()))?;
    let point = sqlx::query(
        "INSERT INTO live (model, schema_hash, generation, previous, epoch, changed_at_us) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET generation = excluded.generation, previous = excluded.previous,
             epoch = excluded.epoch, changed_at_us = excluded.changed_at_us",
    );
    let point = point
        .bind(of.model.as_str())
        .bind(stored_hash(&of.schema, &GENERATION))
        .bind(to.generation.to_string())
        .bind(to.previous.map(|id| id.to_string()))
        .bind(epoch)
        .bind(now_us());
    point.execute(connection).await.map(|_| ()).map_err(failure)
}
