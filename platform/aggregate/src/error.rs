use annals_event::{CodecError, Conflict, InvalidName, Panicked, StreamName, Version};
use annals_store::{AppendError, ReadError};

/// Why a stream's events do not make a state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// An event of a known type that cannot be read.
    #[error("stream {stream:?}, version {version}: {cause}")]
    Event {
        /// The stream.
        stream: String,
        /// Which of its events.
        version: Version,
        /// What is wrong with it; names its type.
        cause: CodecError,
    },
    /// An event of a type that the aggregate does not know and must not skip.
    #[error(
        "stream {stream:?}, version {version}: event type {event_type:?} is not known to this release; deploy the release \
         that knows it"
    )]
    UnknownType {
        /// The stream.
        stream: String,
        /// Which of its events.
        version: Version,
        /// Its type.
        event_type: String,
    },
    /// Events are missing.
    #[error(
        "stream {stream:?} has version {found} where {expected} was expected: retention dropped events that the state \
         needs, and no snapshot covers them"
    )]
    Gap {
        /// The stream.
        stream: String,
        /// The next version to be folded.
        expected: Version,
        /// The one that was there.
        found: Version,
    },
}

/// Why an aggregate was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The id does not make a valid stream name.
    #[error("the aggregate's id cannot be used: {0}")]
    InvalidId(InvalidName),
    /// The store did not answer.
    #[error("stream {stream:?} was not read: {cause}")]
    Read {
        /// The stream.
        stream: StreamName,
        /// What the store said.
        cause: ReadError,
    },
    /// The events do not make a state.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

impl From<InvalidName> for LoadError {
    fn from(cause: InvalidName) -> Self {
        Self::InvalidId(cause)
    }
}

/// Why a command was not executed. `E` is the aggregate's own error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError<E: std::error::Error + 'static> {
    /// The aggregate refused the command. Nothing was written.
    #[error(transparent)]
    Rejected(E),
    /// The aggregate was not loaded. Nothing was written.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// `decide`, `evolve` or the encoding of an event panicked. Nothing was written.
    #[error("the command to stream {stream:?} was not executed: {cause}")]
    Panicked {
        /// The stream.
        stream: StreamName,
        /// What the panic said.
        cause: Panicked,
    },
    /// An event could not be encoded. Nothing was written.
    #[error("stream {stream:?}: {cause}")]
    Encode {
        /// The stream.
        stream: StreamName,
        /// What is wrong with the event; names its type.
        cause: CodecError,
    },
    /// Others wrote to the stream between each load and append. Nothing was written.
    #[error("gave up after {attempts} attempts, since others keep writing: {conflict}; try again later")]
    Contended {
        /// How many attempts were made.
        attempts: usize,
        /// The last conflict.
        conflict: Conflict,
    },
    /// The store did not accept the events. If it is unavailable, it may have written them all the same: repeat the
    /// command with the same request id.
    #[error("the events of stream {stream:?} were not appended: {cause}")]
    Append {
        /// The stream.
        stream: StreamName,
        /// What the store said.
        cause: AppendError,
    },
}
