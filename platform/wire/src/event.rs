//! Events, with their metadata.

use crate::{
    InvalidMessage,
    invalid::{exactly, named, required},
    v1,
};
use annals_event::{
    ContentType, CorrelationId, DecodeError, EventBatch, EventBatchBuilder, EventId, EventRef, EventType,
    Metadata, NewEvent, RecordedEvent, Sequence, StreamName, Tag, Timestamp, TraceContext, Version,
};
use bytes::Bytes;

impl From<NewEvent> for v1::NewEvent {
    fn from(event: NewEvent) -> Self {
        Self {
            id: id_bytes(event.id.as_bytes()),
            r#type: event.event_type.as_str().to_owned(),
            schema_version: event.schema_version,
            content_type: content_type_text(event.content_type.as_str()),
            payload: event.payload,
            metadata: metadata_message(event.metadata),
            tags: tag_texts(&event.tags),
        }
    }
}

impl TryFrom<v1::NewEvent> for NewEvent {
    type Error = InvalidMessage;

    fn try_from(event: v1::NewEvent) -> Result<Self, InvalidMessage> {
        let tags = event.tags.iter().map(|tag| named("NewEvent.tags", Tag::new(tag)));
        Ok(Self {
            id: EventId::from_bytes(exactly("NewEvent.id", &event.id)?),
            event_type: named("NewEvent.type", EventType::new(event.r#type))?,
            schema_version: event.schema_version,
            content_type: content_type(event.content_type)?,
            payload: event.payload,
            metadata: event.metadata.map(Metadata::try_from).transpose()?.unwrap_or_default(),
            tags: tags.collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<EventRef<'_>> for v1::RecordedEvent {
    type Error = DecodeError;

    /// Fails if the stored metadata or tags are damaged. The payload shares the batch's buffer.
    fn try_from(event: EventRef<'_>) -> Result<Self, DecodeError> {
        let appended = v1::NewEvent {
            id: id_bytes(event.id().as_bytes()),
            r#type: event.event_type().to_owned(),
            schema_version: event.schema_version(),
            content_type: content_type_text(event.content_type()),
            payload: event.payload_bytes(),
            metadata: metadata_message(event.metadata()?),
            tags: tag_texts(&event.tags()?),
        };
        Ok(Self {
            sequence: event.sequence().get(),
            stream: event.stream().to_owned(),
            version: event.version().get(),
            recorded_at_us: event.recorded_at().as_micros(),
            event: Some(appended),
        })
    }
}

impl TryFrom<v1::RecordedEvent> for RecordedEvent {
    type Error = InvalidMessage;

    fn try_from(event: v1::RecordedEvent) -> Result<Self, InvalidMessage> {
        Ok(Self {
            sequence: Sequence::new(event.sequence),
            stream: named("RecordedEvent.stream", StreamName::new(event.stream))?,
            version: Version::new(event.version),
            recorded_at: Timestamp::from_micros(event.recorded_at_us),
            event: required("RecordedEvent.event", event.event)?.try_into()?,
        })
    }
}

/// The batch of these events, in this order.
pub fn event_batch(events: Vec<v1::RecordedEvent>) -> Result<EventBatch, InvalidMessage> {
    let record = |cause| InvalidMessage::Record { field: "events", cause };
    let mut builder = EventBatchBuilder::default();
    for event in events {
        builder.push(&RecordedEvent::try_from(event)?).map_err(record)?;
    }
    builder.build().map_err(record)
}

impl From<Metadata> for v1::Metadata {
    fn from(metadata: Metadata) -> Self {
        Self {
            correlation_id: metadata.correlation_id.map(|id| id_bytes(id.as_bytes())).unwrap_or_default(),
            causation_id: metadata.causation_id.map(|id| id_bytes(id.as_bytes())).unwrap_or_default(),
            trace: metadata.trace.map(Into::into),
            tenant: metadata.tenant,
            actor: metadata.actor,
            subject_key: metadata.subject_key,
            headers: metadata.headers,
        }
    }
}

impl TryFrom<v1::Metadata> for Metadata {
    type Error = InvalidMessage;

    fn try_from(metadata: v1::Metadata) -> Result<Self, InvalidMessage> {
        let correlation_id = optional_id("Metadata.correlation_id", &metadata.correlation_id)?;
        let causation_id = optional_id("Metadata.causation_id", &metadata.causation_id)?;
        Ok(Self {
            correlation_id: correlation_id.map(CorrelationId::from_bytes),
            causation_id: causation_id.map(EventId::from_bytes),
            trace: metadata.trace.map(TryInto::try_into).transpose()?,
            tenant: metadata.tenant,
            actor: metadata.actor,
            subject_key: metadata.subject_key,
            headers: metadata.headers,
        })
    }
}

impl From<TraceContext> for v1::TraceContext {
    fn from(trace: TraceContext) -> Self {
        Self {
            trace_id: Bytes::copy_from_slice(&trace.trace_id),
            span_id: Bytes::copy_from_slice(&trace.span_id),
            flags: trace.flags.into(),
            state: trace.state,
        }
    }
}

impl TryFrom<v1::TraceContext> for TraceContext {
    type Error = InvalidMessage;

    fn try_from(trace: v1::TraceContext) -> Result<Self, InvalidMessage> {
        let (field, value) = ("TraceContext.flags", i64::from(trace.flags));
        Ok(Self {
            trace_id: exactly("TraceContext.trace_id", &trace.trace_id)?,
            span_id: exactly("TraceContext.span_id", &trace.span_id)?,
            flags: trace.flags.try_into().map_err(|_| InvalidMessage::OutOfRange { field, value })?,
            state: trace.state,
        })
    }
}

pub(crate) fn id_bytes(id: &[u8; 16]) -> Bytes {
    Bytes::copy_from_slice(id)
}

/// Empty bytes: none.
pub(crate) fn optional_id(field: &'static str, bytes: &[u8]) -> Result<Option<[u8; 16]>, InvalidMessage> {
    if bytes.is_empty() { Ok(None) } else { exactly(field, bytes).map(Some) }
}

fn metadata_message(metadata: Metadata) -> Option<v1::Metadata> {
    (!metadata.is_empty()).then(|| metadata.into())
}

fn tag_texts(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| tag.as_str().to_owned()).collect()
}

/// JSON, the usual type, travels as an empty text.
fn content_type_text(content_type: &str) -> String {
    if content_type == ContentType::JSON.as_str() { String::new() } else { content_type.to_owned() }
}

fn content_type(text: String) -> Result<ContentType, InvalidMessage> {
    if text.is_empty() || text == ContentType::JSON.as_str() {
        return Ok(ContentType::JSON);
    }
    named("NewEvent.content_type", ContentType::new(text))
}
