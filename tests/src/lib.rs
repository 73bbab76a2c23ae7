//! What the whole-system suites share: the workspace as files and as a graph of crates.

mod workspace;

pub use workspace::{Package, SourceFile, Workspace};
