//! Given, event, then: tests of what a reactor tells its aggregates, run on the production code.
//!
//! ```ignore
//! given_reactor(FollowPayments)
//!     .event("payment-o-17", PaymentCaptured { order_id: "o-17".into() })
//!     .then_tells("o-17", |command| *command == OrderCommand::Pay)
//!     .then_nothing();
//! ```
//!
//! Every event is encoded and decoded on its way, and filtered as a worker filters it: one of another category or type than
//! the reactor follows gives rise to nothing.

use crate::{Reaction, Reactor};
use annals_aggregate::{Aggregate, encode};
use annals_event::{
    Event, EventBatchBuilder, EventId, Metadata, Recorded, Sequence, StreamName, Timestamp, Version, decode,
};
use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    fmt::Debug,
};

/// A reactor before the log's first event.
pub fn given_reactor<R: Reactor>(reactor: R) -> GivenReactor<R> {
    GivenReactor { reactor, told: VecDeque::new(), last: Sequence::ZERO, versions: HashMap::new() }
}

/// A reactor, and what it told its aggregates that the test has not asked about yet.
#[must_use = "say what the reactor tells with `then_tells` or `then_nothing`"]
pub struct GivenReactor<R: Reactor> {
    reactor: R,
    told: VecDeque<Reaction<R::Target>>,
    last: Sequence,
    versions: HashMap<StreamName, Version>,
}

impl<R: Reactor> GivenReactor<R> {
    /// The next event of the log, in this stream. It is of any type, as other services' events are.
    #[track_caller]
    pub fn event(mut self, stream: &str, event: impl Event) -> Self {
        match self.source(stream, &event) {
            Ok(Some(source)) => self.told.extend(self.reactor.react(&source)),
            Ok(None) => {}
            Err(error) => panic!("the event cannot be stored and read back: {error}"),
        }
        self
    }

    /// What comes next of what the reactor told is for the aggregate `id`, and a command that `matches`.
    #[track_caller]
    pub fn then_tells(
        mut self,
        id: &str,
        matches: impl FnOnce(&<R::Target as Aggregate>::Command) -> bool,
    ) -> Self
    where
        <R::Target as Aggregate>::Command: Debug,
    {
        let Some(Reaction { id: told, command }) = self.told.pop_front() else {
            panic!("expected a command for {id:?}, but the reactor tells nothing more");
        };
        assert_eq!(told, id, "the command is for another aggregate: {command:?}");
        assert!(matches(&command), "the reactor tells {id:?} another command: {command:?}");
        self
    }

    /// The reactor tells nothing more.
    #[track_caller]
    pub fn then_nothing(self) -> Self
    where
        <R::Target as Aggregate>::Command: Debug,
    {
        let more: Vec<_> = self.told.iter().map(|Reaction { id, command }| (id, command)).collect();
        assert!(more.is_empty(), "expected nothing more, but the reactor tells {more:?}");
        self
    }

    /// The event as a worker finds it in the log; `None`: the reactor does not follow such events.
    fn source(
        &mut self,
        stream: &str,
        event: &impl Event,
    ) -> Result<Option<Recorded<R::Event>>, Box<dyn Error>> {
        let stream = StreamName::new(stream)?;
        let version = self.versions.entry(stream.clone()).or_default();
        (*version, self.last) = (version.next(), self.last.next());
        let mut builder = EventBatchBuilder::default();
        for stored in encode(std::slice::from_ref(event), &Metadata::default(), |_| EventId::generate())? {
            builder.push_new(&stream, &stored, self.last, *version, Timestamp::default())?;
        }
        let batch = builder.build()?;
        let categories = self.reactor.categories();
        let followed =
            categories.is_empty() || categories.iter().any(|one| one.as_str() == stream.category());
        let Some(found) = batch.first().filter(|_| followed) else { return Ok(None) };
        let Some(decoded) = decode::<R::Event>(&found)? else { return Ok(None) };
        Ok(Some(Recorded::new(&found, decoded)?))
    }
}
