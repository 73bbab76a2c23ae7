//! What a decision is about: subjects that are only read, and those that may be written.

use super::fold::{Folded, Moment, Place, fold};
use crate::{
    Aggregate, LoadError, RequestContent, encode,
    request::{Stored, same_events},
    stream_of,
};
use annals_event::{CodecError, EventId, InvalidName, Metadata, NewEvent, StreamName, Version};
use std::{future::Future, marker::PhantomData, ops::Deref};

/// A subject that the decision depends on and does not write: made by [`reads`].
#[derive(Clone, Debug)]
pub struct Reads<A> {
    id: String,
    of: PhantomData<fn() -> A>,
}

/// A subject that the decision may write: made by [`writes`].
#[derive(Clone, Debug)]
pub struct Writes<A> {
    id: String,
    of: PhantomData<fn() -> A>,
}

/// The aggregate `id`, which the decision depends on: it must not change until the decision is written.
pub fn reads<A: Aggregate>(id: impl ToString) -> Reads<A> {
    Reads { id: id.to_string(), of: PhantomData }
}

/// The aggregate `id`, which the decision may execute commands on. It is as one that is read where it executes none.
pub fn writes<A: Aggregate>(id: impl ToString) -> Writes<A> {
    Writes { id: id.to_string(), of: PhantomData }
}

/// The state of a subject that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen<A> {
    state: A,
}

/// The state of a subject that may be written, with what the decision has done to it so far.
#[derive(Clone, Debug)]
pub struct Draft<A: Aggregate> {
    state: A,
    events: Vec<A::Event>,
    /// What the same request did to it earlier.
    done: Vec<Stored<A::Event>>,
}

impl<A: Aggregate> Draft<A> {
    /// Decides on `command` and applies the events that result, so that the next command finds them. They are written when
    /// the whole decision is.
    pub fn execute(&mut self, command: A::Command) -> Result<(), A::Error> {
        let events = self.state.decide(command)?;
        events.iter().for_each(|event| self.state.evolve(event));
        self.events.extend(events);
        Ok(())
    }

    /// What the decision has led to so far.
    pub fn events(&self) -> &[A::Event] {
        &self.events
    }
}

impl<A> Deref for Seen<A> {
    type Target = A;
    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate> Deref for Draft<A> {
    type Target = A;
    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate> From<A> for Seen<A> {
    fn from(state: A) -> Self {
        Self { state }
    }
}

impl<A: Aggregate> From<A> for Draft<A> {
    fn from(state: A) -> Self {
        Self { state, events: Vec::new(), done: Vec::new() }
    }
}

/// A subject's state in a decision, whatever its aggregate.
pub trait Part: Send + Sync {
    /// How many events the decision has led to.
    fn count(&self) -> usize;
    /// Those events as they are appended.
    fn encode(
        &self,
        metadata: &Metadata,
        id_of: &mut dyn FnMut(u32) -> EventId,
    ) -> Result<Vec<NewEvent>, CodecError>;
    /// Whether they are what the same request did earlier.
    fn is_repeat(&self) -> bool;
    /// How many events the same request led to earlier, and whether it asked for this; `None`: nobody says.
    fn done(&self, _: Option<RequestContent>) -> (usize, Option<bool>) {
        (0, None)
    }
}

impl<A: Aggregate> Part for Seen<A> {
    fn count(&self) -> usize {
        0
    }
    fn encode(&self, _: &Metadata, _: &mut dyn FnMut(u32) -> EventId) -> Result<Vec<NewEvent>, CodecError> {
        Ok(Vec::new())
    }
    fn is_repeat(&self) -> bool {
        true
    }
}

impl<A: Aggregate> Part for Draft<A> {
    fn count(&self) -> usize {
        self.events.len()
    }
    fn encode(
        &self,
        metadata: &Metadata,
        id_of: &mut dyn FnMut(u32) -> EventId,
    ) -> Result<Vec<NewEvent>, CodecError> {
        encode(&self.events, metadata, id_of)
    }
    fn is_repeat(&self) -> bool {
        same_events(&self.events, &self.done)
    }
    fn done(&self, content: Option<RequestContent>) -> (usize, Option<bool>) {
        (self.done.len(), self.done.first().and_then(|first| first.is_of(content)))
    }
}

/// One subject, before it is loaded.
pub trait Subject: Send + Sync {
    /// Its state in the decision.
    type State: Part;
    /// Its stream.
    fn stream(&self) -> Result<StreamName, InvalidName>;
    /// Its state at the moment, and the place of its stream then.
    fn load(
        &self,
        moment: &Moment<'_>,
    ) -> impl Future<Output = Result<(Self::State, Place), LoadError>> + Send;
}

impl<A: Aggregate> Subject for Reads<A> {
    type State = Seen<A>;
    fn stream(&self) -> Result<StreamName, InvalidName> {
        stream_of::<A>(&self.id)
    }
    async fn load(&self, moment: &Moment<'_>) -> Result<(Seen<A>, Place), LoadError> {
        let Folded { state, place, .. } = fold::<A>(moment, self.stream()?).await?;
        // A request writes to none of the subjects that it reads.
        Ok((Seen { state }, Place { done: None, base: Version::ZERO, ..place }))
    }
}

impl<A: Aggregate> Subject for Writes<A> {
    type State = Draft<A>;
    fn stream(&self) -> Result<StreamName, InvalidName> {
        stream_of::<A>(&self.id)
    }
    async fn load(&self, moment: &Moment<'_>) -> Result<(Draft<A>, Place), LoadError> {
        let Folded { state, place, done } = fold::<A>(moment, self.stream()?).await?;
        Ok((Draft { state, events: Vec::new(), done }, place))
    }
}
