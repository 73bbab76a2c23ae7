use crate::{OnRefused, Reaction, ReactorError, Start, reaction::Reactions, refused::Refusals};
use annals_aggregate::Aggregate;
use annals_event::{CodecError, Event, EventRef, EventType, InvalidName, MarkName, Recorded, guarded};
use annals_store::Filter;
use std::{fmt, sync::Arc};

/// What a service does when something happened, here or in another service: one handler for each type of event; see
/// [the crate's example](crate).
///
/// The events that it follows are those that its handlers take, of any stream. Cloning it copies a pointer.
#[derive(Clone)]
pub struct Reactor(Arc<Inner>);

struct Inner {
    name: String,
    mark: MarkName,
    start: Start,
    filter: Filter,
    handlers: Vec<Handler>,
    refusals: Refusals,
}

/// What to do with events of some types.
struct Handler {
    types: &'static [(&'static str, u32)],
    react: Box<React>,
}

type React = dyn Fn(&EventRef<'_>) -> Result<Vec<Reaction>, ReactorError> + Send + Sync;

impl Reactor {
    /// Begins a reactor of this name, unique in the log. The name is in its mark, `reactor/<name>`, and goes into the ids of its
    /// outputs: a reactor with another name is another one. `start` says where it begins on a log that is older than it is.
    pub fn named(name: impl Into<String>, start: Start) -> ReactorBuilder {
        ReactorBuilder { name: name.into(), start, handlers: Vec::new(), refusals: Refusals::default() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The events that it follows: those of the types that its handlers take.
    pub fn filter(&self) -> &Filter {
        &self.0.filter
    }

    pub(crate) fn mark(&self) -> &MarkName {
        &self.0.mark
    }

    pub(crate) fn start(&self) -> Start {
        self.0.start
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// The commands that the event gives rise to, in order.
    pub(crate) fn react(&self, event: &EventRef<'_>) -> Result<Vec<Reaction>, ReactorError> {
        let takes = |handler: &&Handler| handler.types.iter().any(|(name, _)| *name == event.event_type());
        let mut reactions = Vec::new();
        for handler in self.0.handlers.iter().filter(takes) {
            reactions.extend((handler.react)(event)?);
        }
        Ok(reactions)
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reactor({}, {} handlers)", self.name(), self.0.handlers.len())
    }
}

/// A reactor that is being put together.
#[must_use]
pub struct ReactorBuilder {
    name: String,
    start: Start,
    handlers: Vec<Handler>,
    refusals: Refusals,
}

impl ReactorBuilder {
    /// The commands that an event gives rise to: one [`Reaction`], an `Option` of one or a `Vec` of any number. Pure: the same
    /// event, the same commands. Several handlers for one event type all count, in the order in which they were added.
    pub fn on<E: Event, R: Reactions>(
        mut self,
        react: impl Fn(&Recorded<E>) -> R + Send + Sync + 'static,
    ) -> Self {
        let react = move |event: &EventRef<'_>| {
            let Some(recorded) = decode::<E>(event)? else { return Ok(Vec::new()) };
            guarded(|| react(&recorded).all()).map_err(|cause| ReactorError::panicked(event, cause))
        };
        self.handlers.push(Handler { types: E::TYPES, react: Box::new(react) });
        self
    }

    /// What to do when an aggregate of type `A` refuses a command; without it the reactor stops before the event. Once
    /// for each type.
    pub fn on_refused<A: Aggregate>(
        mut self,
        then: impl Fn(&A::Command, &A::Error) -> OnRefused + Send + Sync + 'static,
    ) -> Self {
        self.refusals.say::<A>(then);
        self
    }

    /// Checks the name, that there is something to react to, and that nothing is said twice of refusals.
    pub fn build(self) -> Result<Reactor, ReactorError> {
        let Self { name, start, handlers, refusals } = self;
        if name.is_empty() {
            return Err(InvalidName::Empty { what: "a reactor's name" }.into());
        }
        if let Some(category) = refusals.twice {
            return Err(ReactorError::RefusalsTwice { name, category });
        }
        let (mark, filter) = (MarkName::new(format!("reactor/{name}"))?, filter_of(&name, &handlers)?);
        Ok(Reactor(Arc::new(Inner { name, mark, start, filter, handlers, refusals })))
    }
}

fn filter_of(name: &str, handlers: &[Handler]) -> Result<Filter, ReactorError> {
    let mut event_types = Vec::<EventType>::new();
    for (event_type, _) in handlers.iter().flat_map(|handler| handler.types) {
        if !event_types.iter().any(|known| known.as_str() == *event_type) {
            event_types.push(EventType::new(event_type)?);
        }
    }
    // A filter without types would let all events through.
    if event_types.is_empty() {
        return Err(ReactorError::NoHandlers { name: name.to_owned() });
    }
    Ok(Filter { categories: Vec::new(), stream: None, event_types })
}

fn decode<E: Event>(event: &EventRef<'_>) -> Result<Option<Recorded<E>>, ReactorError> {
    let decoded = annals_event::decode(event).map_err(|cause| ReactorError::codec(event, cause))?;
    decoded.map(|decoded| recorded(event, decoded)).transpose()
}

/// What is known of an event beside the fact.
pub(crate) fn recorded<E>(event: &EventRef<'_>, fact: E) -> Result<Recorded<E>, ReactorError> {
    let broken = |error| ReactorError::codec(event, CodecError::new(event.event_type(), error));
    Recorded::new(event, fact).map_err(broken)
}
