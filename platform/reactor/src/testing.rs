//! Given, event, then: tests of what a reactor tells its aggregates, run on the production code.
//!
//! Every event is encoded and decoded on its way. One of a type that the reactor has no handler for gives rise to nothing. [The crate](crate) shows one.

use crate::{Reaction, Reactor};
use annals_aggregate::{Aggregate, encode};
use annals_event::{Event, EventBatchBuilder, EventId, Metadata, Sequence, StreamName, Timestamp, Version};
use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    fmt::Debug,
};

/// A reactor before the log's first event.
#[must_use = "say what the reactor tells with `then_tells` or `then_nothing`"]
pub fn given_reactor(reactor: Reactor) -> GivenReactor {
    GivenReactor { reactor, told: VecDeque::new(), last: Sequence::ZERO, versions: HashMap::new() }
}

/// A reactor, and what it told its aggregates that the test has not asked about yet.
pub struct GivenReactor {
    reactor: Reactor,
    told: VecDeque<Reaction>,
    last: Sequence,
    versions: HashMap<StreamName, Version>,
}

impl GivenReactor {
    /// The next event of the log, in this stream. It is of any type, as other services' events are.
    #[must_use = "say what the reactor tells with `then_tells` or `then_nothing`"]
    #[track_caller]
    pub fn event(mut self, stream: &str, event: impl Event) -> Self {
        match self.react(stream, &event) {
            Ok(told) => self.told.extend(told),
            Err(error) => panic!("the reactor cannot handle the event: {error}"),
        }
        self
    }

    /// What comes next of what the reactor told is for the aggregate `id` of type `A`, and a command that `matches`.
    #[track_caller]
    pub fn then_tells<A: Aggregate>(mut self, id: &str, matches: impl FnOnce(&A::Command) -> bool) -> Self
    where
        A::Command: Debug,
    {
        let expected = format!("{}-{id}", A::CATEGORY);
        let Some(told) = self.told.pop_front() else {
            panic!("expected a command for {expected}, but the reactor tells nothing more");
        };
        let Some(command) = told.command::<A>() else {
            panic!("expected a command for {expected}, but the command is for another aggregate: {told:?}");
        };
        assert_eq!(told.id(), id, "the command is for another aggregate: {command:?}");
        assert!(matches(command), "the reactor tells {expected} another command: {command:?}");
        self
    }

    /// The reactor tells nothing more.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        assert!(self.told.is_empty(), "expected nothing more, but the reactor tells more: {:?}", self.told);
        self
    }

    /// What the reactor tells when a worker finds the event in the log.
    fn react(&mut self, stream: &str, event: &impl Event) -> Result<Vec<Reaction>, Box<dyn Error>> {
        let stream = StreamName::new(stream)?;
        let version = self.versions.entry(stream.clone()).or_default();
        (*version, self.last) = (version.next(), self.last.next());
        let mut builder = EventBatchBuilder::default();
        for stored in encode(std::slice::from_ref(event), &Metadata::default(), |_| EventId::generate())? {
            builder.push_new(&stream, &stored, self.last, *version, Timestamp::default())?;
        }
        let batch = builder.build()?;
        let mut told = Vec::new();
        for found in batch.iter() {
            told.extend(self.reactor.react(&found)?);
        }
        Ok(told)
    }
}
