use crate::guarded;
use annals_event::{CodecError, ContentType, Event, EventRef, json::Json};
use std::{collections::HashMap, fmt, sync::Arc};

type Step = Arc<dyn Fn(Json) -> Result<Json, String> + Send + Sync>;

/// Functions that turn an older form of an event's JSON payload into the next one. They run when the event is read;
/// what is stored stays as it is. Numbers keep all their digits on the way ([`Json`]).
///
/// A field that is new and may be missing needs no function and no new version: `#[serde(default)]` reads what was stored
/// before it. Raise the version, and add a function, when a field gets another name, another unit or another meaning.
///
/// ```
/// # use annals_aggregate::Upcasters;
/// # use annals_event::json::JsonError;
/// let upcasters = Upcasters::new().add("order.placed", 1, |mut order| {
///     // Version 1 had no currency: the shop sold in dollars only.
///     order.set("currency", "USD")?;
///     Ok::<_, JsonError>(order)
/// });
/// ```
#[derive(Clone, Default)]
pub struct Upcasters(Arc<HashMap<String, HashMap<u32, Step>>>);

impl Upcasters {
    /// No functions: every event has the newest form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the function from schema version `from` of `event_type` to `from + 1`. A second one for the same step
    /// replaces the first.
    #[must_use]
    pub fn add<E: ToString>(
        mut self,
        event_type: impl Into<String>,
        from: u32,
        upcast: impl Fn(Json) -> Result<Json, E> + Send + Sync + 'static,
    ) -> Self {
        let step: Step = Arc::new(move |json| upcast(json).map_err(|error| error.to_string()));
        Arc::make_mut(&mut self.0).entry(event_type.into()).or_default().insert(from, step);
        self
    }

    /// The event in `E`'s newest form. `Ok(None)`: `E` does not know its type. A panic in a function is an error of
    /// the event.
    pub fn decode<E: Event>(&self, event: &EventRef<'_>) -> Result<Option<E>, CodecError> {
        guarded(|| self.decode_unguarded(event))
            .unwrap_or_else(|panic| Err(CodecError::new(event.event_type(), panic)))
    }

    fn decode_unguarded<E: Event>(&self, event: &EventRef<'_>) -> Result<Option<E>, CodecError> {
        let event_type = event.event_type();
        let Some(&(_, newest)) = E::TYPES.iter().find(|(known, _)| *known == event_type) else {
            return Ok(None);
        };
        let stored = event.schema_version();
        if stored == newest {
            return E::decode(event_type, event.payload());
        }
        if stored > newest {
            let reason = format!(
                "schema version {stored} is newer than {newest}, the newest that this release reads; deploy the release \
                 that knows it"
            );
            return Err(CodecError::new(event_type, reason));
        }
        E::decode(event_type, &self.upcast(event, newest)?)
    }

    fn upcast(&self, event: &EventRef<'_>, newest: u32) -> Result<Vec<u8>, CodecError> {
        let (event_type, stored) = (event.event_type(), event.schema_version());
        let error = |reason: String| CodecError::new(event_type, reason);
        if event.content_type() != ContentType::JSON.as_str() {
            let reason = format!("only JSON can be upcast; the payload is {}", event.content_type());
            return Err(error(reason));
        }
        let mut json = Json::parse(event.payload())
            .map_err(|e| error(format!("schema version {stored} is not JSON: {e}")))?;
        for from in stored..newest {
            let step = self.0.get(event_type).and_then(|steps| steps.get(&from));
            let step = step.ok_or_else(|| error(missing(stored, newest, from)))?;
            json = step(json).map_err(|e| error(format!("upcasting schema version {from} failed: {e}")))?;
        }
        Ok(json.to_string().into_bytes())
    }
}

fn missing(stored: u32, newest: u32, from: u32) -> String {
    let to = from.saturating_add(1);
    format!(
        "schema version {stored} is stored and {newest} is wanted, but there is no upcaster from {from} to {to}; add it \
         with Upcasters::add"
    )
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = |steps: &HashMap<u32, Step>| steps.keys().copied().collect::<Vec<_>>();
        f.debug_map().entries(self.0.iter().map(|(event_type, of)| (event_type, steps(of)))).finish()
    }
}
