//! What the whole-system suites share: the workspace as files and as a graph of crates, its programs as processes,
//! and the contents of read models on disk.

mod program;
mod rooms;
mod server;
mod tables;
mod workspace;

pub use program::{Program, Running, settings};
pub use rooms::Rooms;
pub use server::{Server, lasting_address};
pub use tables::{Tables, live_tables};
pub use workspace::{Package, SourceFile, Workspace};
