//! Older forms of events, read as the newest one.
//!
//! What always holds:
//!
//! * What is stored stays as it is: the steps run when an event is read, from its version to the newest, each once.
//! * A step that is missing, fails or panics is an error of that event, and names the version.

use crate::{CodecError, ContentType, Event, EventRef, guarded, json::Json};

/// The stored event in `E`'s newest form. `Ok(None)`: `E` does not know its type. A panic in a function of the service
/// is an error of the event.
pub fn decode<E: Event>(event: &EventRef<'_>) -> Result<Option<E>, CodecError> {
    guarded(|| decode_unguarded(event))
        .unwrap_or_else(|panic| Err(CodecError::new(event.event_type(), panic)))
}

fn decode_unguarded<E: Event>(event: &EventRef<'_>) -> Result<Option<E>, CodecError> {
    let (event_type, stored) = (event.event_type(), event.schema_version());
    let Some(&(_, newest)) = E::TYPES.iter().find(|(known, _)| *known == event_type) else {
        return Ok(None);
    };
    if stored == newest {
        return E::decode(event_type, event.payload());
    }
    if stored == 0 {
        return Err(CodecError::new(event_type, "schema version 0 is stored; versions begin at 1"));
    }
    if stored > newest {
        let reason = format!(
            "schema version {stored} is newer than {newest}, the newest that this release reads; deploy the release that \
             knows it"
        );
        return Err(CodecError::new(event_type, reason));
    }
    if event.content_type() != ContentType::JSON.as_str() {
        let reason = format!("only JSON can be upcast; the payload is {}", event.content_type());
        return Err(CodecError::new(event_type, reason));
    }
    let not_json =
        |error| CodecError::new(event_type, format!("schema version {stored} is not JSON: {error}"));
    let mut json = Json::parse(event.payload()).map_err(not_json)?;
    for from in stored..newest {
        json = E::upcast(event_type, from, json)?;
    }
    E::decode(event_type, json.to_string().as_bytes())
}

/// One step of upcasting, for code that is generated.
#[derive(Debug)]
pub struct Upcast<'a> {
    event_type: &'a str,
    from: u32,
    payload: Json,
}

impl<'a> Upcast<'a> {
    /// The step from version `from` of the payload.
    pub fn of(event_type: &'a str, from: u32, payload: Json) -> Self {
        Self { event_type, from, payload }
    }

    /// Gives the field `old` the name `new`. A payload without the field is left as it is.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), CodecError> {
        let Some(value) = self.payload.take(old) else { return Ok(()) };
        let renamed = self.payload.set(new, value);
        renamed.map_err(|error| self.failed(&error))
    }

    /// Gives the payload the field with this value, unless it has one of that name.
    pub fn default(&mut self, field: &str, value: impl Into<Json>) -> Result<(), CodecError> {
        if self.payload.get(field).is_some() {
            return Ok(());
        }
        let set = self.payload.set(field, value);
        set.map_err(|error| self.failed(&error))
    }

    /// Runs the service's function over the payload.
    pub fn with<E: ToString>(&mut self, step: impl Fn(Json) -> Result<Json, E>) -> Result<(), CodecError> {
        self.payload = step(std::mem::take(&mut self.payload)).map_err(|error| self.failed(&error))?;
        Ok(())
    }

    /// The payload of the next version.
    pub fn finish(self) -> Json {
        self.payload
    }

    /// There is no such step.
    pub fn missing(&self) -> CodecError {
        let (from, to) = (self.from, self.from.saturating_add(1));
        let reason = format!(
            "nothing says how schema version {from} becomes {to}; add #[upcast({from}, ..)] to its struct"
        );
        CodecError::new(self.event_type, reason)
    }

    fn failed(&self, error: &impl ToString) -> CodecError {
        let reason = format!("upcasting schema version {} failed: {}", self.from, error.to_string());
        CodecError::new(self.event_type, reason)
    }
}
