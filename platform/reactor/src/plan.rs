//! From source events to the writes of one append. A plan takes as many of the source events as fit and succeed,
//! in order; what stops the first of them is the plan's error, what stops a later one ends the plan before it.

use crate::{Reaction, Reactor, ReactorError, Rejected};
use annals_aggregate::{Aggregate, Cause, Loaded, Repository, encode, stream_of};
use annals_event::{
    CodecError, Event, EventBatch, EventId, EventRef, ExpectedVersion, InvalidName, Metadata, NewEvent,
    Recorded, StreamName, StreamWrite, guarded, limits, record,
};
use annals_telemetry::{Run, process_span};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;

/// How many aggregates are loaded at the same time.
const CONCURRENT_LOADS_MAX: usize = 32;

/// What to append for source events.
pub(crate) struct Plan {
    /// How many of the source events it covers; at least one.
    pub(crate) sources: usize,
    /// The outputs; none when nothing is to be done.
    pub(crate) writes: Vec<StreamWrite>,
}

/// Plans the outputs of `sources`, which has at least one event.
pub(crate) async fn plan<R: Reactor>(
    reactor: &R,
    repository: &Repository<R::Target>,
    sources: &EventBatch,
) -> Result<Plan, ReactorError> {
    let mut targets = Targets::default();
    let (reacted, unusable) = react(reactor, sources, &mut targets)?;
    let targets = targets.load(repository).await?;
    let mut outputs = Outputs { reactor, repository, targets, events: 0, bytes: 0 };
    for (done, source) in reacted.iter().enumerate() {
        match outputs.add(source) {
            Ok(()) => {}
            Err(error) if done == 0 => return Err(error),
            Err(_) => return Ok(outputs.into_plan(source.index)),
        }
    }
    Ok(outputs.into_plan(unusable.unwrap_or(sources.len())))
}

/// A source event, and what it gives rise to: commands for targets, by their index.
struct Source<R: Reactor> {
    index: usize,
    event: Recorded<R::Event>,
    reactions: Vec<(usize, Reaction<R::Target>)>,
}

impl<R: Reactor> Source<R> {
    /// `None`: the event is of a type that the reactor does not know.
    fn of(
        (index, event): (usize, EventRef<'_>),
        reactor: &R,
        targets: &mut Targets,
    ) -> Result<Option<Self>, ReactorError> {
        let Some(event) = decode::<R::Event>(&event)? else { return Ok(None) };
        let reactions = at(&event, || reactor.react(&event))?.into_iter().map(|reaction| {
            let target = targets.index_of::<R::Target>(&reaction.id).map_err(|cause| {
                let (sequence, stream, id) = (event.sequence, event.stream.to_string(), reaction.id.clone());
                ReactorError::InvalidTarget { sequence, stream, id, cause }
            });
            Ok((target?, reaction))
        });
        let reactions = reactions.collect::<Result<_, ReactorError>>()?;
        Ok(Some(Self { index, event, reactions }))
    }
}

/// The source events up to the first one that nothing can be made of, and the index of that.
fn react<R: Reactor>(
    reactor: &R,
    sources: &EventBatch,
    targets: &mut Targets,
) -> Result<(Vec<Source<R>>, Option<usize>), ReactorError> {
    let mut reacted = Vec::with_capacity(sources.len());
    for (index, event) in sources.iter().enumerate() {
        match Source::of((index, event), reactor, targets) {
            Ok(source) => reacted.extend(source),
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok((reacted, Some(index))),
        }
    }
    Ok((reacted, None))
}

/// Runs code of the service at the source event.
fn at<T, E>(event: &Recorded<E>, work: impl FnOnce() -> T) -> Result<T, ReactorError> {
    let (sequence, stream) = (event.sequence, || event.stream.to_string());
    guarded(work).map_err(|cause| ReactorError::Panicked { sequence, stream: stream(), cause })
}

fn decode<E: Event>(event: &EventRef<'_>) -> Result<Option<Recorded<E>>, ReactorError> {
    let (sequence, stream) = (event.sequence(), || event.stream().to_owned());
    let failed = |cause| ReactorError::Codec { sequence, stream: stream(), cause };
    let Some(decoded) = annals_event::decode(event).map_err(failed)? else { return Ok(None) };
    let recorded = Recorded::new(event, decoded);
    recorded.map(Some).map_err(|error| failed(CodecError::new(event.event_type(), error)))
}

/// The aggregates that reactions name, in the order in which they are first named.
#[derive(Default)]
struct Targets {
    streams: Vec<(String, StreamName)>,
    indices: HashMap<String, usize>,
}

/// An aggregate as the append finds it, with the outputs decided so far.
struct Target<A> {
    stream: StreamName,
    expected: ExpectedVersion,
    loaded: Loaded<A>,
    outputs: Vec<NewEvent>,
}

impl Targets {
    fn index_of<A: Aggregate>(&mut self, id: &str) -> Result<usize, InvalidName> {
        if let Some(&index) = self.indices.get(id) {
            return Ok(index);
        }
        let (index, stream) = (self.streams.len(), stream_of::<A>(id)?);
        self.streams.push((id.to_owned(), stream));
        self.indices.insert(id.to_owned(), index);
        Ok(index)
    }

    async fn load<A: Aggregate>(self, repository: &Repository<A>) -> Result<Vec<Target<A>>, ReactorError> {
        let load = async |(id, stream): (String, StreamName)| {
            let loaded = repository.load(&id).await?;
            let (expected, outputs) = (loaded.expected(), Vec::new());
            Ok(Target { stream, expected, loaded, outputs })
        };
        stream::iter(self.streams).map(load).buffered(CONCURRENT_LOADS_MAX).try_collect().await
    }
}

/// The outputs of the source events that were added so far.
struct Outputs<'a, R: Reactor> {
    reactor: &'a R,
    repository: &'a Repository<R::Target>,
    targets: Vec<Target<R::Target>>,
    events: usize,
    bytes: usize,
}

/// What one source event adds: events for targets, by their index.
type Added = Vec<(usize, Vec<NewEvent>)>;

impl<R: Reactor> Outputs<'_, R> {
    /// Adds the outputs of `source`. After an error no further source may be added: states may be ahead of outputs.
    fn add(&mut self, source: &Source<R>) -> Result<(), ReactorError> {
        let span = process_span(self.reactor.name(), &source.event, Run::Live);
        let added = span.in_scope(|| at(&source.event, || self.decide_all(source)))??;
        self.keep(added, &source.event)
    }

    fn decide_all(&mut self, source: &Source<R>) -> Result<Added, ReactorError> {
        let (mut added, mut count) = (Vec::with_capacity(source.reactions.len()), 0);
        for (target, reaction) in &source.reactions {
            let events = self.decide(&source.event, *target, reaction)?;
            if !events.is_empty() {
                let encoded = self.encode(&source.event, &events, count)?;
                count = count.saturating_add(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
                added.push((*target, encoded));
            }
        }
        Ok(added)
    }

    fn decide(
        &mut self,
        event: &Recorded<R::Event>,
        target: usize,
        reaction: &Reaction<R::Target>,
    ) -> Result<Vec<<R::Target as Aggregate>::Event>, ReactorError> {
        let Some(Target { loaded, .. }) = self.targets.get_mut(target) else { return Ok(Vec::new()) };
        let error = match loaded.state.decide(reaction.command.clone()) {
            Ok(events) => {
                loaded.evolve(&events);
                return Ok(events);
            }
            Err(error) => error,
        };
        let (sequence, stream, id) = (event.sequence, event.stream.to_string(), reaction.id.clone());
        match self.reactor.on_rejected(event, &reaction.command, &error) {
            Rejected::Stop => Err(ReactorError::Rejected { sequence, stream, id, cause: Box::new(error) }),
            Rejected::Skip => {
                tracing::warn!(reactor = self.reactor.name(), %sequence, stream, id, %error, "a command was refused and skipped");
                Ok(Vec::new())
            }
        }
    }

    fn encode(
        &self,
        cause: &Recorded<R::Event>,
        events: &[<R::Target as Aggregate>::Event],
        index_from: u32,
    ) -> Result<Vec<NewEvent>, ReactorError> {
        let span = annals_telemetry::create_span(R::Target::CATEGORY);
        let trace = annals_telemetry::context_of(&span);
        let metadata = self.repository.sign(Metadata { trace, ..Cause::event(cause).metadata });
        let id = |index| EventId::derived(self.reactor.name(), cause.id, index_from.saturating_add(index));
        let (sequence, stream) = (cause.sequence, || cause.stream.to_string());
        encode(events, &metadata, id).map_err(|failure| ReactorError::Codec {
            sequence,
            stream: stream(),
            cause: failure,
        })
    }

    /// Takes `added` into the append if it fits.
    fn keep(&mut self, added: Added, source: &Recorded<R::Event>) -> Result<(), ReactorError> {
        let events: usize = added.iter().map(|(_, events)| events.len()).sum();
        let bytes: usize = added.iter().map(|(target, events)| self.record_bytes(*target, events)).sum();
        if self.events + events > limits::APPEND_EVENTS_MAX || self.bytes + bytes > limits::APPEND_BYTES_MAX {
            let (sequence, stream) = (source.sequence, source.stream.to_string());
            return Err(ReactorError::TooMuch { sequence, stream, events, bytes });
        }
        (self.events, self.bytes) = (self.events + events, self.bytes + bytes);
        for (target, events) in added {
            if let Some(target) = self.targets.get_mut(target) {
                target.outputs.extend(events);
            }
        }
        Ok(())
    }

    fn record_bytes(&self, target: usize, events: &[NewEvent]) -> usize {
        let bytes = |target: &Target<R::Target>| {
            events.iter().map(|event| record::encoded_len(&target.stream, event)).sum()
        };
        self.targets.get(target).map_or(0, bytes)
    }

    fn into_plan(self, sources: usize) -> Plan {
        let written = self.targets.into_iter().filter(|target| !target.outputs.is_empty());
        let writes = written.map(|Target { stream, expected, outputs, .. }| StreamWrite {
            stream,
            expected,
            events: outputs,
        });
        Plan { sources, writes: writes.collect() }
    }
}
