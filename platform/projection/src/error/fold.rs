use crate::{backend::DatabaseError, projection::ApplyError};
use annals_event::{EventId, EventRef, Recorded, Sequence};
use annals_store::{LogMismatch, ReadError};
use std::fmt;

/// What cannot be done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// What is stored is no event of its type.
    Unreadable,
    /// It does not fit the rows, or its projection refuses it.
    Unfit,
}

impl fmt::Display for EventFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "cannot be read",
            Self::Unfit => "cannot be applied",
        })
    }
}

/// An event that a projection could not apply. Its text names the rows and may have what stands in the event: it is for
/// those who may see these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {id} at sequence number {sequence} of stream {stream:?} {fault}: {reason}")]
pub struct EventError {
    /// Its place.
    pub sequence: Sequence,
    /// Its id.
    pub id: EventId,
    /// Its stream.
    pub stream: String,
    /// What cannot be done with it.
    pub fault: EventFault,
    /// What is wrong.
    pub reason: String,
}

impl EventError {
    /// Of an event that cannot be read.
    pub(crate) fn of_ref(event: &EventRef<'_>, reason: String) -> Self {
        let (stream, fault) = (event.stream().to_owned(), EventFault::Unreadable);
        Self { sequence: event.sequence(), id: event.id(), stream, fault, reason }
    }
    /// Of an event that does not fit.
    pub(crate) fn of<E>(event: &Recorded<E>, reason: String) -> Self {
        let (stream, fault) = (event.stream.to_string(), EventFault::Unfit);
        Self { sequence: event.sequence, id: event.id, stream, fault, reason }
    }
    /// What everybody may be told: which event it is, and nothing that stands in it, in a row or in a stream's id.
    pub fn outline(&self) -> String {
        let category = self.stream.split_once('-').map_or(self.stream.as_str(), |(category, _)| category);
        let Self { sequence, fault, .. } = self;
        format!("event {sequence}, of category {category:?}, {fault}; the process's log lines say why")
    }
    /// The event's error, or the database's if that may pass.
    pub(crate) fn from_apply<E>(event: &Recorded<E>, error: ApplyError) -> FoldError {
        match error {
            ApplyError::Database(error) if error.is_transient() || error.is_damage() => {
                FoldError::Database(error)
            }
            other => FoldError::Event(Self::of(event, other.to_string())),
        }
    }
}

/// Why a fold did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// An event cannot be applied, now or later.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Somebody else took over the generation. Nothing of the batch was written.
    #[error(
        "another worker has taken over generation {generation}: its epoch is {found}, this worker's was {mine}; \
         only the newest may write"
    )]
    Fenced {
        /// The generation.
        generation: String,
        /// The epoch of this worker.
        mine: u64,
        /// The epoch of the other.
        found: u64,
    },
    /// The store does not hold the log that the generation was folded from: another one, or the same restored from a
    /// backup. Nothing was written.
    #[error(
        "generation {generation} is not folded further: {mismatch}. Nothing is written to it, and its rows can still be \
         read; a replay from the beginning, or from a snapshot that its plan accepts, rebuilds it from this log"
    )]
    OtherLog {
        /// The generation.
        generation: String,
        /// How they differ.
        mismatch: LogMismatch,
    },
    /// The generation's database did not answer, is damaged, or refused a statement.
    #[error("the read model's database: {0}")]
    Database(DatabaseError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// Code that is no projection's panicked: a fault of the platform or of the event store's adapter. Nothing of the
    /// batch was written.
    #[error("the fold panicked; the message is on standard error. Restart the process, and report it")]
    Panicked,
}

impl From<DatabaseError> for FoldError {
    fn from(cause: DatabaseError) -> Self {
        Self::Database(cause)
    }
}

impl FoldError {
    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => error.is_transient(),
            Self::Log(error) => error.may_pass(),
            _ => false,
        }
    }
}
