//! What a database has to do so that read models can be kept in it.
//!
//! ```text
//!   Backend ──create──▶ Build ──finish──▶ a generation
//!      │──fence(id)───▶ Fence ──claim───▶ Writer ──begin──▶ Tx ──commit: rows, checkpoint, counts, one transaction
//!      │                  └─────flip────▶ another generation is live, and this one's writer is fenced
//!      └──view(what)──▶ View             one consistent view of one generation
//! ```
//!
//! One backend is one catalog: a folder of SQLite files, or a PostgreSQL database. All of them pass one suite
//! (`conformance`, with the feature of that name), which checks what is promised here.
//!
//! What every backend keeps:
//!
//! * Rows, checkpoint, chain value, counts and epoch of a generation change in one transaction, which commits only if epoch and
//!   checkpoint are those that the writer knows. Who raised the epoch last may write; anybody else gets
//!   [`DatabaseError::Fenced`] and has written nothing.
//! * A generation can be used when its [`Build`] was finished, with all that was written by then; before that nobody sees it.
//! * A [`Fence`] that is dropped, or whose process is killed, has changed nothing.
//! * The pointer row of a [`Slot`] is the truth about what is live. It changes by compare-and-set together with the states of
//!   generations, durably, or not at all.
//! * A [`View`] of what is live fixes its snapshot first and reads the pointer within or after it: no sequence of views sees a
//!   step back.
//! * A value comes back from its cell as it was written, and rows stand in the order of their keys: numbers by value, text and
//!   bytes by their bytes.
//! * Whatever is waited for has a bound: a lock that somebody holds is [`DatabaseError::Busy`] in the end.
//!
//! Rows cross it as columnar [`Batch`]es of logical values. The database's own connection is at hand for SQL projections, and for
//! questions that nothing else answers.

mod batch;
mod error;
mod schema;
mod status;
mod testing;

pub use crate::identifier::quoted;
pub use batch::Batch;
pub use error::DatabaseError;
pub use schema::{Schema, SchemaTable};
pub use status::{
    Advance, Change, GenerationEntry, GenerationSpec, GenerationState, GenerationStatus, Instance, Live,
    Purpose, Slot, Target,
};
pub use testing::{crash_point, is_planted};

use crate::{
    generation::GenerationId,
    identifier::ModelName,
    table::TableSchema,
    value::{ColumnKind, Value},
};
use async_trait::async_trait;
use std::{any::Any, fmt};
use tokio::sync::watch;

/// A catalog, and the generations in it.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// What it is called: `sqlite`, `postgresql`.
    fn kind(&self) -> &'static str;
    /// Where it is, for people: a folder, or a URL without its password.
    fn place(&self) -> String;

    /// What is live in a slot; `None`: nothing was yet.
    async fn live(&self, of: &Slot) -> Result<Option<Live>, DatabaseError>;
    /// Every generation of a slot that is in the catalog, oldest first; no scratch ones.
    async fn generations(&self, of: &Slot) -> Result<Vec<GenerationEntry>, DatabaseError>;
    /// Changes a slot's pointer and the states of its generations; [`DatabaseError::Moved`]: the pointer is not what was
    /// expected, and nothing was changed.
    async fn change(&self, change: &Change) -> Result<(), DatabaseError>;

    /// Begins to make a generation; `None`: one of this id is finished already, or was retired. Two that make the same one do not
    /// disturb each other; one of them finishes it.
    async fn create(&self, spec: &GenerationSpec) -> Result<Option<Box<dyn Build>>, DatabaseError>;
    /// Locks a finished generation against its writer, and everybody else who wants to be that.
    async fn fence(&self, of: &Slot, id: GenerationId) -> Result<Box<dyn Fence>, DatabaseError>;
    /// A view of one generation, whatever is written meanwhile.
    async fn view(&self, of: &Slot, what: Target) -> Result<Box<dyn View>, DatabaseError>;
    /// Removes a generation's rows, and then its entry. Repeatable; one that is not there is removed already. The caller has made
    /// sure that it is retired or was never finished.
    async fn remove(&self, of: &Slot, id: GenerationId) -> Result<(), DatabaseError>;

    /// What stands where the generation's rows should be; `None`: they are gone. A generation whose instance changes was
    /// deleted or replaced behind the platform's back.
    async fn instance(&self, of: &Slot, id: GenerationId) -> Result<Option<Instance>, DatabaseError>;
    /// How many bytes a generation takes.
    async fn size_bytes(&self, of: &Slot, id: GenerationId) -> Result<u64, DatabaseError>;
    /// How many bytes are free for more; `None`: the database does not say.
    async fn free_bytes(&self) -> Result<Option<u64>, DatabaseError>;

    /// Takes the right to build candidates of a read model; `None`: another worker has it, here or in another process.
    async fn try_lease(&self, model: &ModelName) -> Result<Option<Lease>, DatabaseError>;
    /// Counts what may have changed a pointer or a checkpoint. Who waits for either looks again; polling stands behind it.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// A generation that is being made. Dropping it leaves nothing that anybody sees.
#[async_trait]
pub trait Build: Send {
    /// Adds rows; the last column is the sequence number. No key comes twice.
    async fn write(&mut self, table: &TableSchema, rows: Batch) -> Result<(), DatabaseError>;
    /// All of it is durable: the generation can be used from here on. Nothing is done if another attempt was faster.
    async fn finish(self: Box<Self>) -> Result<(), DatabaseError>;
}

/// A generation that nobody writes as long as this is held. Dropping it changes nothing.
#[async_trait]
pub trait Fence: Send {
    /// The generation, as it stays until then.
    fn status(&self) -> &GenerationStatus;
    /// Takes the generation over: whoever wrote it until now is fenced.
    async fn claim(self: Box<Self>) -> Result<Box<dyn Writer>, DatabaseError>;
    /// Makes the change of the pointer, and then lets whoever wrote the generation until now find out.
    async fn flip(self: Box<Self>, change: &Change) -> Result<(), DatabaseError>;
}

/// The right to write a generation, until somebody else takes it.
#[async_trait]
pub trait Writer: Send {
    /// The generation as it was after the last commit, or as [`begin`](Self::begin) found it.
    fn status(&self) -> &GenerationStatus;
    /// Begins a transaction. Whatever became of the one before is settled first: if it was committed after all, or the
    /// generation moved otherwise, the status says so.
    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, DatabaseError>;
    /// Makes those indexes of `schema` that are not there yet, and all that was committed durable: the generation can be promoted.
    async fn finish(&mut self, schema: &Schema) -> Result<(), DatabaseError>;
    /// Lets go of the connection.
    async fn close(self: Box<Self>) -> Result<(), DatabaseError>;
}

/// A transaction of a writer. Dropping it rolls back.
#[async_trait]
pub trait Tx: Send {
    /// The generation as it was when the transaction began.
    fn status(&self) -> &GenerationStatus;
    /// The rows with these keys, without their sequence numbers, in any order.
    async fn load(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError>;
    /// Deletes the rows with some keys and writes other rows, whose last column is the sequence number. No key comes twice.
    async fn write(
        &mut self,
        table: &TableSchema,
        deletes: Batch,
        upserts: Batch,
    ) -> Result<(), DatabaseError>;
    /// The database's connection, for SQL projections of this database. It must not end the transaction.
    fn native(&mut self) -> &mut (dyn Any + Send);
    /// Moves checkpoint and counts, and commits everything. An error says that nothing was written, but for
    /// [`DatabaseError::Unknown`].
    async fn commit(self: Box<Self>, advance: Advance) -> Result<(), DatabaseError>;
    /// Takes everything back.
    async fn roll_back(self: Box<Self>) -> Result<(), DatabaseError>;
}

/// One consistent view of one generation.
#[async_trait]
pub trait View: Send {
    /// The generation.
    fn generation(&self) -> GenerationId;
    /// What it says of itself.
    fn status(&self) -> &GenerationStatus;
    /// The rows with these keys, without their sequence numbers, in any order; a cell of a key that is `NULL` equals nothing.
    async fn get(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError>;
    /// What a `SELECT` finds. Its tables are those of the generation, by their plain names, and its parameters `$1`, `$2` and so on.
    /// `wanted` is what its columns should hold: a number of another width becomes that, `sum` of integers for example. What cannot
    /// become it, and columns that are fewer or more, come as they are, and the caller sees. At most `rows_max` rows are read.
    async fn query(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        wanted: &[ColumnKind],
        rows_max: usize,
    ) -> Result<Batch, DatabaseError>;
    /// The database's connection, for questions that nothing else answers. It is in a transaction that only reads.
    fn native(&mut self) -> &mut (dyn Any + Send);
}

/// The right to build candidates of one read model: it decides who tries, as the epoch decides who may. Dropping it gives it up,
/// and so does the end of the process, however it ends.
pub struct Lease {
    _held: Box<dyn Any + Send + Sync>,
}

impl Lease {
    /// A lease that is held for as long as `held` is not dropped.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}
