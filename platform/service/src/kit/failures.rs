//! Which failures of a service's parts may be gone when the part is started again.
//!
//! What always holds:
//!
//! * What ends the same way each time stays stopped until people mend it: an event that cannot be handled, a command that is
//!   refused, a log that is damaged, one from which retention dropped what a reactor needs.
//! * A part whose work another copy took over tries again every [`TAKE_OVER_WAIT`]: the copy may be the old one of a rolling update,
//!   which goes in a moment.
//! * A read model whose events retention dropped is tried again, since it goes on from what a replay makes live; so is the list of
//!   replays, which begins with what is still there.

use super::supervise::Failure;
use annals_aggregate::LoadError;
use annals_projection::{FoldError, GenerationError, ProjectorError};
use annals_reactor::ReactorError;
use annals_replay::WorkerError;
use annals_store::ReadError;
use std::time::Duration;

/// How long a part leaves its work to another copy before it tries again. Two copies that live on get into each other's way no
/// more often.
pub(super) const TAKE_OVER_WAIT: Duration = Duration::from_secs(10);

/// Whether another copy folds the read model.
pub(super) fn is_fenced(error: &ProjectorError) -> bool {
    matches!(error.fold_error(), Some(FoldError::Fenced { .. }))
}

pub(super) fn of_projector(error: ProjectorError) -> Failure {
    if is_fenced(&error) {
        return Failure::passing(error).after(TAKE_OVER_WAIT);
    }
    let ProjectorError::Generation(cause) = &error else { return Failure::by_people(error) };
    let may_pass = match cause {
        GenerationError::Log(cause) | GenerationError::Fold(FoldError::Log(cause)) => may_be_read(cause),
        GenerationError::Fold(FoldError::Database(_) | FoldError::Panicked) => true,
        GenerationError::Database(_) | GenerationError::Snapshot(_) | GenerationError::File { .. } => true,
        GenerationError::PointerMoved | GenerationError::NoneLive { .. } => true,
        other => other.is_transient(),
    };
    if may_pass { Failure::passing(error) } else { Failure::by_people(error) }
}

pub(super) fn of_reactor(error: ReactorError) -> Failure {
    let may_pass = match &error {
        ReactorError::Fenced { .. } => return Failure::passing(error).after(TAKE_OVER_WAIT),
        ReactorError::Read(cause) | ReactorError::Load(LoadError::Read { cause, .. }) => {
            may_be_read(cause) && !matches!(cause, ReadError::BelowStart { .. })
        }
        other => other.is_retryable(),
    };
    if may_pass { Failure::passing(error) } else { Failure::by_people(error) }
}

pub(super) fn of_replays(error: WorkerError) -> Failure {
    match &error {
        WorkerError::Follow(cause) if !may_be_read(cause) => Failure::by_people(error),
        _ => Failure::passing(error),
    }
}

/// Whether the log may be read the next time, perhaps from elsewhere.
fn may_be_read(error: &ReadError) -> bool {
    !matches!(error, ReadError::Invalid { .. } | ReadError::Corrupted(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_aggregate::FoldError as StateError;
    use annals_event::{Sequence, Version};

    fn dropped() -> ReadError {
        ReadError::BelowStart { requested: Sequence::new(3), first: Sequence::new(9) }
    }

    fn away() -> ReadError {
        ReadError::Unavailable { reason: "no route".to_owned() }
    }

    #[test]
    fn a_reactor_that_would_end_the_same_way_again_stays_stopped() {
        let gap = StateError::Gap {
            stream: "order-1".to_owned(),
            expected: Version::new(1),
            found: Version::new(4),
        };
        for error in [ReactorError::Load(gap.into()), dropped().into()] {
            let told = error.to_string();
            assert!(of_reactor(error).by_people, "{told}");
        }
        assert!(!of_reactor(away().into()).by_people);
        assert!(!of_replays(WorkerError::Follow(dropped())).by_people);
    }

    #[test]
    fn a_read_model_waits_for_a_replay_and_for_the_log() {
        let of = |cause| of_projector(GenerationError::Log(cause).into()).by_people;
        assert!(!of(dropped()) && !of(away()));
        assert!(of(ReadError::Invalid { reason: "no".to_owned() }));
    }

    #[test]
    fn what_another_copy_took_over_is_tried_again_after_a_while() {
        let fenced = FoldError::Fenced { generation: "g".to_owned(), mine: 1, found: 2 };
        let failure = of_projector(GenerationError::Fold(fenced).into());
        assert_eq!((failure.by_people, failure.wait), (false, Some(TAKE_OVER_WAIT)));
    }
}
