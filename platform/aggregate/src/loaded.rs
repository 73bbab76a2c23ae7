use crate::{Aggregate, FoldError};
use annals_event::{
    CodecError, EventBatch, EventId, EventRef, ExpectedVersion, Token, Version, decode, guarded,
};

/// An aggregate's state, and up to where its stream was folded into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<A> {
    /// The state.
    pub state: A,
    /// The version of the last folded event; `ZERO`: the stream has no events.
    pub version: Version,
    /// That of the last folded event that is in the log: a read model that contains it shows the state. The default one
    /// if there is none.
    pub token: Token,
    /// The id of the event at `token`.
    pub(crate) last_id: Option<EventId>,
}

impl<A: Aggregate> Loaded<A> {
    /// The state of a stream without events.
    pub fn new() -> Self {
        Self { state: A::default(), version: Version::ZERO, token: Token::default(), last_id: None }
    }

    /// Folds in the stream's next events. Those of a type that the aggregate does not know only move the version, if
    /// it [skips them](Aggregate::PASSES_OVER_UNKNOWN_TYPES). After an error, which a panic of `evolve` is too, the
    /// state must not be used.
    pub fn fold(&mut self, events: &EventBatch) -> Result<(), FoldError> {
        events.iter().try_for_each(|event| self.fold_one(&event))
    }

    /// Applies events that were decided on this state and are not in the log yet.
    pub fn evolve(&mut self, events: &[A::Event]) {
        for event in events {
            self.state.evolve(event);
            self.version = self.version.next();
        }
    }

    /// What an append must require of the stream so that nothing was written in between.
    pub fn expected(&self) -> ExpectedVersion {
        match self.version {
            Version::ZERO => ExpectedVersion::NoStream,
            version => ExpectedVersion::Exact(version),
        }
    }

    fn fold_one(&mut self, event: &EventRef<'_>) -> Result<(), FoldError> {
        let (stream, expected, found) = (|| event.stream().to_owned(), self.version.next(), event.version());
        if found != expected {
            return Err(FoldError::Gap { stream: stream(), expected, found });
        }
        match decode::<A::Event>(event) {
            Ok(Some(decoded)) => {
                guarded(|| self.state.evolve(&decoded)).map_err(|panic| {
                    let cause = CodecError::new(event.event_type(), panic);
                    FoldError::Event { stream: stream(), version: found, cause }
                })?;
            }
            Ok(None) if A::PASSES_OVER_UNKNOWN_TYPES => {}
            Ok(None) => {
                let event_type = event.event_type().to_owned();
                return Err(FoldError::UnknownType { stream: stream(), version: found, event_type });
            }
            Err(cause) => return Err(FoldError::Event { stream: stream(), version: found, cause }),
        }
        (self.version, self.token, self.last_id) = (found, event.sequence().into(), Some(event.id()));
        Ok(())
    }
}

impl<A: Aggregate> Default for Loaded<A> {
    fn default() -> Self {
        Self::new()
    }
}
