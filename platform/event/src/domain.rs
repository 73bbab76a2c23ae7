//! The seam between a service's own event types and the envelope.

use crate::{
    ContentType, DecodeError, EventId, EventRef, Metadata, Sequence, StreamName, Tag, Timestamp, Version,
    json::Json, upcast::Upcast,
};
use bytes::Bytes;
use std::ops::Deref;

/// An event type, or several: a struct with `#[derive(Event)]` declares one with its type, version, tags and the
/// upcasts of its older forms; an enum with `#[derive(Event)]` adds up those that its variants hold. Whoever reads an
/// event type uses the same struct, or another one of the same type with the fields that it needs.
///
/// What [`encode`](Self::encode) writes is read back before it is appended; an event that comes back changed is
/// refused. [`json`](crate::json) is the codec for an implementation written by hand. [`decode`](crate::decode) reads
/// a stored event in whichever version it is.
pub trait Event: Sized + Send + Sync + 'static {
    /// The types that it can decode, with the newest schema version of each.
    const TYPES: &'static [(&'static str, u32)];

    /// The type of this event, as it is stored.
    fn event_type(&self) -> &'static str;
    /// The schema version that [`encode`](Self::encode) writes.
    fn schema_version(&self) -> u32;
    /// The payload's media type.
    fn content_type(&self) -> ContentType {
        ContentType::JSON
    }
    /// The payload.
    fn encode(&self) -> Result<Bytes, CodecError>;
    /// The tags that it is stored with: readers find it by them.
    fn tags(&self) -> Result<Vec<Tag>, CodecError> {
        Ok(Vec::new())
    }
    /// Decodes an event of `event_type` from a payload of the newest schema version. `Ok(None)`: the type is not one
    /// of [`TYPES`](Self::TYPES).
    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError>;
    /// Turns the payload of an event of `event_type` from schema version `from` into the next version. What is stored
    /// stays as it is. Numbers keep all their digits on the way.
    fn upcast(event_type: &str, from: u32, payload: Json) -> Result<Json, CodecError> {
        Err(Upcast::of(event_type, from, payload).missing())
    }

    /// Whether [`decode`](Self::decode) knows the type.
    fn knows(event_type: &str) -> bool {
        Self::TYPES.iter().any(|(known, _)| *known == event_type)
    }
}

/// An event that could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("event type {event_type:?}: {reason}")]
pub struct CodecError {
    /// The type of the event.
    pub event_type: String,
    /// What is wrong with the event.
    pub reason: String,
    unfit_tag: bool,
}

impl CodecError {
    /// An error about an event of this type.
    pub fn new(event_type: impl Into<String>, reason: impl ToString) -> Self {
        Self { event_type: event_type.into(), reason: reason.to_string(), unfit_tag: false }
    }

    /// The event has a value that cannot be stored as a tag.
    pub fn unfit_tag(event_type: impl Into<String>, reason: impl ToString) -> Self {
        Self { unfit_tag: true, ..Self::new(event_type, reason) }
    }

    /// Whether a value of the event cannot be stored as a tag: whoever gave the value can give another one.
    pub fn is_unfit_tag(&self) -> bool {
        self.unfit_tag
    }
}

/// A decoded event with its envelope. The event's own fields are reached as if they were its own: `e.customer`.
///
/// `#[derive(Event)]` therefore refuses an event that has a field named like one of these: `e.id` would be this id, without a
/// word. A member's id is called `member_id`, or `#[serde(rename = "id")] member_id` where it is stored as `id`.
#[derive(Clone, Debug)]
pub struct Recorded<E> {
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub version: Version,
    /// When the log recorded it.
    pub recorded_at: Timestamp,
    /// Its id.
    pub id: EventId,
    /// What else is known about it.
    pub metadata: Metadata,
    /// The fact.
    pub event: E,
}

/// The fact.
impl<E> Deref for Recorded<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.event
    }
}

impl<E> Recorded<E> {
    /// Puts `event`, decoded from `envelope`, into its envelope.
    pub fn new(envelope: &EventRef<'_>, event: E) -> Result<Self, DecodeError> {
        Ok(Self {
            sequence: envelope.sequence(),
            stream: StreamName::new(envelope.stream())
                .map_err(|_| DecodeError::new("its stream's name is not valid"))?,
            version: envelope.version(),
            recorded_at: envelope.recorded_at(),
            id: envelope.id(),
            metadata: envelope.metadata()?,
            event,
        })
    }
}
