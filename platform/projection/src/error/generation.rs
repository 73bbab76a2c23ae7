use crate::{FoldError, backend::DatabaseError};
use annals_event::Sequence;
use annals_store::{Activity, LogMismatch, ReadError};
use std::io;

/// Why something could not be done with a generation. Nothing else was harmed by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerationError {
    /// There is no generation of this id.
    #[error("there is no generation {id} of read model {model:?} with these tables")]
    Unknown {
        /// The id.
        id: String,
        /// The read model.
        model: String,
    },
    /// The generation was retired, or never became complete.
    #[error("generation {id} is {state}, so it cannot be used")]
    Unusable {
        /// The id.
        id: String,
        /// What it is.
        state: String,
    },
    /// No generation is live yet.
    #[error("read model {model:?} has no live generation yet; start its projector once")]
    NoneLive {
        /// The read model.
        model: String,
    },
    /// The generation is not the previous one.
    #[error(
        "generation {id} is not the previous generation of read model {model:?}; only that one can be rolled back to"
    )]
    NotPrevious {
        /// The id.
        id: String,
        /// The read model.
        model: String,
    },
    /// The live generation can be neither retired nor discarded.
    #[error("generation {id} is live and can be neither retired nor discarded; promote another one first")]
    InUse {
        /// The id.
        id: String,
    },
    /// Only its projector writes the live generation.
    #[error("generation {id} is live, so only its projector writes it; build a candidate under another id")]
    Live {
        /// The id.
        id: String,
    },
    /// The program's fold cannot go on with the generation.
    #[error("generation {id} cannot be folded by this program: {reason}")]
    OtherFold {
        /// The id.
        id: String,
        /// Why.
        reason: String,
    },
    /// A candidate contains more than the generation that it is to be compared with.
    #[error(
        "the candidate is at sequence number {candidate}, ahead of the live generation, which stays at {live}; they can only \
         be compared at the same place. Start the projector, or build a new candidate"
    )]
    CandidateAhead {
        /// The candidate's checkpoint.
        candidate: Sequence,
        /// The live generation's.
        live: Sequence,
    },
    /// A candidate does not contain exactly the log's events.
    #[error("candidate {id} is not complete: {reason}")]
    Incomplete {
        /// The candidate.
        id: String,
        /// What it has and what it should have.
        reason: String,
    },
    /// The log does not reach as far as was asked for.
    #[error(
        "sequence number {through} lies beyond the log's head {head}; ask for one that the log has, or wait until it does"
    )]
    BeyondHead {
        /// What was asked for.
        through: Sequence,
        /// The log's last sequence number.
        head: Sequence,
    },
    /// The pointer to the live generation was changed by somebody else in the meantime.
    #[error("another generation was made live in the meantime; check which one is live and try again")]
    PointerMoved,
    /// The data folder was deleted or replaced while it was in use, and there is no other in its place yet.
    #[error(
        "the data folder {folder} was deleted or replaced while it was in use, and cannot be reopened: {reason}"
    )]
    FolderGone {
        /// The folder.
        folder: String,
        /// What keeps it from being opened.
        reason: String,
    },
    /// The catalog or a generation's file has a format of another release. It is not written.
    #[error(
        "{file} has format {found}, and this release reads format {known}; start the release that wrote it, or a newer one"
    )]
    Format {
        /// The file.
        file: String,
        /// The format that it has.
        found: i64,
        /// The format that this release reads.
        known: i64,
    },
    /// The catalog or a generation's file is damaged.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The fold stopped.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The database did not answer or refused.
    #[error("the read model's database: {0}")]
    Database(DatabaseError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// A snapshot could not be used.
    #[error(transparent)]
    Snapshot(#[from] crate::SnapshotError),
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What happened.
        error: io::Error,
    },
}

impl From<DatabaseError> for GenerationError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Moved => Self::PointerMoved,
            DatabaseError::Gone { place, reason } => Self::FolderGone { folder: place, reason },
            DatabaseError::Format { place, found, known } => Self::Format { file: place, found, known },
            DatabaseError::Damaged { place, reason } => Self::Damaged { file: place, reason },
            DatabaseError::File { path, reason } => Self::File { path, error: io::Error::other(reason) },
            other => Self::Database(other),
        }
    }
}

impl GenerationError {
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error: io::Error| {
            let error = match error.kind() {
                // Where a folder was to be made.
                kind @ io::ErrorKind::AlreadyExists if path.is_file() => {
                    io::Error::new(kind, "it is a file and no folder")
                }
                _ => error,
            };
            Self::File { path: path.display().to_string(), error }
        }
    }

    /// How the log differs from the one that the generation was folded from, if that is the error.
    pub fn log_mismatch(&self) -> Option<&LogMismatch> {
        match self {
            Self::Fold(FoldError::OtherLog { mismatch, .. }) => Some(mismatch),
            _ => None,
        }
    }

    /// What a projector does that waits for the error to pass.
    pub(crate) fn waiting(&self) -> Activity {
        match self {
            Self::Log(error) | Self::Fold(FoldError::Log(error)) => Activity::waiting_for(error),
            other => Activity::waiting(other.to_string(), false),
        }
    }

    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fold(error) => error.is_transient(),
            Self::Database(error) => error.is_transient(),
            Self::Log(error) => error.may_pass(),
            Self::FolderGone { .. } => true,
            _ => false,
        }
    }
}
