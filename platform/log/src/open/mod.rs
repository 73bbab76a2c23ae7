//! From a folder, whatever the last crash left in it, to a log that can be read and written.

mod create;
mod folder;
mod lock;
mod prepare;
mod recovery;
mod repair;
mod restored;

pub(crate) use create::{create, next_capacity, within_limits};
pub use folder::holds_log;
pub(crate) use folder::{check_new, remove_segments};
pub(crate) use lock::{LockLine, Locked, lock_folder, read_lock_line};
pub use prepare::Prepared;
pub(crate) use prepare::{Preparation, PreparedFile};
pub(crate) use recovery::{Recovered, recover};
pub(crate) use restored::{backup_manifest, become_log};
