//! One physical build of a read model: an SQLite file that describes itself.
//!
//! Invariants of the file, whatever happens to the process:
//!
//! * Rows, checkpoint, chain value, epoch and counts change in one transaction.
//! * The checkpoint moves by compare-and-set on the writer's epoch and on the old checkpoint: whoever raised the
//!   epoch last may write; anyone else gets [`FoldError::Fenced`](crate::FoldError::Fenced) and has written nothing.
//! * Events at or below the checkpoint are never applied again.
//! * The chain value beside the checkpoint is the log's at that place. A program whose store holds another history of the log
//!   writes nothing, not even the epoch.

mod control;
mod id;
mod same_log;
mod tally;

pub use control::GenerationStatus;
pub(crate) use control::{adopt, insert_empty, raise_epoch, read_status};
pub use id::GenerationId;
pub(crate) use same_log::{check_log, check_seen};
pub use tally::Tally;
