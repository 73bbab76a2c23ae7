//! The control row: what a generation's file says of itself.

use crate::{
    failure::{FILE, failure},
    format::{GENERATION, check_format, read_format},
};
use annals_event::Sequence;
use annals_projection::{
    DatabaseError, FoldVersion, GenerationStatus, SchemaHash, Tally,
    backend::{Advance, is_planted},
};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

const EMPTY: &str =
    "it contains no generation; delete it, and the projector builds a new one if it is the live one";
const READ: &str =
    "SELECT model, schema_hash, fold_version, filter_hash, log_id, base_sequence, sequence, epoch,
    applied_count, applied_sum, parked_count, parked_sum, chain, (SELECT user_version FROM pragma_user_version)
    FROM annals_control WHERE one = 1";

/// Reads the control row, of a file whose format this release reads. In a transaction this also fixes the snapshot that
/// later statements see. A refusal names the file.
pub(crate) async fn read_status(
    connection: &mut SqliteConnection,
) -> Result<GenerationStatus, DatabaseError> {
    let mut read = read_row(connection).await;
    if let Err(DatabaseError::Format { place, .. } | DatabaseError::Damaged { place, .. }) = &mut read
        && let Ok(path) = path(connection).await
    {
        *place = path;
    }
    read
}

/// The file that a connection is open on.
async fn path(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query("PRAGMA database_list").fetch_one(connection).await?.try_get("file")
}

async fn read_row(connection: &mut SqliteConnection) -> Result<GenerationStatus, DatabaseError> {
    let row = match sqlx::query(READ).fetch_one(&mut *connection).await {
        Ok(row) => row,
        Err(error) => {
            let failed = failure(error);
            if failed.is_transient() {
                return Err(failed);
            }
            // Of another format the control row may look different.
            let found = read_format(connection).await.unwrap_or(GENERATION.number);
            if found == 0 {
                return Err(damaged(EMPTY));
            }
            check_format(FILE, found, GENERATION.number)?;
            return Err(match failed {
                DatabaseError::Damaged { reason, .. } => damaged(&reason),
                failed => damaged(&failed.to_string()),
            });
        }
    };
    check_format(FILE, row.try_get(13).map_err(failure)?, GENERATION.number)?;
    status(&row)
}

fn status(row: &SqliteRow) -> Result<GenerationStatus, DatabaseError> {
    let text = |index: usize| row.try_get::<String, _>(index).map_err(failure);
    Ok(GenerationStatus {
        model: text(0)?,
        schema_hash: SchemaHash::from_text(text(1)?),
        fold_version: FoldVersion::new(row.try_get(2).map_err(failure)?),
        filter_hash: text(3)?,
        log_id: text(4)?.parse().map_err(|_| damaged("its log id is none"))?,
        base: Sequence::new(unsigned(row, 5)?),
        checkpoint: Sequence::new(unsigned(row, 6)?),
        epoch: unsigned(row, 7)?,
        applied: Tally { count: unsigned(row, 8)?, sum: sum(row, 9)? },
        parked: Tally { count: unsigned(row, 10)?, sum: sum(row, 11)? },
        chain: chain(row, 12)?,
    })
}

const INSERT: &str = "INSERT INTO annals_control (one, model, schema_hash, fold_version, filter_hash, log_id,
    base_sequence, sequence, chain, epoch, applied_count, applied_sum, parked_count, parked_sum)
    VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Writes the control row of a generation that is being made.
pub(crate) async fn insert_status(
    connection: &mut SqliteConnection,
    status: &GenerationStatus,
) -> Result<(), DatabaseError> {
    let insert = sqlx::query(INSERT)
        .bind(&status.model)
        .bind(status.schema_hash.as_str())
        .bind(status.fold_version.get())
        .bind(&status.filter_hash)
        .bind(status.log_id.to_string())
        .bind(signed(status.base.get()))
        .bind(signed(status.checkpoint.get()))
        .bind(status.chain.as_ref().map(<[u8; 16]>::as_slice))
        .bind(signed(status.epoch))
        .bind(signed(status.applied.count))
        .bind(status.applied.sum_bytes())
        .bind(signed(status.parked.count))
        .bind(status.parked.sum_bytes());
    insert.execute(connection).await.map(|_| ()).map_err(failure)
}

const ADVANCE: &str = "UPDATE annals_control SET sequence = ?, chain = ?, applied_count = ?, applied_sum = ?
    WHERE one = 1 AND epoch = ? AND sequence = ?";

/// Moves the checkpoint, if the writer with this status still may.
pub(crate) async fn advance(
    connection: &mut SqliteConnection,
    mine: &GenerationStatus,
    to: &Advance,
) -> Result<(), DatabaseError> {
    let mut expected = (mine.epoch, mine.checkpoint);
    if is_planted("checkpoint-not-compared")
        && let Ok(found) = read_status(connection).await
    {
        expected = (found.epoch, found.checkpoint);
    }
    let (epoch, checkpoint) = expected;
    let updated = sqlx::query(ADVANCE)
        .bind(signed(to.through.get()))
        .bind(to.chain.as_ref().map(<[u8; 16]>::as_slice))
        .bind(signed(to.applied.count))
        .bind(to.applied.sum_bytes())
        .bind(signed(epoch))
        .bind(signed(checkpoint.get()))
        .execute(&mut *connection)
        .await
        .map_err(failure)?;
    if updated.rows_affected() == 1 {
        return Ok(());
    }
    let found = read_status(connection).await.map_or(0, |status| status.epoch);
    Err(DatabaseError::Fenced { found })
}

/// Takes over: whoever wrote until now is fenced. Gives the new epoch.
pub(crate) async fn raise_epoch(connection: &mut SqliteConnection) -> Result<u64, DatabaseError> {
    let raise = "UPDATE annals_control SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch";
    let row = sqlx::query(raise).fetch_one(connection).await.map_err(failure)?;
    unsigned(&row, 0)
}

/// SQLite's numbers are signed. A number that does not fit becomes the greatest, which matches no row.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &SqliteRow, index: usize) -> Result<u64, DatabaseError> {
    u64::try_from(row.try_get::<i64, _>(index).map_err(failure)?)
        .map_err(|_| damaged("a number is below zero"))
}

fn sum(row: &SqliteRow, index: usize) -> Result<u128, DatabaseError> {
    let bytes: &[u8] = row.try_get(index).map_err(failure)?;
    bytes.try_into().map(u128::from_be_bytes).map_err(|_| damaged("a sum has not 16 bytes"))
}

fn chain(row: &SqliteRow, index: usize) -> Result<Option<[u8; 16]>, DatabaseError> {
    let bytes: Option<&[u8]> = row.try_get(index).map_err(failure)?;
    bytes.map(<[u8; 16]>::try_from).transpose().map_err(|_| damaged("the chain value has not 16 bytes"))
}

fn damaged(what: &str) -> DatabaseError {
    DatabaseError::damaged(FILE, what)
}
