//! Folding the log into a generation. `feed` reads and decodes ahead, `writer` holds the right to write, and `folding` passes one
//! batch at a time from the feed to the writer, for the projector and for candidates alike.
//!
//! A batch is written as a whole or not at all. An event that cannot be applied ends the fold with the checkpoint right
//! before it.

mod batch;
mod feed;
mod folding;
mod same_log;
mod writer;

pub(crate) use batch::DecodedBatch;
pub(crate) use feed::{Feed, FeedOptions};
pub(crate) use folding::{Folding, Step};
pub(crate) use same_log::check_log;
pub(crate) use writer::{GenerationWriter, Unclaimed};
