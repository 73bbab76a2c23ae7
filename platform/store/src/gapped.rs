//! A store in memory whose sequence numbers have gaps. It proves that nothing above the log relies on dense numbers,
//! and is the plain model of what an adapter does. Not durable: for tests.

use crate::{
    AppendError, Capabilities, Direction, EventStore, Follow, Head, LogPage, ReadError, ReadLog, ReadStream,
    StreamPage, Subscribe, Subscription,
};
use annals_event::{
    Append, Conflict, EventBatch, EventBatchBuilder, EventId, ExpectedVersion, LogId, MarkName, NewEvent,
    Opening, Receipt, RecordedEvent, RequestId, Sequence, SequenceRange, StreamName, StreamWrite, Timestamp,
    Version, record,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::SystemTime};
use tokio::sync::watch;

/// An [`EventStore`] in memory, with gaps between its sequence numbers. Cloning it gives another handle to the
/// same log.
#[derive(Clone)]
pub struct GappedStore(Arc<Shared>);

struct Shared {
    log_id: LogId,
    opening: Opening,
    state: Mutex<State>,
    head: watch::Sender<Sequence>,
}

#[derive(Default)]
struct State {
    events: Vec<RecordedEvent>,
    /// The indices in `events` of each stream's events.
    streams: HashMap<StreamName, Vec<usize>>,
    marks: HashMap<MarkName, Sequence>,
    requests: HashMap<RequestId, (Append, Receipt)>,
    /// What the clock says; `None`: the system's time.
    clock: Option<Timestamp>,
    /// The append that wrote each event.
    written_by: HashMap<EventId, RequestId>,
}

impl GappedStore {
    /// An empty log.
    pub fn new() -> Self {
        let head = watch::Sender::new(Sequence::ZERO);
        Self(Arc::new(Shared {
            log_id: LogId::generate(),
            opening: Opening::generate(),
            state: Mutex::default(),
            head,
        }))
    }

    /// Sets the clock: what is appended from now on is recorded at this time, or at that of the event before it if
    /// that is later.
    pub fn set_clock(&self, time: Timestamp) {
        self.0.state.lock().clock = Some(time);
    }
}

impl Default for GappedStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventStore for GappedStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::of("memory with gaps")
    }

    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        append.validate()?;
        let mut state = self.0.state.lock();
        let receipt = state.append(append, self.0.opening)?;
        self.0.head.send_replace(receipt.head);
        Ok(receipt)
    }

    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.0.state.lock().read_stream(&read)
    }

    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.0.page(read).await
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        Ok(Subscription::following(self.0.clone(), subscribe))
    }

    async fn head(&self) -> Result<Head, ReadError> {
        let state = self.0.state.lock();
        let first = state.events.first().map_or(Sequence::FIRST, |event| event.sequence);
        Ok(Head { log_id: self.0.log_id, first, last: state.head(), opening: self.0.opening })
    }

    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        Ok(self.0.state.lock().marks.get(mark).copied())
    }

    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        let state = self.0.state.lock();
        let at = state.events.partition_point(|event| event.recorded_at < time);
        Ok(state.events.get(at).map_or(state.head().next(), |event| event.sequence))
    }
}

#[async_trait]
impl Follow for Shared {
    async fn page(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.state.lock().read_log(&read)
    }

    async fn grown_past(&self, through: Sequence) -> Result<(), ReadError> {
        let mut head = self.head.subscribe();
        let ended = |_| ReadError::Unavailable { reason: "the store was dropped".into() };
        head.wait_for(|head| *head > through).await.map(|_| ()).map_err(ended)
    }
}

impl State {
    fn head(&self) -> Sequence {
        self.events.last().map_or(Sequence::ZERO, |event| event.sequence)
    }

    fn version(&self, stream: &StreamName) -> Version {
        let events = self.streams.get(stream).map_or(0, Vec::len);
        Version::new(u64::try_from(events).unwrap_or(u64::MAX))
    }

    fn append(&mut self, mut append: Append, opening: Opening) -> Result<Receipt, AppendError> {
        let expected = append.opening.take().unwrap_or(opening);
        let request_id = append.request_id;
        if let Some((first, receipt)) = self.requests.get(&request_id) {
            let same = *first == append;
            let repeated = Receipt { repeated: true, ..receipt.clone() };
            return if same { Ok(repeated) } else { Err(AppendError::RequestIdReused { request_id }) };
        }
        let opened = (expected, opening);
        if let Err(conflict) = self.check(&append, opened) {
            return self.written_before(&append)?.ok_or_else(|| conflict.into());
        }
        let receipt = self.write(&append);
        let ids = append.writes.iter().flat_map(|write| &write.events).map(|event| event.id);
        self.written_by.extend(ids.map(|id| (id, request_id)));
        self.requests.insert(request_id, (append, receipt.clone()));
        Ok(receipt)
    }

    fn check(&self, append: &Append, (expected, actual): (Opening, Opening)) -> Result<(), Conflict> {
        if expected != actual {
            return Err(Conflict::Opening { expected, actual });
        }
        let writes = append.writes.iter().map(|write| (&write.stream, write.expected));
        let requires = append.requires.iter().map(|required| (&required.stream, required.expected));
        for (stream, expected) in writes.chain(requires) {
            let actual = self.version(stream);
            if !expected.allows(actual) {
                return Err(Conflict::Stream { stream: stream.clone(), expected, actual });
            }
        }
        for update in &append.marks {
            let actual = self.marks.get(&update.mark).copied();
            if actual != update.expected {
                let (mark, expected) = (update.mark.clone(), update.expected);
                return Err(Conflict::Mark { mark, expected, actual });
            }
        }
        Ok(())
    }

    /// The result of the append that wrote exactly these events where this one wants them; `None`: there is none.
    fn written_before(&self, append: &Append) -> Result<Option<Receipt>, AppendError> {
        let Some(event) = append.writes.iter().find_map(|write| self.first_in_place(write)) else {
            return Ok(None);
        };
        let Some((first, receipt)) = self.written_by.get(&event).and_then(|id| self.requests.get(id)) else {
            return Ok(None);
        };
        let events = |append: &Append| -> Vec<(StreamName, NewEvent)> {
            let of = |write: &StreamWrite| -> Vec<_> {
                write.events.iter().map(|event| (write.stream.clone(), event.clone())).collect()
            };
            append.writes.iter().flat_map(of).collect()
        };
        let (wanted, there) = (events(append), events(first));
        for ((stream, event), (first_stream, first)) in wanted.iter().zip(&there) {
            if event.id != first.id {
                return Ok(None);
            }
            if stream != first_stream || !event.is_repeat_of(first) {
                return Err(AppendError::EventIdReused { event_id: event.id });
            }
        }
        let marks = |append: &Append| -> HashMap<MarkName, Sequence> {
            append.marks.iter().map(|update| (update.mark.clone(), update.value)).collect()
        };
        let same = wanted.len() == there.len() && marks(append) == marks(first);
        Ok(same.then(|| Receipt { repeated: true, ..receipt.clone() }))
    }

    /// The first event of the write, if it is where the write's condition would put it.
    fn first_in_place(&self, write: &StreamWrite) -> Option<EventId> {
        let at = match write.expected {
            ExpectedVersion::NoStream => 0,
            ExpectedVersion::Exact(version) => usize::try_from(version.get()).ok()?,
            ExpectedVersion::Any | ExpectedVersion::Exists => return None,
        };
        let there = self.events.get(*self.streams.get(&write.stream)?.get(at)?)?;
        write.events.first().map(|event| event.id).filter(|id| *id == there.event.id)
    }

    fn write(&mut self, append: &Append) -> Receipt {
        let now = self.clock.unwrap_or_else(|| SystemTime::now().into());
        let recorded_at = self.events.last().map_or(now, |last| last.recorded_at.max(now));
        let before = self.head();
        let mut versions = Vec::new();
        for write in &append.writes {
            for event in &write.events {
                self.push(&write.stream, event, recorded_at);
            }
            versions.push(self.version(&write.stream));
        }
        for update in &append.marks {
            self.marks.insert(update.mark.clone(), update.value);
        }
        let first = self.events.get(self.events.len() - append.event_count());
        let events = first.map(|first| SequenceRange { first: first.sequence, last: self.head() });
        debug_assert!(events.is_none_or(|events| events.first > before));
        Receipt { events, versions, head: self.head(), recorded_at, repeated: false }
    }

    fn push(&mut self, stream: &StreamName, event: &NewEvent, recorded_at: Timestamp) {
        let gap = self.head().get() * 7 % 5;
        let sequence = self.head().plus(1 + gap);
        let version = self.version(stream).next();
        self.streams.entry(stream.clone()).or_default().push(self.events.len());
        let (stream, event) = (stream.clone(), event.clone());
        self.events.push(RecordedEvent { sequence, stream, version, recorded_at, event });
    }

    fn read_stream(&self, read: &ReadStream) -> Result<StreamPage, ReadError> {
        let version = self.version(&read.stream);
        let places = self.streams.get(&read.stream).map(Vec::as_slice).unwrap_or_default();
        let events = places.iter().filter_map(|&place| self.events.get(place));
        let wanted: Vec<_> = match read.direction {
            Direction::Forward => events.filter(|event| event.version >= read.from).collect(),
            Direction::Backward => events.rev().filter(|event| event.version <= read.from).collect(),
        };
        let next = wanted.get(read.events_max.max(1)).map(|event| event.version);
        let page = wanted.into_iter().take(read.events_max.max(1));
        Ok(StreamPage { events: batch(page)?, version, next })
    }

    fn read_log(&self, read: &ReadLog) -> Result<LogPage, ReadError> {
        let at = self.events.partition_point(|event| event.sequence < read.from);
        let rest = self.events.get(at..).unwrap_or_default();
        let seen = rest.get(..within_budget(rest, read)).unwrap_or_default();
        let through = seen.last().map_or(read.from.previous(), |event| event.sequence);
        let events = batch(seen.iter())?.filter(|event| read.filter.accepts(event));
        Ok(LogPage { events, through, head: self.head() })
    }
}

/// How many of `events` one page looks at: as many as the request allows, and at least one.
fn within_budget(events: &[RecordedEvent], read: &ReadLog) -> usize {
    let mut bytes = 0;
    let fits = |event: &&RecordedEvent| {
        bytes += record::encoded_len(&event.stream, &event.event);
        bytes <= read.bytes_max
    };
    let many = events.iter().take(read.events_max).take_while(fits).count();
    many.max(1).min(events.len())
}

fn batch<'a>(events: impl Iterator<Item = &'a RecordedEvent>) -> Result<EventBatch, ReadError> {
    let mut builder = EventBatchBuilder::default();
    for event in events {
        builder.push(event)?;
    }
    Ok(builder.build()?)
}
