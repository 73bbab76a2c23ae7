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
            DecideError::Encode { ref cause, .. } if cause.is_unfit_tag() => Self::rule(cause),
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
    use annals_event::CodecError;
    use annals_event::StreamName;
    use annals_projection::QueryError;
    use std::convert::Infallible;

    #[test]
    fn a_value_that_is_no_tag_is_422_and_another_fault_of_an_event_500() {
        for (unfit, status) in [(true, 422), (false, 500)] {
            let cause = || match unfit {
                true => CodecError::unfit_tag("order.placed", "tag \"customer\": its value is empty"),
                false => CodecError::new("order.placed", "it could not be read back"),
            };
            let stream = StreamName::new("order-1").unwrap();
            let executed = ExecuteError::<Infallible>::Encode { stream: stream.clone(), cause: cause() };
            let decided = DecideError::Encode { stream, cause: cause() };
            for problem in [Problem::from(executed), Problem::from(decided)] {
                assert_eq!(problem.status, status, "{problem}");
                assert_eq!(problem.detail.contains("its value is empty"), unfit, "{problem}");
            }
        }
    }

    #[test]
    fn a_question_that_no_caller_can_ask_is_400_and_one_of_the_program_500() {
        let of = |error: QueryError| Problem::from(ReaderError::from(error)).status;
        assert_eq!(of(QueryError::OtherCursor { query: "members".into() }), 400);
        assert_eq!(of(QueryError::NotIndexed { table: "members", column: "days" }), 500);
    }
}
