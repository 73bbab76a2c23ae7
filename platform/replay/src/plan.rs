//! The facts of a replay that are stored in its events: what was asked, planned, found and failed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a replay goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayMode {
    /// A dry run: plan, touch nothing.
    Plan,
    /// Build and verify the candidate, then wait for somebody to promote it. One candidate of a read model waits: when a newer
    /// one is ready, the older is superseded and removed.
    #[default]
    Build,
    /// Build, verify, and promote when the candidate's rows equal the live ones; else wait.
    PromoteIfIdentical,
    /// Build, verify completeness, and promote whatever rows differ: the new rows are what is wanted.
    Promote,
}

/// What a replay would do, as the worker that hosts the read model sees it. A promise of nothing: the log grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The snapshot to start from; `None`: start empty.
    pub snapshot: Option<PlannedSnapshot>,
    /// Newer snapshots that were not chosen, and why; at most [`Plan::PASSED_OVER_MAX`].
    pub passed_over: Vec<PassedOver>,
    /// The first sequence number that is folded.
    pub fold_from: u64,
    /// The end of the log when the plan was made.
    pub head: u64,
    /// So many events of the read model are between the two, a snapshot's not among them: exactly, unless the live generation
    /// is far behind the log, or its count and the snapshot's begin at two places.
    pub events: u64,
    /// About so many bytes of records are read.
    pub log_bytes: u64,
    /// About so many bytes of disk are needed.
    pub disk_bytes: u64,
    /// About so many milliseconds it takes; `None`: nothing was measured yet.
    pub estimated_ms: Option<u64>,
    /// Why it cannot be done; the replay is refused. `None`: it can.
    pub refusal: Option<String>,
}

impl Plan {
    /// How many snapshots that were passed over a plan names.
    pub const PASSED_OVER_MAX: usize = 20;
}

/// A snapshot that a plan starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSnapshot {
    /// Its name.
    pub name: String,
    /// The last sequence number in it.
    pub sequence: u64,
}

/// A snapshot that a plan does not use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Its name.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// How the candidate's rows differ from the live generation's at the same sequence number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The sequence number at which both were compared.
    pub sequence: u64,
    /// Rows of the candidate that the live generation has not.
    pub added: u64,
    /// Rows of the live generation that the candidate has not.
    pub removed: u64,
    /// Rows of both with other values.
    pub changed: u64,
    /// Rows of both with the same values.
    pub same: u64,
    /// Events of the read model that are in the candidate up to `sequence`, those of its snapshot among them, counted as they
    /// were folded.
    pub complete_events: u64,
    /// The same counted in the log. The two are equal, and so are sums over the events' ids, or the replay fails. `None`: the
    /// release that verified the candidate did not note it.
    #[serde(default)]
    pub log_events: Option<u64>,
    /// Some of the rows that differ; at most [`Difference::SAMPLES_MAX`].
    pub samples: Vec<RowSample>,
}

impl Difference {
    /// How many rows that differ are given as samples.
    pub const SAMPLES_MAX: usize = 50;

    /// Whether no row differs.
    pub fn is_none(&self) -> bool {
        self.added == 0 && self.removed == 0 && self.changed == 0
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, removed, changed, same, .. } = self;
        write!(f, "rows added: {added}, removed: {removed}, changed: {changed}, the same: {same}")
    }
}

/// One row that differs. Long values are cut, so that the event fits into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSample {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// The live row's differing columns as `column=value`; `None`: there is no live row.
    pub live: Option<String>,
    /// The candidate's differing columns as `column=value`; `None`: the candidate has no such row.
    pub candidate: Option<String>,
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
    /// The former generation is being made live again.
    RollingBack,
    /// The former generation is live again.
    RolledBack,
    /// The former generation is gone.
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
            Self::Retired => "retired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
        })
    }
}
