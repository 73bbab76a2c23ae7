//! Reading a subject: its state at a moment, and what the request did to it earlier.

use crate::{
    Aggregate, LoadError, Repositories,
    reader::{At, Current},
    request::{Request, Stored, decode},
};
use annals_event::{
    Conflict, EventBatch, ExpectedVersion, Sequence, SequenceRange, StreamName, Token, Version,
};
use annals_store::{EventStore, ReadStream, StreamPage};

/// When the states are wanted of. What `request` wrote is looked for in all events after the snapshots.
pub struct Moment<'a> {
    pub(super) repositories: &'a Repositories,
    pub(super) at: At,
    pub(super) request: &'a Request,
}

/// Where a subject's stream is.
pub struct Place {
    pub(super) stream: StreamName,
    pub(super) version: Version,
    pub(super) expected: ExpectedVersion,
    pub(super) token: Token,
    /// The version of the snapshot that it was loaded from; `ZERO`: none, or the request writes nothing to it.
    pub(super) base: Version,
    /// Where the request's own events are, if it was executed earlier and they come after the snapshot.
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
        let after = ReadStream::forward(self.stream.clone()).from(self.version.next());
        let actual = read(store, after).await?.version;
        let (stream, expected) = (self.stream.clone(), self.expected);
        Ok((actual != self.version).then_some(Conflict::Stream { stream, expected, actual }))
    }

    /// Where the request's first event is among those that the snapshot covers. A repeat follows soon, so the newest are
    /// looked at first.
    pub(super) async fn covered(
        &self,
        store: &dyn EventStore,
        request: &Request,
    ) -> Result<Option<Sequence>, LoadError> {
        let Some(wanted) = request.known_event(&self.stream, 0) else { return Ok(None) };
        let mut next = (self.base > Version::ZERO).then_some(self.base);
        while let Some(from) = next {
            let page = read(store, ReadStream::backward(self.stream.clone()).from(from)).await?;
            if let Some(found) = page.events.iter().find(|event| event.id() == wanted) {
                return Ok(Some(found.sequence()));
            }
            next = page.next;
        }
        Ok(None)
    }
}

pub(super) async fn fold<A: Aggregate>(
    moment: &Moment<'_>,
    stream: StreamName,
) -> Result<Folded<A>, LoadError> {
    let (repository, mut done) = (moment.repositories.of::<A>(), Vec::new());
    let reader = repository.reader();
    let mut watch = |events: &EventBatch| collect(moment.request, &stream, events, &mut done);
    let current = reader.load_watching(&stream, moment.at, &mut watch).await?;
    if let At::Now = moment.at {
        reader.keep(&stream, &current).await;
    }
    let Current { loaded, base, .. } = current;
    let ends = done.first().zip(done.last()).map(|(first, last)| (first.sequence, last.sequence));
    let place = Place {
        version: loaded.version,
        expected: loaded.expected(),
        token: loaded.token,
        base,
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

async fn read(store: &dyn EventStore, read: ReadStream) -> Result<StreamPage, LoadError> {
    let stream = read.stream.clone();
    store.read_stream(read).await.map_err(|cause| LoadError::Read { stream, cause })
}
