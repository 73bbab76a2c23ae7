//! The upkeep of a log: segments are dropped, verified and backed up, indexes and checkpoints are written, the folder is
//! watched. Whatever fails here harms neither appends nor reads.

mod backup;
mod checkpoint;
mod maintenance;
mod retention;
mod scrub;
mod verify;
mod watch;

pub use backup::BackupError;
pub(crate) use backup::{backup, must_be_outside};
pub(crate) use maintenance::Maintenance;
pub use retention::{RetainError, Retained, Retention};
pub(crate) use retention::{When, retain};
pub(crate) use scrub::scrub_pass;
pub(crate) use verify::verify_open;
pub use verify::{Finding, Harm, VerifyError, VerifyProgress, VerifyReport, verify, verify_on};
pub(crate) use watch::{Astray, LOOK_APART_MICROS, LOOK_EVERY, Watch, check_folder};
