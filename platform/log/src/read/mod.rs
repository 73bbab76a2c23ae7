//! What is durable, and reading it: the state that the writer and all readers share, and the ways from a sequence number, a
//! stream or a time to events.

mod answer;
mod blocks;
mod chains;
mod fingerprint;
mod frames;
mod holds;
mod index_cache;
mod log_time;
mod low_water;
mod poison;
mod reader;
mod rebuild;
mod recency;
mod recent_blocks;
mod repeats;
mod room;
mod scrub_state;
mod sealed;
mod segment_files;
mod shared;
mod streams;
mod tail;
mod waiters;

pub use answer::{Answer, LookUp};
pub(crate) use frames::{Wanted, each_frame};
pub use holds::Hold;
pub(crate) use holds::{RetentionState, hold, hold_all};
pub(crate) use index_cache::IndexCache;
pub use log_time::ClockStatus;
pub(crate) use log_time::{EARLIEST_MICROS, LogTime};
pub(crate) use low_water::{Headroom, Purpose};
pub(crate) use poison::Poison;
pub use reader::{Direction, ReadBlock, ReadBudget, Reader, StreamRead};
pub(crate) use reader::{Readable, readable_at};
pub(crate) use recent_blocks::RecentBlocks;
pub(crate) use repeats::{Repeated, receipt};
pub use room::Room;
pub(crate) use room::Shortage;
pub use scrub_state::ScrubStatus;
pub(crate) use scrub_state::{DAMAGES_MAX, ScrubState};
pub(crate) use sealed::{UNWRITTEN_BYTES_MAX, Unwritten, unwritten_bytes};
pub(crate) use segment_files::SegmentFiles;
pub(crate) use shared::{Shared, State, footer_offset};
pub(crate) use tail::TailGroup;
