//! Read models in PostgreSQL.
//!
//! ```text
//! database
//! ├─ annals                  the catalog: generations, their control rows, the pointer rows, leases
//! ├─ annals_g_<id>           one schema a generation: the tables of its read model, and nothing else
//! ├─ annals_b_<attempt>      a generation that is being made; nobody but its maker sees it
//! └─ annals_v_<model>_<hash> where it is wanted: views of what is live, for programs that ask the database themselves
//! ```
//!
//! What always holds, beside what every [`Backend`](annals_projection::backend::Backend) keeps:
//!
//! * Every statement runs in a transaction that was begun explicitly, and whatever a session has to know is set for one
//!   transaction (`SET LOCAL`). So a pooler that gives each transaction another session (PgBouncer) may stand in between.
//!   Only `LISTEN` needs a session of its own, and polling stands in for it.
//! * Control rows stand in the catalog, not in the generation's schema. A fence is one row lock, a view reads pointer and
//!   checkpoint in one statement of one snapshot, and the statements that run most are the same for all generations, so
//!   each is prepared once.
//! * A generation is made under the name of its attempt and renamed in the transaction that lists it: two that make the same
//!   one do not meet before one of them finishes, and a process that is killed leaves no schema.
//! * Folds do not wait for the disk (`synchronous_commit = off`): after a crash of the server a generation may be at an earlier
//!   checkpoint, with the rows that belong to it. Whatever changes the pointer or a list waits.
//! * Every wait has a bound: for a connection, a lock, an answer, and for a session that stands idle in a transaction.
//!
//! How it is used:
//!
//! ```no_run
//! # async fn example() -> Result<(), annals_projection::GenerationError> {
//! use annals_projection_postgres::{PostgresOptions, open};
//!
//! let options = PostgresOptions::new("postgres://shop@db.example/shop");
//! let catalog = open(&options, "data/snapshots").await?;
//! # Ok(())
//! # }
//! ```
//!
//! * **Rights.** The user makes schemas (`GRANT CREATE ON DATABASE`), and owns them. All processes use one user, releases that run
//!   side by side, too: each fences and drops what another made. Other programs need `USAGE` on the schema of the views and `SELECT`
//!   on the views, nothing else.
//! * **Connections.** A process has at most [`connections_max`](PostgresOptions::connections_max) for readers and the catalog, one
//!   for each generation that it writes, and one to listen.
//! * **A pooler.** In transaction mode, set [`listen`](PostgresOptions::listen) to the server's own address or off, and
//!   [`statements_kept`](PostgresOptions::statements_kept) to 0 if it does not know prepared statements. PgBouncer 1.18 is tested.
//! * **A question that fails ends its view**, as it ends every transaction of PostgreSQL: later ones fail until a new view is begun.
//!
//! What it is not: a pooler, or a way to a server of another encoding than UTF-8. Text with the character NUL cannot be stored.

mod backend;
mod catalog;
mod changes;
mod connection;
mod generation;
mod lease;
mod names;
mod native;
mod options;
mod table;
mod views;

pub use native::{Postgres, SqlError, connection};
pub use options::{Listen, PostgresOptions};

use annals_projection::{
    Catalog, GenerationError,
    backend::{Backend, DatabaseError},
};
use backend::PostgresBackend;
use std::{path::Path, sync::Arc};

/// Opens the catalog in a database, making it when there is none. Its snapshots stand in the folder `snapshots`. The user of the
/// database needs the right to make schemas in it.
pub async fn open(
    options: &PostgresOptions,
    snapshots: impl AsRef<Path>,
) -> Result<Catalog, GenerationError> {
    Ok(Catalog::new(connect(options).await?, snapshots.as_ref()))
}

/// The same, as what a catalog is opened with.
pub async fn connect(options: &PostgresOptions) -> Result<Arc<dyn Backend>, DatabaseError> {
    Ok(Arc::new(PostgresBackend::connect(options).await?))
}
