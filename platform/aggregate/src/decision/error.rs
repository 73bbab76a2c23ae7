use crate::LoadError;
use annals_event::{CodecError, Conflict, Panicked, StreamName};
use annals_store::AppendError;

/// Why a decision over several streams was not made. What the decision itself refuses is an error of the caller's own type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecideError {
    /// A subject was not loaded. Nothing was written.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Two subjects are the same stream. Nothing was written.
    #[error("stream {stream:?} is named twice in one decision; name each stream once")]
    NamedTwice {
        /// The stream.
        stream: StreamName,
    },
    /// The decision, an aggregate or the encoding of an event panicked. Nothing was written.
    #[error("the decision over {} was not made: {cause}", list(streams))]
    Panicked {
        /// The decision's streams.
        streams: Vec<StreamName>,
        /// What the panic said.
        cause: Panicked,
    },
    /// An event could not be encoded. Nothing was written.
    #[error("stream {stream:?}: {cause}")]
    Encode {
        /// The event's stream.
        stream: StreamName,
        /// What is wrong with the event; names its type.
        cause: CodecError,
    },
    /// Others wrote to one of the streams during each attempt. Nothing was written.
    #[error("gave up after {attempts} attempts, since others keep writing: {conflict}; try again later")]
    Contended {
        /// How many attempts were made.
        attempts: usize,
        /// The last conflict.
        conflict: Conflict,
    },
    /// The store did not accept the events. If it is unavailable, it may have written them all the same: repeat the
    /// decision with the same request id.
    #[error("the decision over {} was not appended: {cause}", list(streams))]
    Append {
        /// The decision's streams.
        streams: Vec<StreamName>,
        /// What the store said.
        cause: AppendError,
    },
}

fn list(streams: &[StreamName]) -> String {
    let quoted: Vec<_> = streams.iter().map(|stream| format!("{stream:?}")).collect();
    quoted.join(", ")
}
