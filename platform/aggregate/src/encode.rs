use annals_event::{CodecError, CorrelationId, Event, EventId, EventType, Metadata, NewEvent};

/// The events as they are appended: with an id each, by its index, and all with `metadata`. A chain that nobody
/// correlated is correlated by the first event's id.
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
    Ok(NewEvent {
        id,
        event_type: EventType::new(name).map_err(|error| CodecError::new(name, error))?,
        schema_version: event.schema_version(),
        content_type: event.content_type(),
        payload: event.encode()?,
        metadata,
        tags: Vec::new(),
    })
}
