//! Snapshots of a read model: a generation at a sequence number, compressed, with a manifest.
//!
//! ```text
//! <sequence>-<uuid>.sqlite.zst     the generation's file, compressed
//! <sequence>-<uuid>.json           the manifest, written last: a snapshot without one does not exist
//! ```
//!
//! * A snapshot is used only if its manifest and every byte of its file are what was written; else it is refused
//!   by name, with the reason.
//! * A crash while one is taken leaves files without a manifest, which the next one sweeps.

mod error;
mod folder;
mod manifest;
mod name;
mod pack;
mod policy;

pub use error::SnapshotError;
pub use folder::{Refusal, SnapshotChoice, SnapshotFolder};
pub use manifest::SnapshotManifest;
pub use name::SnapshotName;
pub use policy::SnapshotPolicy;
pub(crate) use policy::SnapshotTaker;
