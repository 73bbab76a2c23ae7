//! The embedded log engine: segments, group commit, recovery, stream index. Synchronous; one process, one writer.
//!
//! ```
//! use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
//! use annals_log::{Log, Options, ReadBudget};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let log = Log::open(folder, Options::default())?;
//! let placed = NewEvent::json(EventType::new("order.placed")?, r#"{"cents":1200}"#);
//! let receipt = log.append(Append::to(StreamName::new("order-1")?, ExpectedVersion::NoStream, vec![placed]))?;
//! assert_eq!(receipt.head, Sequence::FIRST); // durable, and visible to every reader
//!
//! let block = log.read(Sequence::FIRST, ReadBudget { bytes_max: 1 << 20, events_max: 100 })?;
//! assert_eq!(block.events.first().map(|event| event.stream()), Some("order-1"));
//! log.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! What always holds:
//!
//! * Answered means durable: a receipt, a refusal and a repeated answer are given only after everything that
//!   they rest on is synced. What is not durable is never visible to any reader.
//! * Sequence numbers are dense from 1, in commit order; nothing appears below a readable position.
//! * Bytes that were once durable are never taken for a torn tail: damage is named, and nothing is deleted.
//! * What retention dropped is gone whole segments at a time; what is known of it (versions, marks, request ids) stays.
//! * After a failed write or sync of the commit path nothing more is written until the log is reopened. The same holds once
//!   its folder is no longer the one at its path, or cannot be written: nothing is answered as written after that, and
//!   [`Log::stopped`] says why.
//!
//! What it is not: replicated, sharded, or a queue. Every stream takes about 48 bytes of memory, so one log holds
//! about 100 million streams; beyond one disk a system has several logs. It does not protect its files from those
//! who can write to its folder.
//!
//! [`format`](mod@format) says what is in the files. The way of an append: [`Log`] encodes it on its caller's thread and
//! queues it, [`Writer`] checks it against what is in memory and adds its frame to a group, writes and syncs the group, publishes
//! it in the state that [`Reader`]s share, and only then answers.

mod care;
mod disk;
mod error;
mod files;
pub mod format;
#[cfg(test)]
mod hostile_bytes;
mod num;
mod open;
mod options;
mod queue;
mod read;
mod shell;
#[cfg(feature = "simulation")]
pub mod sim;
mod state;
mod stats;
mod writer;

pub use care::{
    BackupError, Finding, Harm, RetainError, Retained, Retention, VerifyError, VerifyProgress, VerifyReport,
    verify, verify_on,
};
pub use disk::{
    Clock, Disk, DiskFile, DiskLock, Entropy, Environment, FileId, FolderLost, RealDisk, SystemClock,
    SystemEntropy,
};
pub use error::{AppendError, Corruption, MaintenanceError, OpenError, ReadError, SubmitError};
pub use format::Backup;
pub use open::{Prepared, holds_log};
#[cfg(feature = "planted-bugs")]
pub use options::PlantedBug;
pub use options::{Options, Scrub};
pub use read::{
    Answer, ClockStatus, Direction, Hold, LookUp, ReadBlock, ReadBudget, Reader, Room, ScrubStatus,
    StreamRead,
};
pub use shell::{HeadWait, HeadWatch, Log};
pub use stats::Stats;
pub use writer::Writer;
