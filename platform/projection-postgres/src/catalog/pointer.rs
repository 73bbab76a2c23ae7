//! The pointer rows: which generation of a slot is live.

use super::{get, signed, unsigned};
use crate::{
    connection::{Binds, Session},
    names::Names,
};
use annals_projection::{
    GenerationId,
    backend::{Change, DatabaseError, Live, Slot},
};
use sqlx::{PgConnection, postgres::PgRow};
use std::ops::DerefMut;
use uuid::Uuid;

const READ: &str =
    "SELECT generation, previous, epoch FROM annals.live WHERE model = $1 AND schema_hash = $2";
const INSERT: &str = "INSERT INTO annals.live (model, schema_hash, generation, previous, epoch)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (model, schema_hash) DO NOTHING";
const UPDATE: &str = "UPDATE annals.live SET generation = $3, previous = $4, epoch = $5, changed_at = now()
    WHERE model = $1 AND schema_hash = $2";
const RETIRE: &str = "UPDATE annals.generation SET state = 'retired', retired_at = now()
    WHERE model = $1 AND schema_hash = $2 AND id = ANY($3) AND state <> 'retired'";

/// What is live in a slot.
pub(crate) async fn live<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    of: &Slot,
) -> Result<Option<Live>, DatabaseError> {
    let row = session.row(names.sql(READ), of_slot(of)).await?;
    row.as_ref().map(pointer).transpose()
}

fn of_slot(of: &Slot) -> Binds {
    Binds::new().and(of.model.as_str()).and(of.schema.as_str())
}

fn pointer(row: &PgRow) -> Result<Live, DatabaseError> {
    Ok(Live {
        generation: GenerationId::from_uuid(get(row, 0)?),
        previous: get::<Option<Uuid>>(row, 1)?.map(GenerationId::from_uuid),
        epoch: unsigned(row, 2)?,
    })
}

/// Changes a pointer and states, within a transaction. [`DatabaseError::Moved`]: nothing was changed.
pub(crate) async fn change<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    change: &Change,
) -> Result<(), DatabaseError> {
    let of = &change.slot;
    let row = session.row(format!("{} FOR UPDATE", names.sql(READ)), of_slot(of)).await?;
    if row.as_ref().map(pointer).transpose()? != change.expect {
        return Err(DatabaseError::Moved);
    }
    if let Some(set) = change.set {
        let sql = if change.expect.is_some() { UPDATE } else { INSERT };
        let binds = of_slot(of)
            .and(*set.generation.as_uuid())
            .and(set.previous.map(|id| *id.as_uuid()))
            .and(signed(set.epoch));
        if session.execute(names.sql(sql), binds).await? == 0 {
            return Err(DatabaseError::Moved);
        }
    }
    if !change.retire.is_empty() {
        let retired: Vec<_> = change.retire.iter().map(|id| *id.as_uuid()).collect();
        session.execute(names.sql(RETIRE), of_slot(of).and(retired)).await?;
    }
    Ok(())
}
