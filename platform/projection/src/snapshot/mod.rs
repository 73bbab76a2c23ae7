mod error;
mod policy;

pub use error::SnapshotError;
pub use policy::SnapshotPolicy;
pub(crate) use policy::SnapshotTaker;
