//! Snapshots of a read model: a generation at a sequence number, compressed, with a manifest.
//!
//! ```text
//! <sequence>-<uuid>.rows.zst       the generation's rows, compressed: the same whatever the database
//! <sequence>-<uuid>.json           the manifest, written last: a snapshot without one does not exist
//! ```
//!
//! * A snapshot is used only if its manifest and every byte of its file are what was written; otherwise it is refused
//!   by name, with the reason.
//! * A snapshot of another history of the log is refused in the same way: its manifest has the log's id and chain value at its
//!   sequence number.
//! * A crash while a snapshot is taken leaves files without a manifest. The next snapshot sweeps them.

mod choice;
mod copy;
mod folder;
mod manifest;
mod name;
mod pack;
mod policy;

pub use choice::{PassedOver, SnapshotChoice};
pub(crate) use copy::copy;
pub use folder::SnapshotFolder;
pub use manifest::SnapshotManifest;
pub(crate) use manifest::Wanted;
pub use name::SnapshotName;
pub use policy::SnapshotPolicy;
