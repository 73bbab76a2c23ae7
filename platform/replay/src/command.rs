//! What can be asked of a replay, and why it is refused.

use crate::{Phase, ReplayId, ReplayMode};
use annals_projection::{Difference, GenerationId, Plan};

/// What can be asked of a replay, by an operator or by the worker that carries it out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplayCommand {
    /// An operator: begin.
    Request {
        /// Which read model.
        read_model: String,
        /// From which sequence number on.
        from: u64,
        /// How far.
        mode: ReplayMode,
    },
    /// An operator: make the candidate live.
    Promote,
    /// An operator: stop; discard the candidate.
    Cancel,
    /// An operator: make the previous generation live again.
    RollBack,
    /// An operator: retire the previous generation, for good.
    Retire,
    /// The worker: this is the plan.
    Plan(Plan),
    /// The worker: the candidate is being made.
    Restore {
        /// The candidate's id.
        generation: GenerationId,
    },
    /// The worker: the candidate is being folded.
    Fold {
        /// The last sequence number in it.
        checkpoint: u64,
    },
    /// The worker: the candidate follows the live generation.
    CatchUp {
        /// The last sequence number in it.
        checkpoint: u64,
    },
    /// The worker: the candidate is being checked.
    Verify {
        /// The last sequence number in it.
        checkpoint: u64,
    },
    /// The worker: the candidate was checked.
    RecordVerified(Difference),
    /// The worker: the candidate is live.
    RecordPromoted {
        /// What was live before; `None`: it was retired meanwhile.
        previous: Option<GenerationId>,
        /// The last sequence number in the candidate.
        checkpoint: u64,
    },
    /// The worker: the previous generation is live again.
    RecordRolledBack {
        /// How many sequence numbers it is behind the log.
        behind: u64,
    },
    /// The worker: a newer candidate of the same read model is ready.
    Supersede {
        /// The replay whose candidate it is.
        by: ReplayId,
    },
    /// The worker: the previous generation was retired.
    RecordRetired,
    /// The worker: the candidate, which is not wanted, was discarded.
    RecordDiscarded,
    /// The worker: the step of this phase cannot be done. Where another worker has done it, that counts.
    Fail {
        /// The phase.
        phase: Phase,
        /// Why.
        reason: String,
    },
    /// The worker: the previous generation cannot be made live again.
    FailRollback {
        /// Why.
        reason: String,
    },
    /// The worker: the previous generation cannot be retired.
    FailRetirement {
        /// Why.
        reason: String,
    },
    /// The worker: the candidate cannot be discarded.
    FailDiscard {
        /// Why.
        reason: String,
    },
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayRefused {
    /// There is no such replay.
    #[error("there is no such replay; list the replays to see their ids")]
    Unknown,
    /// The id is taken.
    #[error(
        "a replay with this id was requested before, with another read model, `from` or mode; use a new id"
    )]
    AlreadyRequested,
    /// Not in this phase.
    #[error("the replay is {phase}: {why}")]
    WrongPhase {
        /// Where it is.
        phase: Phase,
        /// Why that does not allow it.
        why: &'static str,
    },
    /// Where it is, is not known.
    #[error("{reason}")]
    Unreadable {
        /// Why not.
        reason: String,
    },
}
