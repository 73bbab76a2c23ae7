//! Reading: a [`Reader`] is one consistent view of one generation.
//!
//! A reader begins its transaction first and checks the pointer afterwards; if the pointer has moved, the reader starts
//! over. So the view is of the generation that was live *after* the view was fixed, and no sequence of readers
//! ever sees a step back: a promoted generation contains at least what the previous one contained at that time.
//!
//! Every answer is bounded: by the keys that are asked for, by the limit of a page, or by [`QUERY_ROWS_MAX`], past which
//! a query is an error. A list that was cut without a word would be a wrong answer.

mod answers;
mod error;
mod readers;
mod view;

#[cfg(doc)]
use crate::QUERY_ROWS_MAX;
pub use error::{ReaderError, WaitError};
pub use readers::Readers;
pub use view::Reader;
