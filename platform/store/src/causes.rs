//! The tree of causes: everything that one request from outside led to, across services, from the log alone.
//!
//! * Events belong together by their correlation id; an event without one is correlated by its own id.
//! * An event's parent is the event that its causation id names, if that comes before it in the log and belongs to
//!   the same correlation; otherwise the event is a root. So every event found is in the tree exactly once.
//! * Only what belongs to the tree is kept in memory, and never more than [`EVENTS_MAX`] events.
//!
//! There is no index by correlation: the log is read from about when the id was made to its head. That is quick for
//! recent events, and for old ones takes as long as reading the log.

use crate::{EventStore, ReadError, ReadLog};
use annals_event::{
    CorrelationId, DecodeError, EventId, EventRef, EventType, NewEvent, RecordedEvent, Sequence, StreamName,
    Timestamp, Version,
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

mod render;

/// The metadata header in which a service puts its name.
pub const SERVICE_HEADER: &str = "service";
/// Most events in one tree. Later ones are left out; see [`CauseTree::is_complete`].
pub const EVENTS_MAX: usize = 10_000;
/// How far the clock that made an id may run ahead of the log's (10 minutes). If it ran further ahead, or a cause is
/// not found, the search begins at the start of the log, which takes longer.
const CLOCK_SLACK_MICROS: i64 = 10 * 60 * 1_000_000;

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CausesError {
    /// No event has this id.
    #[error("no event in the log has the id {0}; check the id, or whether retention removed the event")]
    UnknownEvent(EventId),
    /// No event has this correlation id.
    #[error(
        "no event in the log has the correlation id {0}; check it, or whether retention removed its events"
    )]
    UnknownCorrelation(CorrelationId),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// An event in a tree of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CausedEvent {
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub version: Version,
    /// Its type.
    pub event_type: EventType,
    /// Its id.
    pub id: EventId,
    /// When the log recorded it.
    pub recorded_at: Timestamp,
    /// The service that appended it, if it said so in [`SERVICE_HEADER`].
    pub service: Option<String>,
    /// The trace in which it was appended, in hexadecimal, as a trace backend shows it.
    pub trace_id: Option<String>,
    /// The event that caused it, if one did; it need not be in the tree.
    pub cause: Option<EventId>,
}

/// Everything that one correlation id ties together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseTree {
    correlation_id: CorrelationId,
    /// In the order of the log.
    events: Vec<CausedEvent>,
    /// For each event, the indices in `events` of those that it caused.
    effects: Vec<Vec<usize>>,
    roots: Vec<usize>,
    complete: bool,
}

/// An event at its place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    /// The event.
    pub event: &'a CausedEvent,
    /// How many events lie above it in the tree.
    pub depth: usize,
    /// Whether it is the last event of its cause.
    pub is_last: bool,
}

impl CauseTree {
    /// The tree to which the event belongs.
    pub async fn of_event(store: &dyn EventStore, id: EventId) -> Result<Self, CausesError> {
        for from in starts(store, id.as_uuid()).await? {
            let mut correlation = None;
            scan(store, from, |event| {
                if event.id() == id {
                    correlation = Some(correlation_of(event)?);
                }
                Ok(correlation.is_none())
            })
            .await?;
            if let Some(correlation) = correlation {
                return Self::of_correlation(store, correlation).await;
            }
        }
        Err(CausesError::UnknownEvent(id))
    }

    /// The tree of all events with this correlation id.
    pub async fn of_correlation(store: &dyn EventStore, id: CorrelationId) -> Result<Self, CausesError> {
        let mut events = Vec::new();
        for from in starts(store, id.as_uuid()).await? {
            events = correlated(store, from, id).await?;
            if !events.is_empty() && !lack_a_cause(&events) {
                break;
            }
        }
        if events.is_empty() {
            Err(CausesError::UnknownCorrelation(id))
        } else {
            Ok(Self::arrange(id, events))
        }
    }

    fn arrange(correlation_id: CorrelationId, mut events: Vec<CausedEvent>) -> Self {
        let complete = events.len() <= EVENTS_MAX;
        events.truncate(EVENTS_MAX);
        let (mut effects, mut roots) = (vec![Vec::new(); events.len()], Vec::new());
        let mut before = HashMap::with_capacity(events.len());
        for (place, event) in events.iter().enumerate() {
            // Only an event before it in the log can have caused it, so there is no cycle.
            let cause = event.cause.and_then(|cause| before.get(&cause).copied());
            match cause.and_then(|cause: usize| effects.get_mut(cause)) {
                Some(effects) => effects.push(place),
                None => roots.push(place),
            }
            before.insert(event.id, place);
        }
        Self { correlation_id, events, effects, roots, complete }
    }

    /// What ties the events together.
    pub fn correlation_id(&self) -> CorrelationId {
        self.correlation_id
    }

    /// The events in the order of the log; at least one.
    pub fn events(&self) -> &[CausedEvent] {
        &self.events
    }

    /// Whether all events are here; `false`: there were more than [`EVENTS_MAX`].
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The services that took part, in order of their first event.
    pub fn services(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let services = self.events.iter().filter_map(|event| event.service.as_deref());
        services.filter(|service| seen.insert(*service)).collect()
    }

    /// The events from cause to effect: each before those that it caused, siblings in the order of the log.
    pub fn branches(&self) -> impl Iterator<Item = Branch<'_>> {
        let mut open = Vec::new();
        lay_open(&mut open, &self.roots, 0);
        std::iter::from_fn(move || {
            let (place, depth, is_last) = open.pop()?;
            lay_open(&mut open, self.effects.get(place)?, depth + 1);
            Some(Branch { event: self.events.get(place)?, depth, is_last })
        })
    }
}

/// Pushes siblings so that the first is popped first.
fn lay_open(open: &mut Vec<(usize, usize, bool)>, siblings: &[usize], depth: usize) {
    let mut is_last = true;
    for &place in siblings.iter().rev() {
        open.push((place, depth, is_last));
        is_last = false;
    }
}

impl From<RecordedEvent> for CausedEvent {
    fn from(RecordedEvent { sequence, stream, version, recorded_at, event }: RecordedEvent) -> Self {
        let NewEvent { id, event_type, mut metadata, .. } = event;
        let trace = metadata.trace.map(|trace| Uuid::from_bytes(trace.trace_id));
        Self {
            sequence,
            stream,
            version,
            event_type,
            id,
            recorded_at,
            service: metadata.headers.remove(SERVICE_HEADER),
            trace_id: trace.map(|trace| trace.simple().to_string()),
            cause: metadata.causation_id,
        }
    }
}

fn correlation_of(event: &EventRef<'_>) -> Result<CorrelationId, DecodeError> {
    Ok(event.metadata()?.correlation_id.unwrap_or(event.id().into()))
}

/// The events from `from` on with this correlation id, at most one more than a tree takes.
async fn correlated(
    store: &dyn EventStore,
    from: Sequence,
    id: CorrelationId,
) -> Result<Vec<CausedEvent>, ReadError> {
    let mut events = Vec::new();
    scan(store, from, |event| {
        if correlation_of(event)? == id {
            events.push(event.to_recorded()?.into());
        }
        Ok(events.len() <= EVENTS_MAX)
    })
    .await?;
    Ok(events)
}

/// Whether the cause of one of the events is not among them: it may lie before the place where the search began.
fn lack_a_cause(events: &[CausedEvent]) -> bool {
    let ids: HashSet<_> = events.iter().map(|event| event.id).collect();
    events.iter().any(|event| event.cause.is_some_and(|cause| !ids.contains(&cause)))
}

/// Where to search for what belongs to `id`: first from when the id was made, then, if something is missing, from the
/// start.
async fn starts(store: &dyn EventStore, id: &Uuid) -> Result<Vec<Sequence>, ReadError> {
    let first = store.head().await?.first;
    let Some(made_at) = made_at(id) else { return Ok(vec![first]) };
    let since = Timestamp::from_micros(made_at.as_micros().saturating_sub(CLOCK_SLACK_MICROS));
    let bounded = store.sequence_at(since).await?;
    Ok(if bounded > first { vec![bounded, first] } else { vec![first] })
}

/// When the id was made, if it says so.
fn made_at(id: &Uuid) -> Option<Timestamp> {
    let (seconds, nanos) = (id.get_version_num() == 7).then(|| id.get_timestamp())??.to_unix();
    let micros =
        i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1_000))?;
    Some(Timestamp::from_micros(micros))
}

/// Passes the events from `from` to the current head to `visit`, until it has enough.
async fn scan(
    store: &dyn EventStore,
    from: Sequence,
    mut visit: impl FnMut(&EventRef<'_>) -> Result<bool, DecodeError>,
) -> Result<(), ReadError> {
    let mut read = ReadLog::from(from);
    let head = store.head().await?.last;
    while read.from <= head {
        let page = store.read_log(read.clone()).await?;
        for event in page.events.iter() {
            if !visit(&event)? {
                return Ok(());
            }
        }
        read.from = page.through.next();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
