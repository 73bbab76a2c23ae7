//! What of the log goes into the rows in one transaction, and how much did.

mod batch;
mod tally;

pub(crate) use batch::{DecodedBatch, Span, cut};
pub use tally::Tally;
