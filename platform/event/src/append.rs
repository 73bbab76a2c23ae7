//! An append: what to write, under which conditions, and what came of it.

use crate::{
    EventId, ExpectedVersion, MarkName, NewEvent, Opening, RequestId, Sequence, SequenceRange, StreamName,
    Timestamp, Version, limits, record,
};
use std::{collections::HashSet, fmt};

/// One atomic, durable write of events to one or more streams, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Repeating it returns the first result and writes nothing.
    ///
    /// A store remembers many ids, not all. An id that it does not remember is executed if its own time proves it
    /// new: a UUID v7, as [`RequestId::generate`] makes them, says when it was made, and that must be later than
    /// everything the store has forgotten, allowing for five seconds between clocks. An id that may be old, or that
    /// carries no time, is executed only if the append would be refused the second time anyway: because a write
    /// expects [`Exact`](ExpectedVersion::Exact) or [`NoStream`](ExpectedVersion::NoStream), or because a mark moves
    /// on. Every other append is refused by name; none is silently written twice.
    pub request_id: RequestId,
    /// The streams to write to, each at most once. Events get sequence numbers in this order.
    pub writes: Vec<StreamWrite>,
    /// Conditions on streams that are not written.
    pub requires: Vec<Requirement>,
    /// The marks to set, each at most once.
    pub marks: Vec<MarkUpdate>,
    /// The opening of the log that the decision was based on. In any other opening the append is refused, unless it
    /// is a repeat. `None`: any opening will do. It is not part of the append's content.
    pub opening: Option<Opening>,
}

/// Events for one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamName,
    /// What must hold of it. Under [`Exact`](ExpectedVersion::Exact) and [`NoStream`](ExpectedVersion::NoStream) an
    /// append whose events, by their ids, are already there is a repeat if their content is the same, and an error if
    /// it is not. Under [`Any`](ExpectedVersion::Any) and [`Exists`](ExpectedVersion::Exists) only the request id
    /// identifies a repeat: the same events under a new request id are written again.
    pub expected: ExpectedVersion,
    /// What to add to it, in order; at least one event.
    pub events: Vec<NewEvent>,
}

/// A condition on a stream that the append does not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The stream.
    pub stream: StreamName,
    /// What must hold of it.
    pub expected: ExpectedVersion,
}

/// A compare-and-set of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkUpdate {
    /// The mark.
    pub mark: MarkName,
    /// Where it must be; `None`: it was never set.
    pub expected: Option<Sequence>,
    /// Where to set it. A mark that moves on keeps its append from being executed twice, whatever the request id,
    /// unless somebody sets the mark back: then what came after it may be done again.
    pub value: Sequence,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The events' places; `None` when the append only set marks.
    pub events: Option<SequenceRange>,
    /// The last version of each written stream, in the order of [`Append::writes`].
    pub versions: Vec<Version>,
    /// The log's last sequence number once the append was done: a reader that has seen it has seen the append.
    pub head: Sequence,
    /// When the events were recorded.
    pub recorded_at: Timestamp,
    /// Whether this is the result of an earlier append with the same request id or the same events.
    ///
    /// It does not say whose append that was. An adapter that lost an answer asks again by itself and passes on what
    /// it is told: it cannot know whether its own first attempt or an earlier call was executed. A caller that must
    /// know needs a request id that nobody else can have.
    pub repeated: bool,
}

/// Why a well-formed append was refused: a stream, a mark or the log is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A stream has another version.
    Stream {
        /// Which stream.
        stream: StreamName,
        /// What the append expected of it.
        expected: ExpectedVersion,
        /// Where it is; `ZERO`: it has no events.
        actual: Version,
    },
    /// A mark is elsewhere.
    Mark {
        /// Which mark.
        mark: MarkName,
        /// Where the append expected it; `None`: never set.
        expected: Option<Sequence>,
        /// Where it is; `None`: never set.
        actual: Option<Sequence>,
    },
    /// The log was reopened, so it may have been restored from a backup and hold other events.
    Opening {
        /// The opening that the append expected.
        expected: Opening,
        /// The current one.
        actual: Opening,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream { stream, expected, actual } if *actual == Version::ZERO => {
                write!(f, "stream {stream:?} has no events; the append expected {expected}")
            }
            Self::Stream { stream, expected, actual } => {
                write!(f, "stream {stream:?} is at version {actual}; the append expected {expected}")
            }
            Self::Mark { mark, expected, actual } => {
                let place = |at: &Option<Sequence>| at.map_or("unset".to_owned(), |at| format!("at {at}"));
                write!(f, "mark {mark:?} is {}; the append expected it {}", place(actual), place(expected))
            }
            Self::Opening { expected, actual } => {
                write!(
                    f,
                    "the log was reopened as {actual}; the append was decided on what was read in {expected}"
                )
            }
        }
    }
}

impl std::error::Error for Conflict {}

/// Why an append can never be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppend {
    /// Nothing to do.
    #[error("the append writes no event and sets no mark; give it one")]
    Empty,
    /// A write without events.
    #[error("the write to stream {0:?} has no events; to require a version without writing, use `requires`")]
    EmptyWrite(StreamName),
    /// One stream twice.
    #[error("stream {0:?} appears twice in the append; put its events into one write")]
    RepeatedStream(StreamName),
    /// One mark twice.
    #[error("mark {0:?} appears twice in the append")]
    RepeatedMark(MarkName),
    /// One event id twice.
    #[error("event id {0} appears twice in the append")]
    RepeatedEventId(EventId),
    /// An event of schema version 0.
    #[error("event {0} has schema version 0; schema versions begin at 1")]
    SchemaVersionZero(EventId),
    /// A count over its limit.
    #[error("the append has {actual} {what}; at most {max} are allowed")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there may be.
        max: usize,
    },
    /// A size over its limit.
    #[error("the {what} has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// A store refused it for a reason of its own, e.g. a rule of another release or a limit of the transport.
    #[error("{reason}")]
    Refused {
        /// What to change.
        reason: String,
    },
}

impl Append {
    /// An append with a new request id that does nothing yet.
    pub fn new() -> Self {
        Self::with_request_id(RequestId::generate())
    }

    /// An append with this request id that does nothing yet.
    pub fn with_request_id(request_id: RequestId) -> Self {
        Self { request_id, writes: Vec::new(), requires: Vec::new(), marks: Vec::new(), opening: None }
    }

    /// An append of `events` to one stream.
    pub fn to(stream: StreamName, expected: ExpectedVersion, events: Vec<NewEvent>) -> Self {
        Self::new().write(stream, expected, events)
    }

    /// Adds a write of `events` to `stream`.
    #[must_use]
    pub fn write(mut self, stream: StreamName, expected: ExpectedVersion, events: Vec<NewEvent>) -> Self {
        self.writes.push(StreamWrite { stream, expected, events });
        self
    }

    /// Adds a condition on a stream that is not written.
    #[must_use]
    pub fn require(mut self, stream: StreamName, expected: ExpectedVersion) -> Self {
        self.requires.push(Requirement { stream, expected });
        self
    }

    /// Adds a compare-and-set of `mark` from `expected` to `value`.
    #[must_use]
    pub fn set_mark(mut self, mark: MarkName, expected: Option<Sequence>, value: Sequence) -> Self {
        self.marks.push(MarkUpdate { mark, expected, value });
        self
    }

    /// Restricts the append to this opening of the log.
    #[must_use]
    pub const fn only_in(mut self, opening: Opening) -> Self {
        self.opening = Some(opening);
        self
    }

    /// How many events the append writes.
    pub fn event_count(&self) -> usize {
        self.writes.iter().map(|write| write.events.len()).sum()
    }

    /// How many bytes the append's events take as records.
    pub fn encoded_len(&self) -> usize {
        let of = |write: &StreamWrite| -> usize {
            write.events.iter().map(|event| record::encoded_len(&write.stream, event)).sum()
        };
        self.writes.iter().map(of).sum()
    }

    /// Checks everything that can be known without the log. Every adapter calls it before anything else.
    pub fn validate(&self) -> Result<(), InvalidAppend> {
        if self.writes.is_empty() && self.marks.is_empty() {
            return Err(InvalidAppend::Empty);
        }
        let streams = self.writes.len() + self.requires.len();
        for (what, actual, max) in [
            ("events", self.event_count(), limits::APPEND_EVENTS_MAX),
            ("streams", streams, limits::APPEND_STREAMS_MAX),
            ("marks", self.marks.len(), limits::APPEND_MARKS_MAX),
        ] {
            if actual > max {
                return Err(InvalidAppend::TooMany { what, actual, max });
            }
        }
        self.validate_uniqueness()?;
        for event in self.writes.iter().flat_map(|write| &write.events) {
            validate_event(event)?;
        }
        within("append", self.encoded_len(), limits::APPEND_BYTES_MAX)
    }

    fn validate_uniqueness(&self) -> Result<(), InvalidAppend> {
        let mut streams = HashSet::with_capacity(self.writes.len() + self.requires.len());
        let written = self.writes.iter().map(|write| &write.stream);
        for stream in written.chain(self.requires.iter().map(|required| &required.stream)) {
            if !streams.insert(stream) {
                return Err(InvalidAppend::RepeatedStream(stream.clone()));
            }
        }
        if let Some(write) = self.writes.iter().find(|write| write.events.is_empty()) {
            return Err(InvalidAppend::EmptyWrite(write.stream.clone()));
        }
        if let Some(id) = self.repeated_event_id() {
            return Err(InvalidAppend::RepeatedEventId(id));
        }
        let mut marks = HashSet::with_capacity(self.marks.len());
        match self.marks.iter().find(|update| !marks.insert(&update.mark)) {
            Some(update) => Err(InvalidAppend::RepeatedMark(update.mark.clone())),
            None => Ok(()),
        }
    }

    fn repeated_event_id(&self) -> Option<EventId> {
        let ids = || self.writes.iter().flat_map(|write| &write.events).map(|event| event.id);
        // Ids that were generated one after the other are sorted.
        if ids().is_sorted_by(|id, next| id < next) {
            return None;
        }
        let mut seen = HashSet::with_capacity(self.event_count());
        ids().find(|id| !seen.insert(*id))
    }
}

impl Default for Append {
    fn default() -> Self {
        Self::new()
    }
}

fn validate_event(event: &NewEvent) -> Result<(), InvalidAppend> {
    if event.schema_version == 0 {
        return Err(InvalidAppend::SchemaVersionZero(event.id));
    }
    let (tags, max) = (event.tags.len(), limits::EVENT_TAGS_MAX);
    if tags > max {
        return Err(InvalidAppend::TooMany { what: "tags on one event", actual: tags, max });
    }
    within("payload", event.payload.len(), limits::PAYLOAD_BYTES_MAX)?;
    within("metadata", event.metadata.encoded_len(), limits::METADATA_BYTES_MAX)
}

fn within(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), InvalidAppend> {
    if bytes > bytes_max { Err(InvalidAppend::TooLarge { what, bytes, bytes_max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventType, Metadata};

    fn event() -> NewEvent {
        NewEvent::json(EventType::new("t").unwrap(), "{}")
    }
    fn stream(name: &str) -> StreamName {
        StreamName::new(name).unwrap()
    }

    #[test]
    fn an_append_at_every_limit_passes_and_one_over_it_is_refused() {
        let events = |n: usize| (0..n).map(|_| event()).collect::<Vec<_>>();
        let append = |n| Append::to(stream("a"), ExpectedVersion::Any, events(n));
        assert_eq!(append(10_000).validate(), Ok(()));
        assert!(matches!(append(10_001).validate(), Err(InvalidAppend::TooMany { what: "events", .. })));

        let sized = |n: usize| {
            let event = NewEvent { payload: vec![0; n].into(), ..event() };
            Append::to(stream("a"), ExpectedVersion::Any, vec![event])
        };
        assert_eq!(sized(1 << 20).validate(), Ok(()));
        assert!(matches!(
            sized((1 << 20) + 1).validate(),
            Err(InvalidAppend::TooLarge { what: "payload", .. })
        ));

        let described = |n: usize| {
            let metadata = Metadata { actor: Some("x".repeat(n)), ..Metadata::default() };
            Append::to(stream("a"), ExpectedVersion::Any, vec![NewEvent { metadata, ..event() }])
        };
        assert_eq!(described((16 << 10) - 3).validate(), Ok(()));
        assert!(matches!(described((16 << 10) - 2).validate(), Err(InvalidAppend::TooLarge { .. })));

        let big = vec![NewEvent { payload: vec![0; 1 << 20].into(), ..event() }; 4]
            .into_iter()
            .map(|e| NewEvent { id: EventId::generate(), ..e })
            .collect();
        let big = Append::to(stream("a"), ExpectedVersion::Any, big);
        assert!(matches!(big.validate(), Err(InvalidAppend::TooLarge { what: "append", .. })));
    }

    #[test]
    fn schema_versions_begin_with_1() {
        let event = NewEvent { schema_version: 0, ..event() };
        let refused = InvalidAppend::SchemaVersionZero(event.id);
        assert_eq!(Append::to(stream("a"), ExpectedVersion::Any, vec![event]).validate(), Err(refused));
    }

    #[test]
    fn nothing_may_stand_in_an_append_twice() {
        let once = Append::to(stream("a"), ExpectedVersion::Any, vec![event()]);
        let again = once.clone().require(stream("a"), ExpectedVersion::Any);
        assert_eq!(again.validate(), Err(InvalidAppend::RepeatedStream(stream("a"))));
        let id = once.writes[0].events[0].id;
        let same_id = once.clone().write(stream("b"), ExpectedVersion::Any, once.writes[0].events.clone());
        assert_eq!(same_id.validate(), Err(InvalidAppend::RepeatedEventId(id)));
        let mark = MarkName::new("m").unwrap();
        let marks = Append::new().set_mark(mark.clone(), None, Sequence::FIRST).set_mark(
            mark.clone(),
            None,
            Sequence::FIRST,
        );
        assert_eq!(marks.validate(), Err(InvalidAppend::RepeatedMark(mark)));
        assert_eq!(Append::new().validate(), Err(InvalidAppend::Empty));
        let hollow = Append::to(stream("a"), ExpectedVersion::Any, vec![]);
        assert_eq!(hollow.validate(), Err(InvalidAppend::EmptyWrite(stream("a"))));
    }
}
