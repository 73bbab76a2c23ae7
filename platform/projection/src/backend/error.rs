/// Why a database did not do what it was asked. Each text is the database's own, with nothing of the library that talks to it.
///
/// The class decides what happens: what may pass is tried again and parks nothing; what is wrong with the data is the event's
/// fault; anything else stops that consumer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It does not answer, or cannot be opened. This may pass.
    #[error("{reason}")]
    Away {
        /// What it says.
        reason: String,
    },
    /// Somebody else holds what the statement needs. This passes.
    #[error("{reason}")]
    Busy {
        /// What it says.
        reason: String,
    },
    /// It has no room. This may pass.
    #[error("{reason}")]
    Full {
        /// What it says.
        reason: String,
    },
    /// Whether the transaction was committed is not known. Whoever goes on looks first.
    #[error("it is not known whether the transaction was committed: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The catalog was deleted or replaced while it was in use, and there is no other in its place yet. This may pass.
    #[error("{place} was deleted or replaced while it was in use, and cannot be reopened: {reason}")]
    Gone {
        /// The catalog.
        place: String,
        /// What keeps it from being opened.
        reason: String,
    },
    /// A value that a column cannot hold, or a constraint that it breaks.
    #[error("{reason}")]
    Data {
        /// What it says.
        reason: String,
    },
    /// Somebody else took the generation over, or has moved its checkpoint. Nothing was written.
    #[error("another worker has taken over; the generation's epoch is {found}")]
    Fenced {
        /// The epoch that the generation has; 0: it could not be read.
        found: u64,
    },
    /// The pointer is not what was expected. Nothing was changed.
    #[error("another generation was made live in the meantime")]
    Moved,
    /// Nothing is live in the slot yet.
    #[error("no generation is live yet")]
    NoneLive,
    /// There is no such generation.
    #[error("there is no generation {id}")]
    NoGeneration {
        /// Its id.
        id: String,
    },
    /// The catalog or the generation has a format of another release. It is not written.
    #[error("{place} has format {found}, and this release reads format {known}")]
    Format {
        /// What has it.
        place: String,
        /// The format that it has.
        found: i64,
        /// The format that this release reads.
        known: i64,
    },
    /// The catalog or the generation is damaged.
    #[error("{place} is damaged: {reason}")]
    Damaged {
        /// What is damaged.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What happened.
        reason: String,
    },
    /// Anything else: a statement that is wrong, a right that is missing.
    #[error("{reason}")]
    Denied {
        /// What it says.
        reason: String,
    },
}

impl DatabaseError {
    /// Whether the same may succeed later, with nothing changed but the database's circumstances.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Away { .. }
                | Self::Busy { .. }
                | Self::Full { .. }
                | Self::Unknown { .. }
                | Self::Gone { .. }
        )
    }

    /// Whether what is stored is damaged.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// A statement that is wrong, or a right that is missing.
    pub fn denied(reason: impl ToString) -> Self {
        Self::Denied { reason: reason.to_string() }
    }

    /// What is stored in `place` is damaged.
    pub fn damaged(place: impl ToString, reason: impl ToString) -> Self {
        Self::Damaged { place: place.to_string(), reason: reason.to_string() }
    }
}
