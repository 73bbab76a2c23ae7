//! One request's ids, and how its earlier result is found again.

use crate::{Aggregate, Context, LoadError, Upcasters, reader::Reader, repository::Emitted};
use annals_event::{EventBatch, EventId, EventRef, RequestId, Sequence, StreamName, Version};
use annals_store::ReadStream;

/// A command's request on one stream.
pub(crate) enum Request {
    /// The caller named it and may repeat it: its ids derive from the caller's.
    Named(RequestId),
    /// Nobody can repeat it but the one who executes it.
    Unnamed,
}

/// What an earlier execution of the same request left in the log.
pub(crate) struct Earlier<E> {
    pub(crate) events: Vec<Emitted<E>>,
    pub(crate) token: Sequence,
    pub(crate) version: Version,
}

impl Request {
    pub(crate) fn of(context: &Context) -> Self {
        context.request_id.map_or(Self::Unnamed, Self::Named)
    }

    /// The id of the append: one request may write to several streams, each with an append of its own.
    pub(crate) fn append_id(&self, stream: &StreamName) -> RequestId {
        match self {
            Self::Named(id) => RequestId::from_name(&format!("{id}/{stream}")),
            Self::Unnamed => RequestId::generate(),
        }
    }

    /// The id of the `index`-th event.
    pub(crate) fn event_id(&self, stream: &StreamName, index: u32) -> EventId {
        match self {
            Self::Named(id) => EventId::derived(stream.as_str(), EventId::from_uuid(*id.as_uuid()), index),
            Self::Unnamed => EventId::generate(),
        }
    }

    /// What the request wrote to the stream before, if it was executed before.
    pub(crate) async fn earlier<A: Aggregate>(
        &self,
        reader: &Reader<A>,
        stream: &StreamName,
    ) -> Result<Option<Earlier<A::Event>>, LoadError> {
        if let Self::Unnamed = self {
            return Ok(None);
        }
        let Some(first) = self.first_version(reader, stream).await? else { return Ok(None) };
        let mut earlier = Earlier { events: Vec::new(), token: Sequence::ZERO, version: first.previous() };
        let mut next = Some(first);
        while let Some(from) = next {
            let page = reader.page(ReadStream::forward(stream.clone()).from(from)).await?;
            let whole = self.collect(&page.events, stream, &reader.upcasters, &mut earlier)?;
            next = page.next.filter(|_| whole);
        }
        Ok(Some(earlier))
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

    /// Adds the request's events that `events` begins with; whether all of them were.
    fn collect<E: annals_event::Event>(
        &self,
        events: &EventBatch,
        stream: &StreamName,
        upcasters: &Upcasters,
        earlier: &mut Earlier<E>,
    ) -> Result<bool, LoadError> {
        for event in events.iter() {
            let index = u32::try_from(earlier.events.len()).unwrap_or(u32::MAX);
            if event.id() != self.event_id(stream, index) {
                return Ok(false);
            }
            let Some(decoded) = decode(&event, upcasters)? else { return Ok(false) };
            earlier.events.push(Emitted { id: event.id(), version: event.version(), event: decoded });
            (earlier.token, earlier.version) = (event.sequence(), event.version());
        }
        Ok(true)
    }
}

pub(crate) fn decode<E: annals_event::Event>(
    event: &EventRef<'_>,
    upcasters: &Upcasters,
) -> Result<Option<E>, LoadError> {
    let named = |source| crate::FoldError::Event {
        stream: event.stream().to_owned(),
        version: event.version(),
        source,
    };
    Ok(upcasters.decode(event).map_err(named)?)
}
