//! What a catalog says of generations, and what a generation says of itself.

use super::Schema;
use crate::{
    generation::{GenerationId, Tally},
    identifier::ModelName,
    version::{FoldVersion, SchemaHash},
};
use annals_event::{LogId, Sequence};
use annals_store::SeenLog;
use std::{fmt, time::Duration};

/// Where a read model with certain tables has its pointer. Releases with other tables have another slot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The read model.
    pub model: ModelName,
    /// Which tables it has.
    pub schema: SchemaHash,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with tables {}", self.model, self.schema)
    }
}

/// What is live in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// The generation that readers see.
    pub generation: GenerationId,
    /// The one that was live before, for a rollback.
    pub previous: Option<GenerationId>,
    /// Grows with every change.
    pub epoch: u64,
}

/// What a generation is, by the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationState {
    /// Its rows may be incomplete.
    Creating,
    /// It can be folded, promoted and read.
    Ready,
    /// Its rows go after a grace period.
    Retired,
}

impl GenerationState {
    /// The state as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Retired => "retired",
        }
    }
    /// The state that is stored as `text`; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Creating, Self::Ready, Self::Retired].into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for GenerationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A generation in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationEntry {
    /// Its id.
    pub id: GenerationId,
    /// What it is.
    pub state: GenerationState,
    /// The snapshot that it was restored from.
    pub snapshot: Option<String>,
    /// How long ago it was made, or retired.
    pub age: Duration,
}

/// What a generation says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationStatus {
    /// The read model's name.
    pub model: String,
    /// Which tables it has.
    pub schema_hash: SchemaHash,
    /// Which fold made its rows.
    pub fold_version: FoldVersion,
    /// Which events the fold reads, hashed.
    pub filter_hash: String,
    /// The log that it was folded from.
    pub log_id: LogId,
    /// Events up to here are not in the counts.
    pub base: Sequence,
    /// Every event up to here is in the rows.
    pub checkpoint: Sequence,
    /// The log's chain value there: tells the log from the same one restored from a backup. `None`: it is not known.
    pub chain: Option<[u8; 16]>,
    /// Who may write: the one who raised it last.
    pub epoch: u64,
    /// The applied events above the base.
    pub applied: Tally,
    /// The parked events above the base.
    pub parked: Tally,
}

impl GenerationStatus {
    /// The log that its rows were folded from, up to its checkpoint.
    pub const fn seen(&self) -> SeenLog {
        SeenLog { log_id: self.log_id, through: self.checkpoint, chain: self.chain }
    }
}

/// A generation that is to be made.
#[derive(Clone, Debug)]
pub struct GenerationSpec {
    /// Its id.
    pub id: GenerationId,
    /// Where it belongs.
    pub slot: Slot,
    /// Its tables.
    pub schema: Schema,
    /// What it says of itself once it is finished.
    pub status: GenerationStatus,
    /// The snapshot that it is restored from.
    pub snapshot: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a generation is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is read from the beginning: its indexes are there.
    Live,
    /// It is filled first: its indexes are made by [`Writer::finish`](super::Writer::finish).
    Candidate,
    /// It is filled, looked at and removed; the catalog's list does not have it. What a crash leaves of it is removed within a day.
    Scratch,
}

/// A change of a slot's pointer, and of the states of its generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The slot.
    pub slot: Slot,
    /// What its pointer has to be; `None`: there is none yet.
    pub expect: Option<Live>,
    /// What it becomes; `None`: it stays.
    pub set: Option<Live>,
    /// The generations that are retired, unless they are already.
    pub retire: Vec<GenerationId>,
}

/// Where a transaction brings a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The checkpoint.
    pub through: Sequence,
    /// The log's chain value there; `None`: it is not known.
    pub chain: Option<[u8; 16]>,
    /// All applied events above the base.
    pub applied: Tally,
}

/// Which generation is viewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// What is live.
    Live,
    /// This one.
    Generation(GenerationId),
}

/// Tells what stands in a generation's place from what stood there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance(pub u128);
