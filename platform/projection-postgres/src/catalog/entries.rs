//! The list of generations.

use super::{damaged, format::GENERATION_FORMAT, get};
use crate::{
    connection::{Binds, Session},
    names::Names,
};
use annals_projection::{
    GenerationId,
    backend::{DatabaseError, GenerationEntry, GenerationSpec, GenerationState, Purpose, Slot, quoted},
};
use sqlx::{PgConnection, postgres::PgRow};
use std::{ops::DerefMut, time::Duration};
use uuid::Uuid;

const LIST: &str = "SELECT id, state, snapshot,
    (1000000 * extract(epoch FROM now() - coalesce(retired_at, created_at)))::bigint FROM annals.generation
    WHERE model = $1 AND schema_hash = $2 AND NOT scratch ORDER BY id";

/// Every generation of a slot, oldest first; no scratch ones.
pub(crate) async fn generations<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    of: &Slot,
) -> Result<Vec<GenerationEntry>, DatabaseError> {
    let rows = session.rows(names.sql(LIST), of_slot(of)).await?;
    rows.iter().map(entry).collect()
}

fn of_slot(of: &Slot) -> Binds {
    Binds::new().and(of.model.as_str()).and(of.schema.as_str())
}

fn entry(row: &PgRow) -> Result<GenerationEntry, DatabaseError> {
    let age_us: i64 = get(row, 3)?;
    Ok(GenerationEntry {
        id: GenerationId::from_uuid(get::<Uuid>(row, 0)?),
        state: parse(get(row, 1)?)?,
        snapshot: get(row, 2)?,
        age: Duration::from_micros(u64::try_from(age_us).unwrap_or(0)),
    })
}

fn parse(text: &str) -> Result<GenerationState, DatabaseError> {
    GenerationState::parse(text).ok_or_else(|| damaged(format!("a generation is in state {text:?}")))
}

/// The state of a generation; `None`: there is none.
pub(crate) async fn state<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    of: &Slot,
    id: GenerationId,
) -> Result<Option<GenerationState>, DatabaseError> {
    let read =
        names.sql("SELECT state FROM annals.generation WHERE model = $1 AND schema_hash = $2 AND id = $3");
    let row = session.row(read, of_slot(of).and(*id.as_uuid())).await?;
    row.map(|row| parse(get(&row, 0)?)).transpose()
}

const BEGIN: &str =
    "INSERT INTO annals.generation (id, model, schema_hash, fold_version, state, scratch, snapshot, format)
    VALUES ($3, $1, $2, $4, 'creating', $5, $6, $7) ON CONFLICT (id) DO NOTHING";

/// Lists a generation that is about to be made. One that is listed already stays as it is.
pub(crate) async fn begin<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    spec: &GenerationSpec,
) -> Result<(), DatabaseError> {
    let binds = of_slot(&spec.slot)
        .and(*spec.id.as_uuid())
        .and(i64::from(spec.status.fold_version.get()))
        .and(spec.purpose == Purpose::Scratch)
        .and(spec.snapshot.as_deref())
        .and(GENERATION_FORMAT);
    session.execute(names.sql(BEGIN), binds).await.map(|_| ())
}

/// The number of a generation.
pub(crate) async fn number<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
) -> Result<i32, DatabaseError> {
    let read = names.sql("SELECT number FROM annals.generation WHERE id = $1");
    let row = session.row(read, Binds::new().and(*id.as_uuid())).await?;
    let row = row.ok_or_else(|| DatabaseError::NoGeneration { id: id.to_string() })?;
    get(&row, 0)
}

/// Says that a generation is complete. `false`: another attempt was faster, or it was retired or removed meanwhile.
pub(crate) async fn finish<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
) -> Result<bool, DatabaseError> {
    let ready =
        names.sql("UPDATE annals.generation SET state = 'ready' WHERE id = $1 AND state = 'creating'");
    Ok(session.execute(ready, Binds::new().and(*id.as_uuid())).await? == 1)
}

/// Drops a generation's schema, and then its entry. One that is not there is removed already.
pub(crate) async fn remove<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
) -> Result<(), DatabaseError> {
    // The entry first: whoever makes the generation waits for this row, and then finds that it is gone.
    let delete = names.sql("DELETE FROM annals.generation WHERE id = $1");
    session.execute(delete, Binds::new().and(*id.as_uuid())).await.map_err(|error| match error {
        // It is the live one, or the previous one.
        DatabaseError::Data { reason } => DatabaseError::Denied { reason },
        other => other,
    })?;
    session.script(format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(&names.generation(id)))).await
}

/// Scratch generations that are older than a day: whoever made them is gone.
pub(crate) async fn stale_scratch<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
) -> Result<Vec<GenerationId>, DatabaseError> {
    let read = "SELECT id FROM annals.generation WHERE scratch AND created_at < now() - interval '1 day'";
    let rows = session.rows(names.sql(read), Binds::new()).await?;
    rows.iter().map(|row| Ok(GenerationId::from_uuid(get::<Uuid>(row, 0)?))).collect()
}
