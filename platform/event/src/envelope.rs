//! The envelope: an event with everything that belongs to it, before and after it is recorded.

use crate::{
    EventId, EventType, InvalidName, Metadata, Sequence, StreamName, Tag, Timestamp, Version, limits,
};
use bytes::Bytes;
use std::{borrow::Cow, fmt};

/// The media type of a payload. JSON is the SDK's default.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    /// `application/json`; takes no bytes when stored.
    pub const JSON: Self = Self(Cow::Borrowed("application/json"));
    /// `application/octet-stream`.
    pub const BYTES: Self = Self(Cow::Borrowed("application/octet-stream"));

    /// Checks `text` and makes it a content type. 1 to 128 bytes of visible ASCII and spaces.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, InvalidName> {
        let (text, what) = (text.into(), "content type");
        if text.is_empty() {
            return Err(InvalidName::Empty { what });
        }
        if text.len() > limits::CONTENT_TYPE_BYTES_MAX {
            let (bytes, bytes_max) = (text.len(), limits::CONTENT_TYPE_BYTES_MAX);
            return Err(InvalidName::TooLong { what, bytes, bytes_max });
        }
        match text.char_indices().find(|(_, c)| !matches!(c, ' '..='~')) {
            Some((at, character)) => Err(InvalidName::ControlCharacter { what, character, at }),
            None => Ok(Self(text)),
        }
    }
    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ContentType {
    fn default() -> Self {
        Self::JSON
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// An event that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id, chosen by the writer so that a repeat is recognised.
    pub id: EventId,
    /// What kind of fact it is.
    pub event_type: EventType,
    /// Which form of the type the payload has; 1 is the first.
    pub schema_version: u32,
    /// How the payload is encoded.
    pub content_type: ContentType,
    /// The fact.
    pub payload: Bytes,
    /// What else is known about it.
    pub metadata: Metadata,
    /// Free `key:value` words.
    pub tags: Vec<Tag>,
}

impl NewEvent {
    /// An event of this type with a JSON payload, a new id, schema version 1 and nothing else.
    pub fn json(event_type: EventType, payload: impl Into<Bytes>) -> Self {
        Self {
            id: EventId::generate(),
            event_type,
            schema_version: 1,
            content_type: ContentType::JSON,
            payload: payload.into(),
            metadata: Metadata::default(),
            tags: Vec::new(),
        }
    }

    /// Whether this is `first` again: equal in all but the trace context, which belongs to the attempt to append it.
    pub fn is_repeat_of(&self, first: &Self) -> bool {
        let facts = |event: &Self| {
            (event.id, event.schema_version, event.event_type.clone(), event.content_type.clone())
        };
        let besides = |event: &Self| Metadata { trace: None, ..event.metadata.clone() };
        facts(self) == facts(first)
            && self.payload == first.payload
            && self.tags == first.tags
            && besides(self) == besides(first)
    }
}

/// An event as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub version: Version,
    /// When the log recorded it; never earlier than the event before it.
    pub recorded_at: Timestamp,
    /// What was appended.
    pub event: NewEvent,
}
