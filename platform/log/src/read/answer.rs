//! What came of an append, as the writer's thread knows it.
//!
//! What always holds: the writer decides from memory alone, and an append that it did not write stays unwritten. What
//! is then to be read from the disk, the result of the append's original, is read by whoever waits for the answer.

use crate::error::AppendError;
use crate::read::reader::Reader;
use crate::read::repeats;
use crate::state::{Original, Pending};
use crate::stats::add;
use annals_event::Receipt;
use std::fmt;

/// What came of an append that was submitted.
#[derive(Debug)]
#[must_use = "it may be an error"]
pub enum Answer {
    /// This.
    Ready(Result<Receipt, AppendError>),
    /// It was not written, and it may be that it was before.
    LookUp(LookUp),
}

/// The search for the original of an append.
#[must_use = "without it nobody knows what came of the append"]
pub struct LookUp {
    reader: Reader,
    pending: Box<Pending>,
    original: Original,
}

impl Answer {
    /// The result. Blocks while the disk is read, if need be.
    pub fn get(self) -> Result<Receipt, AppendError> {
        match self {
            Self::Ready(result) => result,
            Self::LookUp(look_up) => look_up.run(),
        }
    }
}

impl LookUp {
    pub(crate) fn new(reader: Reader, pending: Pending, original: Original) -> Self {
        Self { reader, pending: Box::new(pending), original }
    }

    /// Looks for the original. Blocks while the disk is read.
    pub fn run(self) -> Result<Receipt, AppendError> {
        let Self { reader, pending, original } = self;
        let counters = &reader.shared.counters;
        let result = match original {
            Original::At(first) => repeats::by_request(&reader, &pending, first),
            Original::Unless(conflict) => match repeats::by_events(&reader, &pending) {
                Ok(None) => {
                    add(&counters.conflicts, 1);
                    return Err(conflict.into());
                }
                Ok(Some(receipt)) => Ok(receipt),
                Err(error) => Err(error),
            },
        };
        add(&counters.repeats, u64::from(result.is_ok()));
        result
    }
}

impl fmt::Debug for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookUp({})", self.pending.request_id)
    }
}
