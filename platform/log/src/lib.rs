//! The embedded log engine: segments, group commit, recovery, stream index.
//!
//! What always holds:
//!
//! * Answered means durable: a receipt, a refusal and a repeated answer are given only after everything that
//!   they rest on is synced. What is not durable is never visible to any reader.
//! * Sequence numbers are dense from 1, in commit order; nothing appears below a readable position.
//! * Bytes that were once durable are never taken for a torn tail: damage is named, and nothing is deleted.
//! * After a failed write or sync of the commit path nothing more is written until the log is reopened.

mod disk;
mod error;
mod options;
mod reader;
mod shell;
#[cfg(feature = "simulation")]
pub mod sim;
mod stats;
mod writer;

pub use disk::{Clock, Disk, DiskFile, DiskLock, Entropy, Environment, RealDisk, SystemClock, SystemEntropy};
pub use error::{AppendError, Corruption, MaintenanceError, OpenError, ReadError, SubmitError};
pub use options::Options;
#[cfg(feature = "planted-bugs")]
pub use options::PlantedBug;
pub use reader::{Direction, ReadBlock, ReadBudget, Reader, StreamRead};
pub use shell::{HeadWait, Log};
pub use stats::Stats;
pub use writer::{Prepared, Writer};
