//! The embedded log engine: segments, group commit, recovery, stream index.
//!
//! What always holds:
//!
//! * Answered means durable: a receipt, a refusal and a repeated answer are given only after everything that
//!   they rest on is synced. What is not durable is never visible to any reader.
//! * Sequence numbers are dense from 1, in commit order; nothing appears below a readable position.
//! * Bytes that were once durable are never taken for a torn tail: damage is named, and nothing is deleted.
//! * After a failed write or sync of the commit path nothing more is written until the log is reopened.

/// The format of a log's folder, byte by byte.
#[doc = include_str!("../format.md")]
pub mod format {}

mod blocks;
mod checkpoint;
mod disk;
mod error;
mod files;
mod frame;
mod group;
mod heads;
mod index;
mod index_cache;
mod lock;
mod maintenance;
mod num;
mod options;
mod pending;
mod poison;
mod prepare;
mod queue;
mod reader;
mod rebuild;
mod recovery;
mod repair;
mod repeats;
mod scan;
mod segment;
mod shell;
#[cfg(feature = "simulation")]
pub mod sim;
mod state;
mod stats;
mod streams;
mod tail;
mod waiters;
mod window;
mod writer;

pub use disk::{Clock, Disk, DiskFile, DiskLock, Entropy, Environment, RealDisk, SystemClock, SystemEntropy};
pub use error::{AppendError, Corruption, MaintenanceError, OpenError, ReadError, SubmitError};
pub use options::Options;
#[cfg(feature = "planted-bugs")]
pub use options::PlantedBug;
pub use prepare::Prepared;
pub use reader::{Direction, ReadBlock, ReadBudget, Reader, StreamRead};
pub use shell::{HeadWait, Log};
pub use stats::Stats;
pub use writer::Writer;
