//! What a generation says of itself.

use super::{damaged, format::GENERATION_FORMAT, get, signed, unsigned};
use crate::{
    connection::{Binds, Session},
    names::Names,
};
use annals_event::{LogId, Sequence};
use annals_projection::{
    FoldVersion, GenerationId, SchemaHash, Tally,
    backend::{Advance, DatabaseError, GenerationState, GenerationStatus, Slot, Target},
};
use sqlx::{PgConnection, postgres::PgRow};
use std::ops::DerefMut;
use uuid::Uuid;

/// What [`find`] looks for, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Find<'a> {
    /// Where it belongs.
    pub(crate) slot: &'a Slot,
    /// Which generation.
    pub(crate) target: Target,
    /// Whether its control row is locked until the transaction ends.
    pub(crate) lock: bool,
}

/// A finished generation.
#[derive(Clone, Debug)]
pub(crate) struct Controlled {
    /// Its id.
    pub(crate) id: GenerationId,
    /// What it says of itself.
    pub(crate) status: GenerationStatus,
}

/// The columns of a generation, and where its tables are: plain names are names of its tables from then on.
const COLUMNS: &str = "SELECT g.id, g.state, g.format, g.model, g.schema_hash, n.oid IS NOT NULL,
    set_config('search_path', '\"' || n.nspname || '\"', true),
    c.fold_version, c.filter_hash, c.log_id, c.base_sequence, c.sequence, c.chain, c.epoch,
    c.applied_count, c.applied_sum, c.parked_count, c.parked_sum FROM annals.generation g
    LEFT JOIN pg_namespace n ON n.nspname = $3 || replace(g.id::text, '-', '')";
/// One that is not finished has no control row.
const CONTROL: &str = " LEFT JOIN annals.control c ON c.generation = g.id";
/// The row of an outer join cannot be locked.
const CONTROL_THAT_IS_THERE: &str = " JOIN annals.control c ON c.generation = g.id";
const OF_SLOT: &str = " WHERE g.model = $1 AND g.schema_hash = $2";

/// Finds a generation that was finished, whose format this release reads. In a view's transaction this also fixes the snapshot.
pub(crate) async fn find<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    find: Find<'_>,
) -> Result<Controlled, DatabaseError> {
    let control = if find.lock { CONTROL_THAT_IS_THERE } else { CONTROL };
    let mut sql = format!("{}{}{OF_SLOT}", names.sql(COLUMNS), names.sql(control));
    let mut binds = Binds::new()
        .and(find.slot.model.as_str())
        .and(find.slot.schema.as_str())
        .and(names.generation_prefix());
    match find.target {
        Target::Generation(id) => {
            sql.push_str(" AND g.id = $4");
            binds.push(*id.as_uuid());
        }
        Target::Live => sql.push_str(&names.sql(
            " AND g.id = (SELECT l.generation FROM annals.live l WHERE l.model = $1 AND l.schema_hash = $2)",
        )),
    }
    if find.lock {
        sql.push_str(" FOR UPDATE OF c");
    }
    match (session.row(sql, binds).await?, find.target) {
        (Some(row), _) => controlled(&row),
        (None, Target::Live) => Err(DatabaseError::NoneLive),
        (None, Target::Generation(id)) => Err(none(id)),
    }
}

fn none(id: GenerationId) -> DatabaseError {
    DatabaseError::NoGeneration { id: id.to_string() }
}

fn controlled(row: &PgRow) -> Result<Controlled, DatabaseError> {
    let id = GenerationId::from_uuid(get::<Uuid>(row, 0)?);
    let place = || format!("generation {id}");
    match GenerationState::parse(get(row, 1)?) {
        Some(GenerationState::Creating) => return Err(none(id)),
        Some(_) => {}
        None => return Err(damaged(format!("the state of generation {id} is none"))),
    }
    let found: i64 = get(row, 2)?;
    if found != GENERATION_FORMAT {
        return Err(DatabaseError::Format { place: place(), found, known: GENERATION_FORMAT });
    }
    if !get::<bool>(row, 5)? {
        return Err(DatabaseError::damaged(place(), "its schema was dropped"));
    }
    Ok(Controlled { id, status: status(row)? })
}

fn status(row: &PgRow) -> Result<GenerationStatus, DatabaseError> {
    let fold: i64 = get(row, 7)?;
    let chain: Option<&[u8]> = get(row, 12)?;
    let chain = chain.map(<[u8; 16]>::try_from).transpose();
    Ok(GenerationStatus {
        model: get(row, 3)?,
        schema_hash: SchemaHash::from_text(get(row, 4)?),
        fold_version: FoldVersion::new(u32::try_from(fold).map_err(damaged)?),
        filter_hash: get(row, 8)?,
        log_id: LogId::from_uuid(get(row, 9)?),
        base: Sequence::new(unsigned(row, 10)?),
        checkpoint: Sequence::new(unsigned(row, 11)?),
        chain: chain.map_err(|_| damaged("a chain value has not 16 bytes"))?,
        epoch: unsigned(row, 13)?,
        applied: tally(row, 14)?,
        parked: tally(row, 16)?,
    })
}

fn tally(row: &PgRow, at: usize) -> Result<Tally, DatabaseError> {
    let sum = get::<&[u8]>(row, at + 1)?.try_into().map_err(|_| damaged("a sum has not 16 bytes"))?;
    Ok(Tally { count: unsigned(row, at)?, sum: u128::from_be_bytes(sum) })
}

const INSERT: &str =
    "INSERT INTO annals.control (generation, fold_version, filter_hash, log_id, base_sequence, sequence,
    chain, epoch, applied_count, applied_sum, parked_count, parked_sum)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// Writes the control row of a generation.
pub(crate) async fn insert<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
    status: &GenerationStatus,
) -> Result<(), DatabaseError> {
    let binds = Binds::new()
        .and(*id.as_uuid())
        .and(i64::from(status.fold_version.get()))
        .and(status.filter_hash.as_str())
        .and(*status.log_id.as_uuid())
        .and(signed(status.base.get()))
        .and(signed(status.checkpoint.get()))
        .and(status.chain.as_ref().map(<[u8; 16]>::as_slice))
        .and(signed(status.epoch))
        .and(signed(status.applied.count))
        .and(status.applied.sum.to_be_bytes().as_slice())
        .and(signed(status.parked.count))
        .and(status.parked.sum.to_be_bytes().as_slice());
    session.execute(names.sql(INSERT), binds).await.map(|_| ())
}

const ADVANCE: &str =
    "UPDATE annals.control SET sequence = $4, chain = $5, applied_count = $6, applied_sum = $7
    WHERE generation = $1 AND epoch = $2 AND sequence = $3";

/// Moves the checkpoint, if whoever knows the generation like this still may.
pub(crate) async fn advance<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    mine: &Controlled,
    to: &Advance,
) -> Result<(), DatabaseError> {
    let binds = Binds::new()
        .and(*mine.id.as_uuid())
        .and(signed(mine.status.epoch))
        .and(signed(mine.status.checkpoint.get()))
        .and(signed(to.through.get()))
        .and(to.chain.as_ref().map(<[u8; 16]>::as_slice))
        .and(signed(to.applied.count))
        .and(to.applied.sum.to_be_bytes().as_slice());
    match session.execute(names.sql(ADVANCE), binds).await? {
        0 => Err(fenced(session, names, mine.id).await?),
        _ => Ok(()),
    }
}

const TOUCH: &str =
    "UPDATE annals.control SET epoch = epoch WHERE generation = $1 AND epoch = $2 AND sequence = $3";

/// Writes the control row as it is, so that the commit waits for the disk and for all commits before it.
pub(crate) async fn touch<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    mine: &Controlled,
) -> Result<(), DatabaseError> {
    let binds = Binds::new()
        .and(*mine.id.as_uuid())
        .and(signed(mine.status.epoch))
        .and(signed(mine.status.checkpoint.get()));
    match session.execute(names.sql(TOUCH), binds).await? {
        0 => Err(fenced(session, names, mine.id).await?),
        _ => Ok(()),
    }
}

/// Somebody else has the generation; finds which epoch it has.
async fn fenced<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
) -> Result<DatabaseError, DatabaseError> {
    let read = names.sql("SELECT epoch FROM annals.control WHERE generation = $1");
    let row = session.row(read, Binds::new().and(*id.as_uuid())).await?;
    let found = row.map_or(Ok(0), |row| unsigned(&row, 0))?;
    Ok(DatabaseError::Fenced { found })
}

/// Takes over: whoever wrote until now is fenced. Gives the new epoch.
pub(crate) async fn raise<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    names: &Names,
    id: GenerationId,
) -> Result<u64, DatabaseError> {
    let raise =
        names.sql("UPDATE annals.control SET epoch = epoch + 1 WHERE generation = $1 RETURNING epoch");
    match session.row(raise, Binds::new().and(*id.as_uuid())).await? {
        Some(row) => unsigned(&row, 0),
        None => Err(none(id)),
    }
}
