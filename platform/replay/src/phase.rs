//! How far a replay goes, where it is, and why it failed, as its events store it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a replay goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayMode {
    /// A dry run: plan, touch nothing.
    Plan,
    /// Build and verify the candidate, then wait for somebody to promote it. One candidate of a read model waits: when a newer
    /// one is ready, the older is superseded and its candidate discarded.
    #[default]
    Build,
    /// Build, verify, and promote when the candidate's rows equal the live ones; else wait.
    PromoteIfIdentical,
    /// Build, verify completeness, and promote whatever rows differ: the new rows are what is wanted.
    Promote,
}

/// Why a replay ended without a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was doing.
    pub phase: Phase,
    /// What happened.
    pub reason: String,
}

/// Where a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Nobody asked for it.
    #[default]
    Unknown,
    /// Asked for.
    Requested,
    /// Planned; a dry run ends here.
    Planned,
    /// The candidate is being made.
    Restoring,
    /// The candidate is being folded.
    Folding,
    /// The candidate follows the live generation.
    CatchingUp,
    /// The candidate is being checked.
    Verifying,
    /// The candidate can be promoted.
    Ready,
    /// The candidate is being promoted.
    Promoting,
    /// The candidate is live.
    Promoted,
    /// The previous generation is being made live again.
    RollingBack,
    /// The previous generation is live again.
    RolledBack,
    /// The previous generation is being retired.
    Retiring,
    /// The previous generation was retired: there is no way back to it.
    Retired,
    /// Stopped before it was promoted.
    Cancelled,
    /// A newer candidate of the same read model is ready in its place.
    Superseded,
    /// Ended by an error.
    Failed,
    /// An event on its stream cannot be read by this release, which therefore does not know where it is.
    Unreadable,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Requested => "requested",
            Self::Planned => "planned",
            Self::Restoring => "restoring",
            Self::Folding => "folding",
            Self::CatchingUp => "catching up",
            Self::Verifying => "verifying",
            Self::Ready => "ready",
            Self::Promoting => "promoting",
            Self::Promoted => "promoted",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
        })
    }
}
