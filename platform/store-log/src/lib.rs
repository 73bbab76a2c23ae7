//! [`EventStore`](annals_store::EventStore) over the embedded log: the default adapter.
//!
//! What always holds:
//!
//! * No call blocks the runtime's threads: appends wait for the log's writer asynchronously, and reads that may touch
//!   the disk run on threads of their own. What the log has in memory is answered at once.
//! * Memory is bounded: appends wait for room before they enter the log's queue; reads that may touch the disk share
//!   a few threads; a subscriber has at most one page in memory, and only while it asks for one.
//! * An append costs nothing to subscribers that do not want its events, and its writer wakes one thread for all of them.
//! * An append whose future is dropped is either done or not; there is nothing in between.
//! * Errors keep their meaning: conflict, bad input, reused request id, unavailable, and corrupted with file and
//!   offset.

mod append;
mod error;
mod read;
mod readers;
mod retainer;
mod store;
mod watch;

pub use annals_log::{
    Backup, BackupError, ClockStatus, Corruption, Finding, Harm, Hold, Log, OpenError, Options, RetainError,
    Retained, Retention, Room, Scrub, ScrubStatus, Stats, VerifyError, VerifyProgress, VerifyReport,
    holds_log, verify,
};
pub use error::CloseError;
pub use retainer::Retainer;
pub use store::LogStore;
