//! Reading a subject: its state at a moment, and what the request did to it earlier.

use crate::{
    Aggregate, LoadError, Loaded,
    request::{Request, Stored, decode},
};
use annals_event::{
    Conflict, EventBatch, ExpectedVersion, Sequence, SequenceRange, StreamName, Token, Version,
};
use annals_store::{EventStore, ReadStream, StreamPage};

/// Which events count: those before a place in the log. What `request` wrote is looked for in all.
pub struct Moment<'a> {
    pub(super) store: &'a dyn EventStore,
    pub(super) before: Sequence,
    pub(super) request: &'a Request,
}

/// Where a subject's stream is.
pub struct Place {
    pub(super) stream: StreamName,
    pub(super) version: Version,
    pub(super) expected: ExpectedVersion,
    pub(super) token: Token,
    /// Where the request's own events are, if it was executed earlier.
    pub(super) done: Option<SequenceRange>,
}

pub(super) struct Folded<A: Aggregate> {
    pub(super) state: A,
    pub(super) place: Place,
    pub(super) done: Vec<Stored<A::Event>>,
}

impl Place {
    /// Why a decision on this state is out of date; `None`: it is not.
    pub(super) async fn moved(&self, store: &dyn EventStore) -> Result<Option<Conflict>, LoadError> {
        let actual = page(store, &self.stream, self.version.next()).await?.version;
        let (stream, expected) = (self.stream.clone(), self.expected);
        Ok((actual != self.version).then_some(Conflict::Stream { stream, expected, actual }))
    }
}

pub(super) async fn fold<A: Aggregate>(
    moment: &Moment<'_>,
    stream: StreamName,
) -> Result<Folded<A>, LoadError> {
    let (mut loaded, mut done, mut next) = (Loaded::<A>::new(), Vec::new(), Some(Version::FIRST));
    while let Some(from) = next {
        let StreamPage { events, next: rest, .. } = page(moment.store, &stream, from).await?;
        collect(moment.request, &stream, &events, &mut done)?;
        loaded.fold(&match moment.before {
            Sequence::MAX => events,
            before => events.filter(|event| event.sequence() < before),
        })?;
        next = rest;
    }
    let ends = done.first().zip(done.last()).map(|(first, last)| (first.sequence, last.sequence));
    let place = Place {
        version: loaded.version,
        expected: loaded.expected(),
        token: loaded.token,
        done: ends.map(|(first, last)| SequenceRange { first, last }),
        stream,
    };
    Ok(Folded { state: loaded.state, place, done })
}

/// Adds those of the events that the request wrote.
fn collect<E: annals_event::Event>(
    request: &Request,
    stream: &StreamName,
    events: &EventBatch,
    done: &mut Vec<Stored<E>>,
) -> Result<(), LoadError> {
    let mut wanted = request.known_event(stream, done.len());
    if wanted.is_none() {
        return Ok(());
    }
    for event in events.iter() {
        if Some(event.id()) != wanted {
            continue;
        }
        if let Some(decoded) = decode(&event)? {
            done.push(Stored::new(&event, decoded));
            wanted = request.known_event(stream, done.len());
        }
    }
    Ok(())
}

async fn page(store: &dyn EventStore, stream: &StreamName, from: Version) -> Result<StreamPage, LoadError> {
    let read = ReadStream::forward(stream.clone()).from(from);
    store.read_stream(read).await.map_err(|cause| LoadError::Read { stream: stream.clone(), cause })
}
