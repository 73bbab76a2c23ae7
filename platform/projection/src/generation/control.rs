use super::Tally;
use crate::error::GenerationError;
use crate::sqlite::{GENERATION, is_transient, read_format};
use crate::{FoldVersion, ReadModel, SchemaHash};
use annals_event::{LogId, Sequence};
use annals_store::SeenLog;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

/// What a generation says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GenerationStatus {
    /// The read model's name.
    pub model: String,
    /// Which tables it has.
    pub schema_hash: SchemaHash,
    /// Which fold made its rows.
    pub fold_version: FoldVersion,
    /// Which events the fold reads, hashed.
    pub filter_hash: String,
    /// The log that it was folded from.
    pub log_id: LogId,
    /// Events up to here are not in the counts.
    pub base: Sequence,
    /// Every event up to here is in the rows.
    pub checkpoint: Sequence,
    /// The log's chain value there: tells the log from the same one restored from a backup. `None`: it is not known.
    pub chain: Option<[u8; 16]>,
    /// Who may write: the one who raised it last.
    pub epoch: u64,
    /// The applied events above the base.
    pub applied: Tally,
    /// The parked events above the base.
    pub parked: Tally,
}

impl GenerationStatus {
    /// The log that its rows were folded from, up to its checkpoint.
    pub const fn seen(&self) -> SeenLog {
        SeenLog { log_id: self.log_id, through: self.checkpoint, chain: self.chain }
    }

    /// Whether `model`'s fold can go on where this generation is; if not, why.
    pub fn refusal(&self, model: &ReadModel) -> Option<String> {
        if self.schema_hash != *model.schema_hash() {
            return Some(format!(
                "its tables are {}, the program has {}; ask for a replay, which makes its own",
                self.schema_hash,
                model.schema_hash()
            ));
        }
        if self.fold_version != model.fold_version() {
            let (mine, its) = (model.fold_version(), self.fold_version);
            return Some(format!(
                "its rows were made by fold version {its}, the program has {mine}; ask for a replay, which makes them anew"
            ));
        }
        (self.filter_hash != model.filter_hash()).then(|| {
            "the program reads other event types or categories than its rows were made from; raise the fold version, then ask for a replay"
                .to_owned()
        })
    }
}

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
) -> Result<GenerationStatus, GenerationError> {
    let mut read = read_row(connection).await;
    if let Err(GenerationError::Format { file, .. } | GenerationError::Damaged { file, .. }) = &mut read
        && let Ok(path) = path(connection).await
    {
        *file = path;
    }
    read
}

/// The file that a connection is open on.
async fn path(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query("PRAGMA database_list").fetch_one(connection).await?.try_get("file")
}

async fn read_row(connection: &mut SqliteConnection) -> Result<GenerationStatus, GenerationError> {
    let row = match sqlx::query(READ).fetch_one(&mut *connection).await {
        Ok(row) => row,
        Err(error) if is_transient(&error) => return Err(error.into()),
        // Of another format the control row may look different.
        Err(error) => {
            let found = read_format(connection).await.unwrap_or(GENERATION.number);
            if found == 0 {
                return Err(damaged(EMPTY));
            }
            check_format(found)?;
            return Err(damaged(&error.to_string()));
        }
    };
    check_format(row.try_get(13)?)?;
    Ok(GenerationStatus {
        model: row.try_get(0)?,
        schema_hash: SchemaHash::from_text(row.try_get(1)?),
        fold_version: FoldVersion::new(row.try_get(2)?),
        filter_hash: row.try_get(3)?,
        log_id: row.try_get::<&str, _>(4)?.parse().map_err(|_| damaged("its log id is none"))?,
        base: Sequence::new(unsigned(&row, 5)?),
        checkpoint: Sequence::new(unsigned(&row, 6)?),
        epoch: unsigned(&row, 7)?,
        applied: Tally { count: unsigned(&row, 8)?, sum: sum(&row, 9)? },
        parked: Tally { count: unsigned(&row, 10)?, sum: sum(&row, 11)? },
        chain: chain(&row, 12)?,
    })
}

const INSERT: &str = "INSERT INTO annals_control (one, model, schema_hash, fold_version, filter_hash, log_id,
    base_sequence, sequence, chain, epoch, applied_count, applied_sum, parked_count, parked_sum)
    VALUES (1, ?, ?, ?, ?, ?, 0, 0, NULL, 0, 0, ?, 0, ?)";

/// Writes the control row of a generation without rows.
pub(crate) async fn insert_empty(
    connection: &mut SqliteConnection,
    model: &ReadModel,
    log_id: LogId,
) -> Result<(), sqlx::Error> {
    let none = Tally::NONE.sum_bytes();
    let insert = sqlx::query(INSERT)
        .bind(model.name().as_str())
        .bind(model.schema_hash().as_str())
        .bind(model.fold_version().get())
        .bind(model.filter_hash())
        .bind(log_id.to_string())
        .bind(&none)
        .bind(&none);
    insert.execute(connection).await.map(|_| ())
}

const ADOPT: &str = "UPDATE annals_control SET fold_version = ? WHERE one = 1";
const COUNT_ANEW: &str =
    "UPDATE annals_control SET base_sequence = sequence, applied_count = 0, applied_sum = ?,
    parked_count = 0, parked_sum = ? WHERE one = 1 AND base_sequence + 1 < ?";

/// Makes a restored generation one that `model`'s fold continues: its rows count as made by it. The caller has
/// checked tables, log and events.
///
/// `first` is the first sequence number that is still in the log. When its counts begin before that nobody can check
/// them any more, so they begin anew at its checkpoint.
pub(crate) async fn adopt(
    connection: &mut SqliteConnection,
    model: &ReadModel,
    first: Sequence,
) -> Result<(), sqlx::Error> {
    sqlx::query(ADOPT).bind(model.fold_version().get()).execute(&mut *connection).await?;
    let none = Tally::NONE.sum_bytes();
    let first = i64::try_from(first.get()).unwrap_or(i64::MAX);
    sqlx::query(COUNT_ANEW).bind(&none).bind(&none).bind(first).execute(connection).await.map(|_| ())
}

/// Takes over: whoever wrote until now is fenced. Gives the new epoch.
pub(crate) async fn raise_epoch(connection: &mut SqliteConnection) -> Result<u64, GenerationError> {
    let raise = "UPDATE annals_control SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch";
    let row = sqlx::query(raise).fetch_one(connection).await?;
    unsigned(&row, 0)
}

/// What a refusal calls the file as long as its path is not known.
const FILE: &str = "the generation's file";

fn check_format(found: i64) -> Result<(), GenerationError> {
    GenerationError::check_format(FILE, found, GENERATION.number)
}

fn unsigned(row: &SqliteRow, index: usize) -> Result<u64, GenerationError> {
    u64::try_from(row.try_get::<i64, _>(index)?).map_err(|_| damaged("a number is below zero"))
}

fn sum(row: &SqliteRow, index: usize) -> Result<u128, GenerationError> {
    let bytes: &[u8] = row.try_get(index)?;
    bytes.try_into().map(u128::from_be_bytes).map_err(|_| damaged("a sum has not 16 bytes"))
}

fn chain(row: &SqliteRow, index: usize) -> Result<Option<[u8; 16]>, GenerationError> {
    let bytes: Option<&[u8]> = row.try_get(index)?;
    bytes.map(<[u8; 16]>::try_from).transpose().map_err(|_| damaged("the chain value has not 16 bytes"))
}

fn damaged(what: &str) -> GenerationError {
    GenerationError::Damaged { file: FILE.to_owned(), reason: what.to_owned() }
}
