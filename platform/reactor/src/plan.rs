//! From source events to the writes of one append. A plan takes as many of the source events as fit and succeed,
//! in order; what stops the first of them is the plan's error, what stops a later one ends the plan before it. An
//! aggregate that cannot be loaded stops the first event that names it.

use crate::{
    OnRefused, Reaction, Reactor, ReactorError,
    error::may_pass,
    reaction::{Source, State, Undecided},
    reactor::recorded,
};
use annals_aggregate::{LoadError, Repositories};
use annals_event::{
    EventBatch, EventRef, InvalidName, NewEvent, StreamName, StreamWrite, guarded, limits, record,
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
pub(crate) async fn plan(
    reactor: &Reactor,
    repositories: &Repositories,
    sources: &EventBatch,
) -> Result<Plan, ReactorError> {
    let mut targets = Targets::default();
    let reacted = react(reactor, sources, &mut targets)?;
    let targets = targets.load(repositories).await?;
    let mut outputs = Outputs { reactor, repositories, targets, events: 0, bytes: 0 };
    for (done, source) in reacted.iter().enumerate() {
        match outputs.add(source) {
            Ok(()) => {}
            Err(error) if done == 0 => return Err(error),
            Err(_) => return Ok(outputs.into_plan(done)),
        }
    }
    Ok(outputs.into_plan(reacted.len()))
}

/// A source event, and what it gives rise to: commands for targets, by their index.
struct Reacted<'a> {
    event: EventRef<'a>,
    reactions: Vec<(usize, Reaction)>,
}

/// The source events up to the first one that nothing can be made of.
fn react<'a>(
    reactor: &Reactor,
    sources: &'a EventBatch,
    targets: &mut Targets,
) -> Result<Vec<Reacted<'a>>, ReactorError> {
    let mut reacted = Vec::with_capacity(sources.len());
    for event in sources.iter() {
        match react_to(event, reactor, targets) {
            Ok(source) => reacted.push(source),
            Err(error) if reacted.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(reacted)
}

fn react_to<'a>(
    event: EventRef<'a>,
    reactor: &Reactor,
    targets: &mut Targets,
) -> Result<Reacted<'a>, ReactorError> {
    let reactions = reactor.react(&event)?.into_iter().map(|reaction| {
        let target = targets.index_of(&reaction).map_err(|cause| {
            let (sequence, stream, id) =
                (event.sequence(), event.stream().to_owned(), reaction.id().to_owned());
            ReactorError::InvalidTarget { sequence, stream, id, cause }
        });
        Ok((target?, reaction))
    });
    Ok(Reacted { event, reactions: reactions.collect::<Result<_, ReactorError>>()? })
}

/// The aggregates that reactions name, in the order in which they are first named.
#[derive(Default)]
struct Targets {
    named: Vec<(Reaction, StreamName)>,
    indices: HashMap<StreamName, usize>,
}

/// An aggregate with the outputs decided so far.
struct Target {
    stream: StreamName,
    /// `None`: it cannot be loaded, because of `broken`.
    state: Option<State>,
    broken: Option<LoadError>,
    outputs: Vec<NewEvent>,
}

impl Targets {
    fn index_of(&mut self, reaction: &Reaction) -> Result<usize, InvalidName> {
        let stream = reaction.stream()?;
        if let Some(&index) = self.indices.get(&stream) {
            return Ok(index);
        }
        let index = self.named.len();
        self.named.push((reaction.clone(), stream.clone()));
        self.indices.insert(stream, index);
        Ok(index)
    }

    /// Loads all of them. One that cannot be loaded is the fault of the source events that name it; a store that does not
    /// answer is nobody's.
    async fn load(self, repositories: &Repositories) -> Result<Vec<Target>, ReactorError> {
        let load = async |(reaction, stream): (Reaction, StreamName)| {
            let (state, broken) = match reaction.load(repositories).await {
                Ok(state) => (Some(state), None),
                Err(passing) if may_pass(&passing) => return Err(ReactorError::Load(passing)),
                Err(broken) => (None, Some(broken)),
            };
            Ok(Target { stream, state, broken, outputs: Vec::new() })
        };
        stream::iter(self.named).map(load).buffered(CONCURRENT_LOADS_MAX).try_collect().await
    }
}

/// The outputs of the source events that were added so far.
struct Outputs<'a> {
    reactor: &'a Reactor,
    repositories: &'a Repositories,
    targets: Vec<Target>,
    events: usize,
    bytes: usize,
}

/// What one source event adds: events for targets, by their index.
type Added = Vec<(usize, Vec<NewEvent>)>;

impl Outputs<'_> {
    /// Adds the outputs of a source event. After an error no further one may be added: states may be ahead of outputs.
    fn add(&mut self, source: &Reacted<'_>) -> Result<(), ReactorError> {
        let Reacted { event, reactions } = source;
        self.check_targets(source)?;
        let span = process_span(self.reactor.name(), event, Run::Live);
        let decided = span.in_scope(|| guarded(|| self.decide_all(event, reactions)));
        let added = decided.map_err(|cause| ReactorError::panicked(event, cause))??;
        self.keep(added, event)
    }

    /// Whether all aggregates that the event names were loaded.
    fn check_targets(&mut self, source: &Reacted<'_>) -> Result<(), ReactorError> {
        for (target, reaction) in &source.reactions {
            if let Some(cause) = self.targets.get_mut(*target).and_then(|target| target.broken.take()) {
                return Err(ReactorError::not_loaded(&source.event, reaction.id(), cause));
            }
        }
        Ok(())
    }

    fn decide_all(
        &mut self,
        event: &EventRef<'_>,
        reactions: &[(usize, Reaction)],
    ) -> Result<Added, ReactorError> {
        let mut added = Vec::with_capacity(reactions.len());
        if reactions.is_empty() {
            return Ok(added);
        }
        let (reactor, repositories) = (self.reactor.name(), self.repositories);
        let mut source = Source { reactor, repositories, cause: &recorded(event, ())?, outputs: 0 };
        for (target, reaction) in reactions {
            let events = self.decide(*target, reaction, &source)?;
            if !events.is_empty() {
                let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
                source.outputs = source.outputs.saturating_add(count);
                added.push((*target, events));
            }
        }
        Ok(added)
    }

    fn decide(
        &mut self,
        target: usize,
        reaction: &Reaction,
        source: &Source<'_>,
    ) -> Result<Vec<NewEvent>, ReactorError> {
        let Some(Target { state: Some(state), .. }) = self.targets.get_mut(target) else {
            return Ok(Vec::new());
        };
        let undecided = match reaction.decide(state, self.reactor.refusals(), source) {
            Ok(events) => return Ok(events),
            Err(undecided) => undecided,
        };
        let (sequence, stream) = (source.cause.sequence, source.cause.stream.to_string());
        let id = reaction.id().to_owned();
        match undecided {
            Undecided::Refused(error, OnRefused::Skip) => {
                tracing::warn!(reactor = source.reactor, %sequence, stream, id, %error, "a command was refused and skipped");
                Ok(Vec::new())
            }
            Undecided::Refused(cause, OnRefused::Stop) => {
                Err(ReactorError::Rejected { sequence, stream, id, cause })
            }
            Undecided::Codec(cause) => Err(ReactorError::Codec { sequence, stream, cause }),
            Undecided::OtherType => Err(ReactorError::TwoTypes { sequence, stream, id }),
        }
    }

    /// Takes `added` into the append if it fits.
    fn keep(&mut self, added: Added, source: &EventRef<'_>) -> Result<(), ReactorError> {
        let events: usize = added.iter().map(|(_, events)| events.len()).sum();
        let bytes: usize = added.iter().map(|(target, events)| self.record_bytes(*target, events)).sum();
        if self.events + events > limits::APPEND_EVENTS_MAX || self.bytes + bytes > limits::APPEND_BYTES_MAX {
            let (sequence, stream) = (source.sequence(), source.stream().to_owned());
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
        let bytes =
            |target: &Target| events.iter().map(|event| record::encoded_len(&target.stream, event)).sum();
        self.targets.get(target).map_or(0, bytes)
    }

    fn into_plan(self, sources: usize) -> Plan {
        let written = self.targets.into_iter().filter(|target| !target.outputs.is_empty());
        let writes = written.filter_map(|Target { stream, state, outputs, .. }| {
            Some(StreamWrite { stream, expected: state?.expected, events: outputs })
        });
        Plan { sources, writes: writes.collect() }
    }
}
