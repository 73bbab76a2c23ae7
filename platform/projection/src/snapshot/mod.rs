//! Snapshots of a read model: a generation at a sequence number, compressed, with a manifest.
//!
//! ```text
//! <sequence>-<uuid>.sqlite.zst     the generation's file, compressed
//! <sequence>-<uuid>.json           the manifest, written last: a snapshot without one does not exist
//! ```
//!
//! * A snapshot is used only if its manifest and every byte of its file are what was written; else it is refused
//!   by name, with the reason.
//! * A snapshot of another history of the log, which was restored from a backup, is refused in the same way: its manifest
//!   has the log's id and chain value at its sequence number.
//! * A crash while one is taken leaves files without a manifest, which the next one sweeps.

mod choice;
mod folder;
mod manifest;
mod name;
mod pack;
mod policy;

pub use choice::{PassedOver, SnapshotChoice};
pub use folder::SnapshotFolder;
pub use manifest::SnapshotManifest;
pub(crate) use manifest::Wanted;
pub use name::SnapshotName;
pub use policy::SnapshotPolicy;
