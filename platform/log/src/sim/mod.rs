//! A disk in memory that loses, tears and refuses writes the way real ones do, and a clock and a source of
//! randomness to go with it. Everything depends on seeds alone: the same program does the same, byte by byte,
//! and [`SimDisk::trace`] proves it.
//!
//! A power cut is two steps: [`SimDisk::cut_power_after`] makes every operation after the k-th fail, so that the
//! program comes to its end; [`SimDisk::crashed`] gives the disk that the next start finds.
//!
//! Assumed of the medium: a sector of 512 bytes is written in one piece or torn, and what is rewritten unchanged in it
//! stays. Renames are atomic. File lengths and names are journalled: a failed sync leaves them pending.

mod clock;
mod disk;
mod fault;
mod file;
mod random;
mod world;

pub use clock::{SimClock, SimEntropy};
pub use disk::SimDisk;
pub use fault::{Fault, FaultKind, Lasts};
pub use random::Random;
pub use world::{Io, IoKind, Survival};
