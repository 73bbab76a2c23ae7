//! Events that do to whoever handles them what they say, and some that cannot even be decoded.

use annals_event::{
    Append, CodecError, Event, EventId, EventType, ExpectedVersion, NewEvent, Sequence, StreamName,
};
use annals_store::EventStore;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The consumers that decode events. Each has event types of its own, so that a poison event meets it alone.
pub const SLOTS: [&str; 7] =
    ["projector", "table_projector", "candidate", "sandbox", "restored_snapshot", "reactor", "aggregate"];
pub const PROJECTOR: usize = 0;
pub const TABLE_PROJECTOR: usize = 1;
pub const CANDIDATE: usize = 2;
pub const SANDBOX: usize = 3;
pub const SNAPSHOT: usize = 4;
pub const REACTOR: usize = 5;
pub const AGGREGATE: usize = 6;

const TYPES: [&str; 7] = [
    "projector.happened",
    "table_projector.happened",
    "candidate.happened",
    "sandbox.happened",
    "restored_snapshot.happened",
    "reactor.happened",
    "aggregate.happened",
];

/// How many good events each consumer gets before a poison event, and how many after it.
pub const EVENTS: u64 = 5;

/// The tag of an event that has schema version 0 in the log of an older release.
pub const WITHOUT_VERSION: &str = "no-version";

/// What is wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Payload,
    UnknownType,
    HigherVersion,
    VersionZero,
    Refused,
    Panicking,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Payload,
        Self::UnknownType,
        Self::HigherVersion,
        Self::VersionZero,
        Self::Refused,
        Self::Panicking,
    ];

    /// A type that a consumer does not know is not one of its events, and an aggregate never refuses a fact.
    pub fn is_passed_over_by(self, slot: usize) -> bool {
        self == Self::UnknownType || (self == Self::Refused && slot == AGGREGATE)
    }
}

/// What happens when the event is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    #[default]
    Counts,
    IsRefused,
    Panics,
}

/// An event for the consumer of slot `C`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened<const C: usize> {
    pub then: Then,
}

impl<const C: usize> Event for Happened<C> {
    const TYPES: &'static [(&'static str, u32)] = &[(TYPES[C], 1)];

    fn event_type(&self) -> &'static str {
        TYPES[C]
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        serde_json::to_vec(self).map(Into::into).map_err(|error| CodecError::new(TYPES[C], error))
    }
    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
        serde_json::from_slice(payload).map(Some).map_err(|error| CodecError::new(event_type, error))
    }
}

/// The stream of the slot's events.
pub fn stream(slot: usize) -> StreamName {
    StreamName::of(SLOTS[slot], "1").unwrap()
}

fn event(event_type: &str, payload: &str) -> NewEvent {
    NewEvent::json(EventType::new(event_type).unwrap(), payload.to_owned())
}

fn payload(then: Then) -> String {
    serde_json::to_string(&Happened::<0> { then }).unwrap()
}

async fn write(store: &dyn EventStore, slot: usize, events: Vec<NewEvent>) -> Sequence {
    let append = Append::to(stream(slot), ExpectedVersion::Any, events);
    store.append(append).await.unwrap().events.unwrap().last
}

/// Appends good events for the slot's consumer.
pub async fn append(store: &dyn EventStore, slot: usize, events: u64) {
    let good = || event(TYPES[slot], &payload(Then::Counts));
    write(store, slot, (0..events).map(|_| good()).collect()).await;
}

/// Appends an event of this kind for the slot's consumer.
pub async fn poison(store: &dyn EventStore, kind: Kind, slot: usize) -> Sequence {
    let good = event(TYPES[slot], &payload(Then::Counts));
    let poison = match kind {
        Kind::Payload => event(TYPES[slot], "no JSON"),
        Kind::UnknownType => event(&format!("{}.unheard_of", SLOTS[slot]), "{}"),
        Kind::HigherVersion => NewEvent { schema_version: 2, ..good },
        Kind::VersionZero => {
            let mut old = good;
            old.metadata.headers.insert(WITHOUT_VERSION.into(), "1".into());
            old
        }
        Kind::Refused => event(TYPES[slot], &payload(Then::IsRefused)),
        Kind::Panicking => event(TYPES[slot], &payload(Then::Panics)),
    };
    write(store, slot, vec![poison]).await
}

/// Events on streams of replays that nobody here understands.
pub fn platform_poisons() -> Vec<Append> {
    let unknown_mode = r#"{"read_model":"projector","from":1,"mode":"sandbox"}"#;
    let old = event("replay.requested", r#"{"read_model":"projector","from":1,"mode":"build"}"#);
    let mut without_version = old.clone();
    without_version.metadata.headers.insert(WITHOUT_VERSION.into(), "1".into());
    let poisons = [
        event("replay.requested", "no JSON"),
        event("replay.requested", "{}"),
        event("replay.requested", unknown_mode),
        event("replay.unheard_of", "{}"),
        event("replay.cancelled", "{}"),
        NewEvent { schema_version: 2, id: EventId::generate(), ..old },
        without_version,
    ];
    let append = |poison| {
        let stream = StreamName::of("$replay", &annals_replay::ReplayId::generate().to_string()).unwrap();
        Append::to(stream, ExpectedVersion::NoStream, vec![poison])
    };
    poisons.into_iter().map(append).collect()
}
