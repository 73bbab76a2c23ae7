//! A command for an aggregate, with both types erased: what a reactor tells one aggregate stands beside what it tells another.

use crate::{OnRefused, refused::Refusals};
use annals_aggregate::{Aggregate, Cause, LoadError, Loaded, Repositories, encode, stream_of};
use annals_event::{
    CodecError, EventId, ExpectedVersion, InvalidName, Metadata, NewEvent, Recorded, StreamName,
};
use futures::{FutureExt, future::BoxFuture};
use std::{any::Any, error::Error, fmt, sync::Arc};

/// A command for one aggregate.
#[derive(Clone)]
pub struct Reaction {
    id: String,
    ask: Arc<dyn Ask>,
}

impl Reaction {
    /// Asks `command` of the aggregate `id`.
    pub fn to<A: Aggregate>(id: impl ToString, command: A::Command) -> Self {
        Self { id: id.to_string(), ask: Arc::new(Asked::<A>(command)) }
    }

    /// The aggregate's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The command, if it is one for an aggregate of type `A`.
    pub fn command<A: Aggregate>(&self) -> Option<&A::Command> {
        (&*self.ask as &dyn Any).downcast_ref::<Asked<A>>().map(|asked| &asked.0)
    }

    pub(crate) fn category(&self) -> &'static str {
        self.ask.category()
    }

    /// The aggregate's stream.
    pub(crate) fn stream(&self) -> Result<StreamName, InvalidName> {
        self.ask.stream(&self.id)
    }

    pub(crate) async fn load(&self, repositories: &Repositories) -> Result<State, LoadError> {
        self.ask.load(&self.id, repositories).await
    }

    /// The outputs of the command. They are applied to the state.
    pub(crate) fn decide(
        &self,
        state: &mut State,
        refusals: &Refusals,
        source: &Source<'_>,
    ) -> Result<Vec<NewEvent>, Undecided> {
        self.ask.decide(&mut *state.loaded, refusals, source)
    }
}

impl fmt::Debug for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reaction({}-{})", self.category(), self.id)
    }
}

/// What a handler returns: one [`Reaction`], an `Option` of one, or a `Vec` of any number. The trait has no name outside this
/// crate, so nobody else implements it.
#[diagnostic::on_unimplemented(
    message = "a handler returns `Reaction`, `Option<Reaction>` or `Vec<Reaction>`, not `{Self}`",
    label = "this is no reaction"
)]
pub trait Reactions {
    /// All of them, in order.
    fn all(self) -> Vec<Reaction>;
}

impl Reactions for Reaction {
    fn all(self) -> Vec<Reaction> {
        vec![self]
    }
}

impl Reactions for Option<Reaction> {
    fn all(self) -> Vec<Reaction> {
        Vec::from_iter(self)
    }
}

impl Reactions for Vec<Reaction> {
    fn all(self) -> Vec<Reaction> {
        self
    }
}

/// An aggregate as an append finds it, with what was decided so far.
pub(crate) struct State {
    pub(crate) expected: ExpectedVersion,
    /// A [`Loaded`] of the aggregate's type.
    loaded: Box<dyn Any + Send>,
}

/// The event that a command comes from, and what outputs have of it.
pub(crate) struct Source<'a> {
    pub(crate) reactor: &'a str,
    pub(crate) repositories: &'a Repositories,
    pub(crate) cause: &'a Recorded<()>,
    /// How many outputs the event has by now.
    pub(crate) outputs: u32,
}

/// Why a command has no outputs.
pub(crate) enum Undecided {
    Refused(Box<dyn Error + Send + Sync>, OnRefused),
    Codec(CodecError),
    /// What is loaded is an aggregate of another type.
    OtherType,
}

/// A command for an aggregate of any type.
trait Ask: Any + Send + Sync {
    fn category(&self) -> &'static str;
    fn stream(&self, id: &str) -> Result<StreamName, InvalidName>;
    fn load<'a>(
        &'a self,
        id: &'a str,
        repositories: &'a Repositories,
    ) -> BoxFuture<'a, Result<State, LoadError>>;
    fn decide(
        &self,
        loaded: &mut (dyn Any + Send),
        refusals: &Refusals,
        source: &Source<'_>,
    ) -> Result<Vec<NewEvent>, Undecided>;
}

struct Asked<A: Aggregate>(A::Command);

impl<A: Aggregate> Ask for Asked<A> {
    fn category(&self) -> &'static str {
        A::CATEGORY
    }

    fn stream(&self, id: &str) -> Result<StreamName, InvalidName> {
        stream_of::<A>(id)
    }

    fn load<'a>(
        &'a self,
        id: &'a str,
        repositories: &'a Repositories,
    ) -> BoxFuture<'a, Result<State, LoadError>> {
        async move {
            let loaded = repositories.of::<A>().load(id).await?;
            Ok(State { expected: loaded.expected(), loaded: Box::new(loaded) })
        }
        .boxed()
    }

    fn decide(
        &self,
        loaded: &mut (dyn Any + Send),
        refusals: &Refusals,
        source: &Source<'_>,
    ) -> Result<Vec<NewEvent>, Undecided> {
        let loaded = loaded.downcast_mut::<Loaded<A>>().ok_or(Undecided::OtherType)?;
        match loaded.state.decide(self.0.clone()) {
            Ok(events) if events.is_empty() => Ok(Vec::new()),
            Ok(events) => {
                loaded.evolve(&events);
                source.encode::<A>(&events).map_err(Undecided::Codec)
            }
            Err(error) => {
                let then = refusals.of::<A>(&self.0, &error);
                Err(Undecided::Refused(Box::new(error), then))
            }
        }
    }
}

impl Source<'_> {
    fn encode<A: Aggregate>(&self, events: &[A::Event]) -> Result<Vec<NewEvent>, CodecError> {
        let span = annals_telemetry::create_span(A::CATEGORY);
        let trace = annals_telemetry::context_of(&span);
        let metadata = self.repositories.sign(Metadata { trace, ..Cause::event(self.cause).metadata });
        let id = |index| EventId::derived(self.reactor, self.cause.id, self.outputs.saturating_add(index));
        encode(events, &metadata, id)
    }
}
