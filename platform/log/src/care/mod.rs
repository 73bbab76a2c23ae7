//! What keeps a log well beside its appends and reads: segments dropped, verified, backed up, their indexes and checkpoints
//! written, its folder watched. Whatever fails here harms neither.

pub(crate) mod backup;
pub(crate) mod checkpoint;
pub(crate) mod maintenance;
pub(crate) mod retention;
pub(crate) mod scrub;
pub(crate) mod verify;
pub(crate) mod watch;
