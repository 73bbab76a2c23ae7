//! What is durable, and reading it: the state that the writer and all readers share, and the ways from a sequence number, a
//! stream or a time to events.

pub(crate) mod answer;
pub(crate) mod blocks;
pub(crate) mod chains;
pub(crate) mod fingerprint;
pub(crate) mod frames;
pub(crate) mod holds;
pub(crate) mod index_cache;
pub(crate) mod log_time;
pub(crate) mod low_water;
pub(crate) mod poison;
pub(crate) mod reader;
pub(crate) mod rebuild;
pub(crate) mod recency;
pub(crate) mod recent_blocks;
pub(crate) mod repeats;
pub(crate) mod room;
pub(crate) mod scrub_state;
pub(crate) mod sealed;
pub(crate) mod segment_files;
pub(crate) mod shared;
pub(crate) mod streams;
pub(crate) mod tail;
pub(crate) mod waiters;
