use crate::{Aggregate, Loaded};
use annals_event::{EventId, Token, Version};

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed<A: Aggregate> {
    /// A read model that contains it shows the command's result. If there was nothing to do, it is that of the stream's
    /// last event that the decision was based on; of a stream without events, the default one.
    pub token: Token,
    /// The stream's version after the command's last event.
    pub version: Version,
    /// What happened; empty when there was nothing to do.
    pub events: Vec<Emitted<A::Event>>,
    /// The state after the events.
    pub state: A,
    /// Whether the log already had the events: the request was executed before, or an answer was lost and asked for
    /// again.
    pub repeated: bool,
}

/// An event that a command led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted<E> {
    /// Its id.
    pub id: EventId,
    /// Its place in the stream.
    pub version: Version,
    /// The fact.
    pub event: E,
}

impl<A: Aggregate> Executed<A> {
    /// There was nothing to do.
    pub(crate) fn nothing(loaded: Loaded<A>) -> Self {
        let Loaded { state, version, token, .. } = loaded;
        Self { token, version, events: Vec::new(), state, repeated: false }
    }
}
