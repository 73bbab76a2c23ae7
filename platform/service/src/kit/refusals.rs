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
        match error {
            asked if asked.is_invalid_input() => Self::bad_request(asked),
            passing if passing.is_transient() => Self::unavailable(passing),
            other => Self::internal(&other),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use annals_projection::QueryError;

    #[test]
    fn a_question_that_no_caller_can_ask_is_400_and_one_of_the_program_500() {
        let of = |error: QueryError| Problem::from(ReaderError::from(error)).status;
        assert_eq!(of(QueryError::OtherCursor { query: "members".into() }), 400);
        assert_eq!(of(QueryError::NotIndexed { table: "members", column: "days" }), 500);
    }
}
