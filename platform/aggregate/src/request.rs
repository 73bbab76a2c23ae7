//! One request's ids, and how its earlier result is found again.

use crate::{
    Aggregate, Cause, Emitted, ExecuteError, Executed, LoadError, RequestContent, cause::CONTENT_HEADER,
    reader::Reader,
};
use annals_event::{
    Event, EventBatch, EventId, EventRef, RequestId, Sequence, StreamName, Version, guarded, json::Json,
};
use annals_store::ReadStream;

/// A command's request on one stream.
pub(crate) enum Request {
    /// The caller named it and may repeat it: its ids derive from the caller's.
    Named(RequestId, Option<RequestContent>),
    /// Only whoever executes it can repeat it.
    Unnamed,
}

/// Whether a request was executed before.
pub(crate) enum Earlier<A: Aggregate> {
    /// It was not.
    Never,
    /// It was: its content is the same, or it did what the command would do now on the state at that time.
    Same(Executed<A>),
    /// Its id was used for another command.
    Other(RequestId),
}

/// A stored event of a request.
#[derive(Clone, Debug)]
pub(crate) struct Stored<E> {
    id: EventId,
    version: Version,
    pub(crate) sequence: Sequence,
    /// What the request asked for, if it said so.
    content: Option<String>,
    event: E,
}

impl<E> Stored<E> {
    pub(crate) fn new(at: &EventRef<'_>, event: E) -> Self {
        let (id, version, sequence) = (at.id(), at.version(), at.sequence());
        Self { id, version, sequence, content: content_of(at), event }
    }

    /// Whether the request asks for what led to the event; `None`: one of the two does not say.
    pub(crate) fn is_of(&self, content: Option<RequestContent>) -> Option<bool> {
        is_same(content, self.content.as_deref())
    }
}

/// What the request asked for that the event is of, if it said so.
fn content_of(event: &EventRef<'_>) -> Option<String> {
    event.metadata().ok()?.headers.remove(CONTENT_HEADER)
}

fn is_same(asked: Option<RequestContent>, stored: Option<&str>) -> Option<bool> {
    Some(asked?.to_string() == stored?)
}

impl Request {
    pub(crate) fn of(cause: &Cause) -> Self {
        cause.request_id.map_or(Self::Unnamed, |id| Self::Named(id, cause.content))
    }

    /// The id of the append: one request may write to several streams, each with an append of its own.
    pub(crate) fn append_id(&self, stream: &StreamName) -> RequestId {
        match self {
            Self::Named(id, _) => RequestId::from_name(&format!("{id}/{stream}")),
            Self::Unnamed => RequestId::generate(),
        }
    }

    /// The id of the one append of a decision over these streams.
    pub(crate) fn decision_id(&self, streams: &[StreamName]) -> RequestId {
        let Self::Named(id, _) = self else { return RequestId::generate() };
        let names: Vec<_> = streams.iter().map(StreamName::as_str).collect();
        // No name has a line end.
        RequestId::from_name(&format!("{id}/{}", names.join("\n")))
    }

    /// The id that its event at `index` has if it was executed earlier; `None`: nobody can know.
    pub(crate) fn known_event(&self, stream: &StreamName, index: usize) -> Option<EventId> {
        match self {
            Self::Named(..) => Some(self.event_id(stream, u32::try_from(index).unwrap_or(u32::MAX))),
            Self::Unnamed => None,
        }
    }

    /// The id of the `index`-th event.
    pub(crate) fn event_id(&self, stream: &StreamName, index: u32) -> EventId {
        match self {
            Self::Named(id, _) => EventId::derived(stream.as_str(), EventId::from_uuid(*id.as_uuid()), index),
            Self::Unnamed => EventId::generate(),
        }
    }

    /// Whether the event, which has an id of the request, is the request's own: not one that used its id to ask for something else.
    pub(crate) fn owns(&self, event: &EventRef<'_>) -> bool {
        match self {
            Self::Named(_, content) => is_same(*content, content_of(event).as_deref()) != Some(false),
            Self::Unnamed => false,
        }
    }

    /// What the request did, if it was executed earlier. Where nobody says what it asked for, the command is decided once
    /// more on the state at that time, since a decision is pure.
    pub(crate) async fn earlier<A: Aggregate>(
        &self,
        reader: &Reader<A>,
        stream: &StreamName,
        command: A::Command,
    ) -> Result<Earlier<A>, ExecuteError<A::Error>> {
        let Self::Named(request_id, content) = *self else { return Ok(Earlier::Never) };
        let Some(first) = self.first_version(reader, stream).await? else { return Ok(Earlier::Never) };
        let mut loaded = reader.load_at(stream, first.previous()).await?;
        let stored = self.stored(reader, stream, first).await?;
        let panicked = |cause| ExecuteError::Panicked { stream: stream.clone(), cause };
        let known = stored.first().and_then(|first| first.is_of(content));
        let same = guarded(|| {
            let as_decided = || same_events(&loaded.state.decide(command).unwrap_or_default(), &stored);
            let same = known.unwrap_or_else(as_decided);
            if same {
                stored.iter().for_each(|stored| loaded.evolve(std::slice::from_ref(&stored.event)));
            }
            same
        });
        if !same.map_err(panicked)? {
            return Ok(Earlier::Other(request_id));
        }
        loaded.token = stored.last().map_or(loaded.token, |last| last.sequence.into());
        let emitted =
            stored.into_iter().map(|Stored { id, version, event, .. }| Emitted { id, version, event });
        let events = emitted.collect();
        Ok(Earlier::Same(Executed { events, repeated: true, ..Executed::nothing(loaded) }))
    }

    /// The request's events, the first of which is at `first`.
    async fn stored<A: Aggregate>(
        &self,
        reader: &Reader<A>,
        stream: &StreamName,
        first: Version,
    ) -> Result<Vec<Stored<A::Event>>, LoadError> {
        let (mut stored, mut next) = (Vec::new(), Some(first));
        while let Some(from) = next {
            let page = reader.page(ReadStream::forward(stream.clone()).from(from)).await?;
            let whole = self.collect(&page.events, stream, &mut stored)?;
            next = page.next.filter(|_| whole);
        }
        Ok(stored)
    }

    /// Where the request's first event is. A repeat follows soon, so the newest events are looked at first.
    async fn first_version<A: Aggregate>(
        &self,
        reader: &Reader<A>,
        stream: &StreamName,
    ) -> Result<Option<Version>, LoadError> {
        let wanted = self.event_id(stream, 0);
        let mut next = Some(Version::MAX);
        while let Some(from) = next {
            let page = reader.page(ReadStream::backward(stream.clone()).from(from)).await?;
            if let Some(found) = page.events.iter().find(|event| event.id() == wanted) {
                return Ok(Some(found.version()));
            }
            next = page.next;
        }
        Ok(None)
    }

    /// Adds those of the request's events with which `events` begins; returns whether that was all of them.
    fn collect<E: Event>(
        &self,
        events: &EventBatch,
        stream: &StreamName,
        stored: &mut Vec<Stored<E>>,
    ) -> Result<bool, LoadError> {
        for event in events.iter() {
            if Some(event.id()) != self.known_event(stream, stored.len()) {
                return Ok(false);
            }
            let Some(decoded) = decode(&event)? else { return Ok(false) };
            stored.push(Stored::new(&event, decoded));
        }
        Ok(true)
    }
}

/// Whether the events are the same in their newest form, to the last digit of each number. JSON objects are compared
/// without regard to order, since a map's keys may be written in any.
pub(crate) fn same_events<E: Event>(decided: &[E], stored: &[Stored<E>]) -> bool {
    let same = |(decided, stored): (&E, &Stored<E>)| {
        decided.event_type() == stored.event.event_type() && same_payload(decided, &stored.event)
    };
    decided.len() == stored.len() && decided.iter().zip(stored).all(same)
}

fn same_payload<E: Event>(a: &E, b: &E) -> bool {
    let (Ok(a), Ok(b)) = (a.encode(), b.encode()) else { return false };
    let json = |bytes: &[u8]| Json::parse(bytes).ok();
    a == b || json(&a).is_some_and(|a| Some(a) == json(&b))
}

pub(crate) fn decode<E: Event>(event: &EventRef<'_>) -> Result<Option<E>, LoadError> {
    let named = |cause| crate::FoldError::Event {
        stream: event.stream().to_owned(),
        version: event.version(),
        cause,
    };
    Ok(annals_event::decode(event).map_err(named)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_requests_ids_are_its_own_on_each_stream_and_never_change() {
        let request = Request::Named(RequestId::from_bytes([7; 16]), None);
        let (stream, other) = (StreamName::new("order-1").unwrap(), StreamName::new("order-2").unwrap());
        assert_eq!(request.append_id(&stream).to_string(), "afa8ae15-68aa-5f0b-9c63-559274a877fc");
        assert_eq!(request.event_id(&stream, 0).to_string(), "07070707-0707-74e6-a188-2c48ce54564b");
        assert_ne!(request.append_id(&stream), request.append_id(&other));
        assert_ne!(request.event_id(&stream, 0), request.event_id(&other, 0));
        assert_ne!(request.event_id(&stream, 0), request.event_id(&stream, 1));
        let both = [stream, other];
        assert_eq!(request.decision_id(&both).to_string(), "8ef6e63f-3581-525a-8380-d878edfeab1a");
        assert_ne!(request.decision_id(&both), request.append_id(&both[0]));
    }
}
