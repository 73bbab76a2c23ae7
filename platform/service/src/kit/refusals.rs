//! What the parts of a service refuse, as problem+json: a handler passes it on with `?`.

use crate::Problem;
use annals_aggregate::{ExecuteError, decision::DecideError};
use annals_projection::{ReaderError, WaitError};
use std::error::Error;

impl<E: Error + 'static> From<ExecuteError<E>> for Problem {
    /// A refusal of the aggregate is the broken rule that it names: 422. [`Problem::of_execute`] says something else.
    fn from(error: ExecuteError<E>) -> Self {
        Self::of_execute(error, |refusal| Self::rule(refusal))
    }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Load(error) => error.into(),
            DecideError::Contended { .. } => Self::unavailable(error),
            DecideError::Append { ref cause, .. } => Self::of_append(cause, &error),
            other => Self::internal(&other),
        }
    }
}

impl From<ReaderError> for Problem {
    fn from(error: ReaderError) -> Self {
        if error.is_transient() { Self::unavailable(error) } else { Self::internal(&error) }
    }
}

impl From<WaitError> for Problem {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Reader(error) => error.into(),
            behind => Self::unavailable(behind),
        }
    }
}
