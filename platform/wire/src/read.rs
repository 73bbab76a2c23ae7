//! Reads, pages, subscriptions, and where the log begins and ends.
//!
//! Requests convert both ways. Answers are assembled from parts by the server, which cuts pages to size, and
//! converted as a whole by the client.

use crate::{
    InvalidMessage,
    event::id_bytes,
    event_batch,
    invalid::{exactly, named},
    limits::FILTER_NAMES_MAX,
    v1,
};
use annals_event::{Category, EventType, Fingerprint, LogId, Opening, Sequence, StreamName, Version};
use annals_store::{
    Capabilities, Delivery, Direction, Filter, Head, LogPage, ReadLog, ReadStream, StreamPage, Subscribe,
};
use v1::read_stream_request::Direction as WireDirection;

impl From<Filter> for v1::Filter {
    fn from(filter: Filter) -> Self {
        Self {
            categories: filter.categories.iter().map(|name| name.as_str().to_owned()).collect(),
            stream: filter.stream.map(|name| name.as_str().to_owned()),
            event_types: filter.event_types.iter().map(|name| name.as_str().to_owned()).collect(),
        }
    }
}

impl TryFrom<v1::Filter> for Filter {
    type Error = InvalidMessage;

    fn try_from(filter: v1::Filter) -> Result<Self, InvalidMessage> {
        at_most("Filter.categories", filter.categories.len())?;
        at_most("Filter.event_types", filter.event_types.len())?;
        let category = |name: &String| named("Filter.categories", Category::new(name));
        let event_type = |name: &String| named("Filter.event_types", EventType::new(name));
        let stream = filter.stream.map(|name| named("Filter.stream", StreamName::new(name)));
        Ok(Self {
            categories: filter.categories.iter().map(category).collect::<Result<_, _>>()?,
            stream: stream.transpose()?,
            event_types: filter.event_types.iter().map(event_type).collect::<Result<_, _>>()?,
        })
    }
}

fn at_most(field: &'static str, count: usize) -> Result<(), InvalidMessage> {
    let max = FILTER_NAMES_MAX;
    if count > max { Err(InvalidMessage::TooMany { field, count, max }) } else { Ok(()) }
}

/// A filter that accepts everything travels as no filter.
fn filter_message(filter: Filter) -> Option<v1::Filter> {
    (!filter.is_all()).then(|| filter.into())
}

fn filter(message: Option<v1::Filter>) -> Result<Filter, InvalidMessage> {
    message.map(Filter::try_from).transpose().map(Option::unwrap_or_default)
}

/// A limit on the wire, where 0 means the default: so 0 becomes 1, and a value that does not fit becomes the largest
/// that does.
fn limit_message(limit: usize) -> u32 {
    u32::try_from(limit.max(1)).unwrap_or(u32::MAX)
}

fn limit(message: u32, default: usize) -> usize {
    if message == 0 { default } else { usize::try_from(message).unwrap_or(usize::MAX) }
}

impl From<ReadStream> for v1::ReadStreamRequest {
    fn from(read: ReadStream) -> Self {
        let direction = match read.direction {
            Direction::Forward => WireDirection::Forward,
            Direction::Backward => WireDirection::Backward,
        };
        Self {
            stream: read.stream.as_str().to_owned(),
            from: read.from.get(),
            direction: direction.into(),
            events_max: limit_message(read.events_max),
        }
    }
}

impl TryFrom<v1::ReadStreamRequest> for ReadStream {
    type Error = InvalidMessage;

    fn try_from(read: v1::ReadStreamRequest) -> Result<Self, InvalidMessage> {
        let (field, value) = ("ReadStreamRequest.direction", read.direction.into());
        let direction = match WireDirection::try_from(read.direction) {
            Ok(WireDirection::Forward | WireDirection::Unspecified) => Direction::Forward,
            Ok(WireDirection::Backward) => Direction::Backward,
            Err(_) => return Err(InvalidMessage::OutOfRange { field, value }),
        };
        Ok(Self {
            stream: named("ReadStreamRequest.stream", StreamName::new(read.stream))?,
            from: Version::new(read.from),
            direction,
            events_max: limit(read.events_max, Self::EVENTS_MAX_DEFAULT),
        })
    }
}

impl TryFrom<v1::ReadStreamResponse> for StreamPage {
    type Error = InvalidMessage;

    fn try_from(page: v1::ReadStreamResponse) -> Result<Self, InvalidMessage> {
        let (version, next) = (Version::new(page.version), page.next.map(Version::new));
        Ok(Self { events: event_batch(page.events)?, version, next })
    }
}

impl From<ReadLog> for v1::ReadLogRequest {
    fn from(read: ReadLog) -> Self {
        Self {
            from: read.from.get(),
            filter: filter_message(read.filter),
            events_max: limit_message(read.events_max),
            bytes_max: limit_message(read.bytes_max),
        }
    }
}

impl TryFrom<v1::ReadLogRequest> for ReadLog {
    type Error = InvalidMessage;

    fn try_from(read: v1::ReadLogRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            from: Sequence::new(read.from),
            filter: filter(read.filter)?,
            events_max: limit(read.events_max, Self::EVENTS_MAX_DEFAULT),
            bytes_max: limit(read.bytes_max, Self::BYTES_MAX_DEFAULT),
        })
    }
}

impl TryFrom<v1::ReadLogResponse> for LogPage {
    type Error = InvalidMessage;

    fn try_from(page: v1::ReadLogResponse) -> Result<Self, InvalidMessage> {
        let (through, head) = (Sequence::new(page.through), Sequence::new(page.head));
        Ok(Self { events: event_batch(page.events)?, through, head })
    }
}

impl From<Subscribe> for v1::SubscribeRequest {
    fn from(subscribe: Subscribe) -> Self {
        Self { from: subscribe.from.get(), filter: filter_message(subscribe.filter) }
    }
}

impl TryFrom<v1::SubscribeRequest> for Subscribe {
    type Error = InvalidMessage;

    fn try_from(subscribe: v1::SubscribeRequest) -> Result<Self, InvalidMessage> {
        Ok(Self { from: Sequence::new(subscribe.from), filter: filter(subscribe.filter)? })
    }
}

impl TryFrom<v1::SubscribeResponse> for Delivery {
    type Error = InvalidMessage;

    fn try_from(delivery: v1::SubscribeResponse) -> Result<Self, InvalidMessage> {
        let (through, head) = (Sequence::new(delivery.through), Sequence::new(delivery.head));
        Ok(Self { events: event_batch(delivery.events)?, through, head, resumed: false })
    }
}

impl From<Head> for v1::HeadResponse {
    fn from(head: Head) -> Self {
        let (log_id, not_ready) = (id_bytes(head.log_id.as_bytes()), String::new());
        let opening = id_bytes(head.opening.as_bytes());
        Self { log_id, first: head.first.get(), last: head.last.get(), not_ready, opening }
    }
}

impl TryFrom<v1::HeadResponse> for Head {
    type Error = InvalidMessage;

    fn try_from(head: v1::HeadResponse) -> Result<Self, InvalidMessage> {
        Ok(Self {
            log_id: LogId::from_bytes(exactly("HeadResponse.log_id", &head.log_id)?),
            first: Sequence::new(head.first),
            last: Sequence::new(head.last),
            opening: Opening::from_bytes(exactly("HeadResponse.opening", &head.opening)?),
        })
    }
}

impl From<Fingerprint> for v1::Fingerprint {
    fn from(fingerprint: Fingerprint) -> Self {
        let Fingerprint { log_id, sequence, chain, opening } = fingerprint;
        let (log_id, opening) = (id_bytes(log_id.as_bytes()), id_bytes(opening.as_bytes()));
        Self { log_id, sequence: sequence.get(), chain: id_bytes(&chain), opening }
    }
}

impl TryFrom<v1::Fingerprint> for Fingerprint {
    type Error = InvalidMessage;

    fn try_from(fingerprint: v1::Fingerprint) -> Result<Self, InvalidMessage> {
        Ok(Self {
            log_id: LogId::from_bytes(exactly("Fingerprint.log_id", &fingerprint.log_id)?),
            sequence: Sequence::new(fingerprint.sequence),
            chain: exactly("Fingerprint.chain", &fingerprint.chain)?,
            opening: Opening::from_bytes(exactly("Fingerprint.opening", &fingerprint.opening)?),
        })
    }
}

impl From<Capabilities> for v1::GetCapabilitiesResponse {
    fn from(capabilities: Capabilities) -> Self {
        let Capabilities { name, durable, dense, .. } = capabilities;
        Self { name, durable, dense }
    }
}

impl From<v1::GetCapabilitiesResponse> for Capabilities {
    fn from(response: v1::GetCapabilitiesResponse) -> Self {
        let mut capabilities = Self::of(response.name);
        (capabilities.durable, capabilities.dense) = (response.durable, response.dense);
        capabilities
    }
}
