//! The pointer row: which generation of a read model is live. There is one for each schema hash.

use super::{Catalog, damaged, entry::set_retired, now_us, parse_id};
use crate::{GenerationError, GenerationId, ReadModel, sqlite::BEGIN_WRITE};
use sqlx::{Row, SqliteConnection};

/// What is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// The generation that readers see.
    pub generation: GenerationId,
    /// The one that was live before, for a rollback.
    pub previous: Option<GenerationId>,
    /// Grows with every change.
    pub epoch: u64,
}

impl Catalog {
    /// Makes `id` live if nothing is. Gives what is live then.
    pub(crate) async fn make_first_live(
        &self,
        model: &ReadModel,
        id: GenerationId,
    ) -> Result<Live, GenerationError> {
        sqlx::query(
            "INSERT INTO live (model, schema_hash, generation, previous, epoch, changed_at_us)
             VALUES (?, ?, ?, NULL, 1, ?) ON CONFLICT DO NOTHING",
        )
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .bind(id.to_string())
        .bind(now_us())
        .execute(&self.pool().await?)
        .await?;
        self.changed();
        self.live(model).await?.ok_or_else(|| damaged("the pointer row is gone".to_owned()))
    }

    /// Makes `to` live instead of what `from` says, which becomes the previous generation; what was the previous one
    /// until then is retired.
    pub(crate) async fn flip(
        &self,
        model: &ReadModel,
        from: Live,
        to: GenerationId,
    ) -> Result<Live, GenerationError> {
        let mut transaction = self.pool().await?.begin_with(BEGIN_WRITE).await?;
        if live(&mut transaction, model).await? != Some(from) {
            return Err(GenerationError::PointerMoved);
        }
        if let Some(oldest) = from.previous.filter(|oldest| *oldest != to) {
            set_retired(&mut transaction, oldest).await?;
        }
        let flipped = Live { generation: to, previous: Some(from.generation), epoch: from.epoch + 1 };
        point(&mut transaction, model, flipped).await?;
        transaction.commit().await?;
        self.changed();
        Ok(flipped)
    }
}

pub(super) async fn live(
    connection: &mut SqliteConnection,
    model: &ReadModel,
) -> Result<Option<Live>, GenerationError> {
    let read = "SELECT generation, previous, epoch FROM live WHERE model = ? AND schema_hash = ?";
    let row = sqlx::query(read)
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let previous: Option<&str> = row.try_get(1)?;
    let epoch = u64::try_from(row.try_get::<i64, _>(2)?).map_err(|e| damaged(e.to_string()))?;
    let previous = previous.map(parse_id).transpose()?;
    Ok(Some(Live { generation: parse_id(row.try_get(0)?)?, previous, epoch }))
}

pub(super) async fn point(
    connection: &mut SqliteConnection,
    model: &ReadModel,
    to: Live,
) -> Result<(), GenerationError> {
    let epoch = i64::try_from(to.epoch).map_err(|e| damaged(e.to_string()))?;
    sqlx::query(
        "UPDATE live SET generation = ?, previous = ?, epoch = ?, changed_at_us = ?
         WHERE model = ? AND schema_hash = ?",
    )
    .bind(to.generation.to_string())
    .bind(to.previous.map(|id| id.to_string()))
    .bind(epoch)
    .bind(now_us())
    .bind(model.name().as_str())
    .bind(model.schema_hash().as_str())
    .execute(connection)
    .await?;
    Ok(())
}
