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
    Requested(Requested),
    /// A worker that hosts the read model said what it would do.
    Planned(Planned),
    /// The candidate generation is being made.
    RestoringBegun(RestoringBegun),
    /// The candidate is being folded from its snapshot to where the log ended when it was planned.
    FoldingBegun(FoldingBegun),
    /// The candidate is being folded to the place of the live generation.
    CatchingUpBegun(CatchingUpBegun),
    /// The candidate is being checked against the log and against the live generation.
    VerifyingBegun(VerifyingBegun),
    /// The candidate was checked and can be promoted.
    Verified(Verified),
    /// Somebody, or the replay's mode, decided for the candidate.
    PromotionRequested(PromotionRequested),
    /// The candidate is live.
    Promoted(Promoted),
    /// Somebody decided against the promoted generation.
    RollbackRequested(RollbackRequested),
    /// What was live before is live again.
    RolledBack(RolledBack),
    /// What was live before cannot be made live again. The promoted generation stays.
    RollbackFailed(RollbackFailed),
    /// Somebody decided against the way back to the previous generation.
    RetirementRequested(RetirementRequested),
    /// The previous generation was retired: there is no way back to it.
    Retired(Retired),
    /// The previous generation cannot be retired. It is still there.
    RetirementFailed(RetirementFailed),
    /// Somebody stopped it before it was promoted.
    Cancelled(Cancelled),
    /// A newer candidate of the same read model is ready: this one is not wanted any more.
    Superseded(Superseded),
    /// The candidate of a replay that ended before it was live was discarded: its file is gone.
    Discarded(Discarded),
    /// That candidate could not be discarded. It is still there.
    DiscardFailed(DiscardFailed),
    /// It cannot be done. The live generation is untouched.
    Failed(Failed),
}

/// Somebody asked for it.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.requested", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// Which read model is to be rebuilt.
    pub read_model: String,
    /// From which sequence number on events are folded anew; 1: all of them.
    pub from: u64,
    /// How far it goes by itself.
    pub mode: ReplayMode,
}

/// A worker that hosts the read model said what it would do.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.planned", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What it would do.
    pub plan: Plan,
}

/// The candidate generation is being made.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.restoring_begun", version = 1)]
#[serde(deny_unknown_fields)]
pub struct RestoringBegun {
    /// The candidate.
    pub generation: GenerationId,
    /// The sequence number of the snapshot it is made from; `None`: it begins empty.
    pub snapshot: Option<u64>,
}

/// The candidate is being folded from its snapshot to where the log ended when it was planned.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.folding_begun", version = 1)]
#[serde(deny_unknown_fields)]
pub struct FoldingBegun {
    /// The last sequence number that was in the candidate.
    pub checkpoint: u64,
}

/// The candidate is being folded to the place of the live generation.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.catching_up_begun", version = 1)]
#[serde(deny_unknown_fields)]
pub struct CatchingUpBegun {
    /// The last sequence number that was in the candidate.
    pub checkpoint: u64,
}

/// The candidate is being checked against the log and against the live generation.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.verifying_begun", version = 1)]
#[serde(deny_unknown_fields)]
pub struct VerifyingBegun {
    /// The last sequence number that was in the candidate.
    pub checkpoint: u64,
}

/// The candidate was checked and can be promoted.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.verified", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// What the candidate would change.
    pub difference: Difference,
}

/// Somebody, or the replay's mode, decided for the candidate.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.promotion_requested", version = 1)]
#[serde(deny_unknown_fields)]
pub struct PromotionRequested {}

/// The candidate is live.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.promoted", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Promoted {
    /// The candidate.
    pub generation: GenerationId,
    /// What was live before it; `None`: it was retired meanwhile.
    pub previous: Option<GenerationId>,
    /// The last sequence number in it when it became live.
    pub checkpoint: u64,
}

/// Somebody decided against the promoted generation.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.rollback_requested", version = 1)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequested {}

/// What was live before is live again.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.rolled_back", version = 1)]
#[serde(deny_unknown_fields)]
pub struct RolledBack {
    /// The generation that is live again.
    pub generation: GenerationId,
    /// How many sequence numbers it was behind the log.
    pub behind: u64,
}

/// What was live before cannot be made live again. The promoted generation stays.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.rollback_failed", version = 1)]
#[serde(deny_unknown_fields)]
pub struct RollbackFailed {
    /// Why.
    pub reason: String,
}

/// Somebody decided against the way back to the previous generation.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.retirement_requested", version = 1)]
#[serde(deny_unknown_fields)]
pub struct RetirementRequested {}

/// The previous generation was retired: there is no way back to it. Its file goes when those who may still read it are done.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.retired", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// The generation.
    pub generation: GenerationId,
}

/// The previous generation cannot be retired. It is still there.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.retirement_failed", version = 1)]
#[serde(deny_unknown_fields)]
pub struct RetirementFailed {
    /// Why.
    pub reason: String,
}

/// Somebody stopped it before it was promoted.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.cancelled", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {}

/// A newer candidate of the same read model is ready: this one is not wanted any more.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.superseded", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Superseded {
    /// The replay whose candidate that is.
    pub by: String,
}

/// The candidate of a replay that ended before it was live was discarded: its file is gone.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.discarded", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Discarded {
    /// The generation.
    pub generation: GenerationId,
}

/// That candidate could not be discarded. It is still there.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.discard_failed", version = 1)]
#[serde(deny_unknown_fields)]
pub struct DiscardFailed {
    /// The generation.
    pub generation: GenerationId,
    /// Why.
    pub reason: String,
}

/// It cannot be done. The live generation is untouched.
#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "replay.failed", version = 1)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
}
