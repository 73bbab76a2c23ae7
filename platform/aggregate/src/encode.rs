//! From events to their stored form. Nothing is appended that could not be read back.

use annals_event::{
    CodecError, ContentType, CorrelationId, Event, EventId, EventType, Metadata, NewEvent, json,
};
use bytes::Bytes;

/// The events as they are appended: each with an id, by its index, and all with `metadata`. A chain without a
/// correlation id is correlated by the first event's id.
///
/// Each one is read back as a reader would; an event that comes back changed is an error that names it.
pub fn encode<E: Event>(
    events: &[E],
    metadata: &Metadata,
    mut id_of: impl FnMut(u32) -> EventId,
) -> Result<Vec<NewEvent>, CodecError> {
    let mut metadata = metadata.clone();
    let mut encoded = Vec::with_capacity(events.len());
    for (index, event) in (0..).zip(events) {
        let id = id_of(index);
        metadata.correlation_id.get_or_insert_with(|| CorrelationId::from(id));
        encoded.push(encode_one(event, id, metadata.clone())?);
    }
    Ok(encoded)
}

fn encode_one<E: Event>(event: &E, id: EventId, metadata: Metadata) -> Result<NewEvent, CodecError> {
    let name = event.event_type();
    let payload = event.encode()?;
    read_back(event, &payload).map_err(|reason| CodecError::new(name, reason))?;
    Ok(NewEvent {
        id,
        event_type: EventType::new(name).map_err(|error| CodecError::new(name, error))?,
        schema_version: event.schema_version(),
        content_type: event.content_type(),
        payload,
        metadata,
        tags: event.tags()?,
    })
}

/// Decodes the payload as a reader does, and compares the result with the event by encoding it once more.
fn read_back<E: Event>(event: &E, payload: &Bytes) -> Result<(), String> {
    let (name, version) = (event.event_type(), event.schema_version());
    match E::TYPES.iter().find(|(known, _)| *known == name) {
        Some(&(_, newest)) if newest == version => {}
        Some((_, newest)) => {
            return Err(format!(
                "it is written as schema version {version}, but TYPES says that it is read as {newest}"
            ));
        }
        None => return Err("readers would skip it: TYPES does not list it".to_owned()),
    }
    let back = E::decode(name, payload)
        .map_err(|error| format!("it could not be read back: {}", error.reason))?
        .ok_or("readers would skip it: decode does not know it")?;
    let again =
        back.encode().map_err(|error| format!("what is read back could not be written: {}", error.reason))?;
    if again == *payload || event.content_type() != ContentType::JSON {
        return Ok(());
    }
    json::check_read_back(payload, &again).map_err(|error| error.to_string())
}
