//! What happened to a replay. Only transitions are events; progress is in the candidate's control row.
//!
//! An event is read as a whole or not at all: a type, version, mode or field that this release does not know is an error.
//! Only [`Plan`] and [`Difference`] may have unknown fields.

use crate::{Failure, ReplayMode};
use annals_derive::Event;
use annals_projection::{Difference, GenerationId, Plan};

/// An event of one replay, on its stream `$replay-<id>`.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event)]
#[non_exhaustive]
pub enum ReplayEvent {
    /// Somebody asked for it.
    #[event(type = "replay.requested", version = 1)]
    #[serde(deny_unknown_fields)]
    Requested {
        /// Which read model is to be rebuilt.
        read_model: String,
        /// From which sequence number on events are folded anew; 1: all of them.
        from: u64,
        /// How far it goes by itself.
        mode: ReplayMode,
    },
    /// A worker that hosts the read model said what it would do.
    #[event(type = "replay.planned", version = 1)]
    #[serde(deny_unknown_fields)]
    Planned {
        /// What it would do.
        plan: Plan,
    },
    /// The candidate generation is being made.
    #[event(type = "replay.restoring_begun", version = 1)]
    #[serde(deny_unknown_fields)]
    RestoringBegun {
        /// The candidate.
        generation: GenerationId,
        /// The sequence number of the snapshot it is made from; `None`: it begins empty.
        snapshot: Option<u64>,
    },
    /// The candidate is being folded from its snapshot to where the log ended when it was planned.
    #[event(type = "replay.folding_begun", version = 1)]
    #[serde(deny_unknown_fields)]
    FoldingBegun {
        /// The last sequence number that was in the candidate.
        checkpoint: u64,
    },
    /// The candidate is being folded to the place of the live generation.
    #[event(type = "replay.catching_up_begun", version = 1)]
    #[serde(deny_unknown_fields)]
    CatchingUpBegun {
        /// The last sequence number that was in the candidate.
        checkpoint: u64,
    },
    /// The candidate is being checked against the log and against the live generation.
    #[event(type = "replay.verifying_begun", version = 1)]
    #[serde(deny_unknown_fields)]
    VerifyingBegun {
        /// The last sequence number that was in the candidate.
        checkpoint: u64,
    },
    /// The candidate was checked and can be promoted.
    #[event(type = "replay.verified", version = 1)]
    #[serde(deny_unknown_fields)]
    Verified {
        /// What the candidate would change.
        difference: Difference,
    },
    /// Somebody, or the replay's mode, decided for the candidate.
    #[event(type = "replay.promotion_requested", version = 1)]
    #[serde(deny_unknown_fields)]
    PromotionRequested {},
    /// The candidate is live.
    #[event(type = "replay.promoted", version = 1)]
    #[serde(deny_unknown_fields)]
    Promoted {
        /// The candidate.
        generation: GenerationId,
        /// What was live before it; `None`: it was retired meanwhile.
        previous: Option<GenerationId>,
        /// The last sequence number in it when it became live.
        checkpoint: u64,
    },
    /// Somebody decided against the promoted generation.
    #[event(type = "replay.rollback_requested", version = 1)]
    #[serde(deny_unknown_fields)]
    RollbackRequested {},
    /// What was live before is live again.
    #[event(type = "replay.rolled_back", version = 1)]
    #[serde(deny_unknown_fields)]
    RolledBack {
        /// The generation that is live again.
        generation: GenerationId,
        /// How many sequence numbers it was behind the log.
        behind: u64,
    },
    /// What was live before cannot be made live again. The promoted generation stays.
    #[event(type = "replay.rollback_failed", version = 1)]
    #[serde(deny_unknown_fields)]
    RollbackFailed {
        /// Why.
        reason: String,
    },
    /// Nobody wants the previous generation any more: it is being removed, and there is no way back to it.
    #[event(type = "replay.retired", version = 1)]
    #[serde(deny_unknown_fields)]
    Retired {
        /// The generation that is gone.
        generation: GenerationId,
    },
    /// Somebody stopped it before it was promoted.
    #[event(type = "replay.cancelled", version = 1)]
    #[serde(deny_unknown_fields)]
    Cancelled {},
    /// A newer candidate of the same read model is ready: this one is not wanted any more.
    #[event(type = "replay.superseded", version = 1)]
    #[serde(deny_unknown_fields)]
    Superseded {
        /// The replay whose candidate that is.
        by: String,
    },
    /// A generation that nobody needs any more was discarded: nothing can be done with it, and its files are gone or
    /// go when the last that may still read them is done.
    #[event(type = "replay.discarded", version = 1)]
    #[serde(deny_unknown_fields)]
    Discarded {
        /// The generation.
        generation: GenerationId,
    },
    /// A generation that nobody needs any more could not be discarded. It is still there.
    #[event(type = "replay.discard_failed", version = 1)]
    #[serde(deny_unknown_fields)]
    DiscardFailed {
        /// The generation.
        generation: GenerationId,
        /// Why.
        reason: String,
    },
    /// It cannot be done. The live generation is untouched.
    #[event(type = "replay.failed", version = 1)]
    #[serde(deny_unknown_fields)]
    Failed {
        /// Why.
        failure: Failure,
    },
}
