//! Everything particular to SQLite: statements, cells, connection settings, file formats, and which errors are
//! transient. What is public here is for code that is bound to SQLite.

mod cells;
mod connect;
mod connected;
mod failure;
mod format;
mod statements;

pub use connected::Connected;
pub use failure::DatabaseError;

pub(crate) use cells::{bind, read_cells};
pub(crate) use connect::{
    BEGIN_WRITE, End, begin_write, create_writer, end_write, open_reader, open_writer, reader_options,
    sync_folder, writer_options,
};
pub(crate) use failure::is_transient;
pub(crate) use format::{CATALOG, GENERATION, read_format};
pub(crate) use statements::{TableStatements, run_script};
