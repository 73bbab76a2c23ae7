use annals_aggregate::LoadError;
use annals_event::{CodecError, Conflict, EventRef, InvalidName, MarkName, Panicked, Sequence};
use annals_store::{Activity, AppendError, ReadError};

/// Why a reactor stopped. Everything up to its mark has been handled, nothing after it has; it goes on from there
/// when it is started again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReactorError {
    /// The reactor's name, or one of the types of its events, is not a name.
    #[error("the reactor cannot be built: {0}")]
    InvalidName(InvalidName),
    /// It has no handlers.
    #[error("the reactor {name:?} reacts to nothing; say what it does with `on`")]
    NoHandlers {
        /// Its name.
        name: String,
    },
    /// It is said twice what a refusal of one type of aggregates does.
    #[error(
        "the reactor {name:?} says twice what it does when an aggregate of category {category:?} refuses; say it in one \
         `on_refused`"
    )]
    RefusalsTwice {
        /// Its name.
        name: String,
        /// The aggregates' category.
        category: &'static str,
    },
    /// Another copy of the reactor handles the events: the mark is further than this copy set it. Started again, this one begins at
    /// the mark that is there; nothing is done twice, whether the other one still works or not.
    #[error(
        "another copy of the reactor is at work: mark {mark:?} is {}, this copy left it {}",
        place(*actual),
        place(*expected)
    )]
    Fenced {
        /// The reactor's mark.
        mark: MarkName,
        /// Where this copy left it; `None`: unset.
        expected: Option<Sequence>,
        /// Where it is.
        actual: Option<Sequence>,
    },
    /// An aggregate refused a command, and the reactor says to stop then.
    #[error(
        "event {sequence} of stream {stream:?}: aggregate {id:?} refuses the command that it gives rise to: {cause}"
    )]
    Rejected {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// The aggregate.
        id: String,
        /// Why it refuses.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A reaction names an aggregate that cannot be.
    #[error("event {sequence} of stream {stream:?}: {id:?} is not the id of an aggregate: {cause}")]
    InvalidTarget {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// What the reaction names.
        id: String,
        /// What is wrong with it.
        cause: InvalidName,
    },
    /// A source event gives rise to commands for one stream as two types of aggregates, which cannot see each other's events.
    #[error(
        "event {sequence} of stream {stream:?} gives rise to commands for aggregates of two types with id {id:?} and one \
         category; let one type take both"
    )]
    TwoTypes {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// The aggregates' id.
        id: String,
    },
    /// A source event, or one that a decision gave, cannot be decoded or encoded.
    #[error("event {sequence} of stream {stream:?}: {cause}")]
    Codec {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// What is wrong; names the type.
        cause: CodecError,
    },
    /// Code of the service panicked at a source event: the reactor's own, or its aggregate's.
    #[error("event {sequence} of stream {stream:?}: {cause}")]
    Panicked {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// What it said.
        cause: Panicked,
    },
    /// The outputs of one source event do not fit into one append.
    #[error(
        "event {sequence} of stream {stream:?} gives rise to {events} events of {bytes} bytes, more than one append takes; let \
         it give rise to fewer, and those to the rest"
    )]
    TooMuch {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// How many events.
        events: usize,
        /// How many bytes as records.
        bytes: usize,
    },
    /// An aggregate for which an event gives rise to a command cannot be loaded: its events do not make a state, or are damaged
    /// or dropped.
    #[error("event {sequence} of stream {stream:?}: aggregate {id:?} cannot be loaded: {cause}")]
    NotLoaded {
        /// The source event.
        sequence: Sequence,
        /// Its stream.
        stream: String,
        /// The aggregate.
        id: String,
        /// Why.
        cause: Box<LoadError>,
    },
    /// The store did not answer when an aggregate was to be loaded.
    #[error("an aggregate was not loaded: {0}")]
    Load(LoadError),
    /// The log was not read.
    #[error("the log was not read: {0}")]
    Read(ReadError),
    /// Outputs were not appended.
    #[error("the outputs of events up to {through} were not appended: {cause}")]
    Append {
        /// The last of the source events.
        through: Sequence,
        /// What the store said.
        cause: AppendError,
    },
}

impl From<ReadError> for ReactorError {
    fn from(cause: ReadError) -> Self {
        Self::Read(cause)
    }
}

impl From<InvalidName> for ReactorError {
    fn from(cause: InvalidName) -> Self {
        Self::InvalidName(cause)
    }
}

impl ReactorError {
    pub(crate) fn codec(event: &EventRef<'_>, cause: CodecError) -> Self {
        Self::Codec { sequence: event.sequence(), stream: event.stream().to_owned(), cause }
    }

    pub(crate) fn panicked(event: &EventRef<'_>, cause: Panicked) -> Self {
        Self::Panicked { sequence: event.sequence(), stream: event.stream().to_owned(), cause }
    }

    pub(crate) fn not_loaded(event: &EventRef<'_>, id: &str, cause: LoadError) -> Self {
        let (sequence, stream, id) = (event.sequence(), event.stream().to_owned(), id.to_owned());
        Self::NotLoaded { sequence, stream, id, cause: Box::new(cause) }
    }

    /// What a reactor does that waits for the error to pass.
    pub(crate) fn waiting(&self) -> Activity {
        let is_other_log = match self {
            Self::Append { cause, .. } => matches!(cause, AppendError::OtherLog { .. }),
            other => matches!(other.read_error(), Some(ReadError::OtherLog { .. })),
        };
        Activity::waiting(self.to_string(), is_other_log)
    }

    /// What the store said to a read, if that is the error.
    fn read_error(&self) -> Option<&ReadError> {
        match self {
            Self::Read(error) | Self::Load(LoadError::Read { cause: error, .. }) => Some(error),
            _ => None,
        }
    }

    /// Whether the store was only away, or had another log: going on from the mark may succeed. The worker does so itself.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Between two openings of the log the store was away.
            Self::Append { cause: AppendError::Conflict(Conflict::Opening { .. }), .. } => true,
            Self::Append { cause, .. } => cause.may_pass(),
            other => other.read_error().is_some_and(ReadError::may_pass),
        }
    }
}

/// Whether the aggregate may be loaded the next time.
pub(crate) fn may_pass(error: &LoadError) -> bool {
    matches!(error, LoadError::Read { cause, .. } if cause.may_pass())
}

fn place(at: Option<Sequence>) -> String {
    at.map_or("unset".to_owned(), |at| format!("at {at}"))
}

/// Why a wait for a reactor ended without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// It takes longer.
    #[error("the reactor is at {position} and has not reached {wanted} in time")]
    Behind {
        /// Where it is.
        position: Sequence,
        /// Where it should be.
        wanted: Sequence,
    },
    /// It does not run any more.
    #[error("the reactor stopped at {position}, before {wanted}: {reason}")]
    Stopped {
        /// Where it stopped.
        position: Sequence,
        /// Where it should be.
        wanted: Sequence,
        /// Why it stopped.
        reason: String,
    },
}
