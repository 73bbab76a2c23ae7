//! After a restart, what is in the log is compared with what was asked, answered and seen.

use super::{
    Answer, Call, Digest, Judge, Memory, SETTLED_MAX, Settled, Tick, count, digest,
    history::{Claim, History, is_in_order_of_time},
};
use annals_event::{
    Append, Conflict, EventBatch, EventRef, ExpectedVersion, MarkName, NewEvent, Sequence, SequenceRange,
    StreamName, Version,
};
use annals_store::{Direction, EventStore, ReadLog, ReadStream};
use anyhow::Result;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// How many events from before the last restart are read again after each restart.
const READ_AGAIN: u64 = 200;
/// How many streams are read on their own after each restart.
const STREAMS_READ: usize = 3;

/// What a reader finds after a restart.
pub(super) struct Found {
    pub(super) head: Sequence,
    pub(super) pages: Vec<EventBatch>,
    pub(super) marks: Vec<(MarkName, Option<Sequence>)>,
}

impl Judge {
    /// Reads what is new since the last restart and some of what is older, and judges it. Nobody may be writing.
    pub(crate) async fn settle(&self, store: &dyn EventStore) -> Result<()> {
        let from = self.head().get().saturating_sub(READ_AGAIN);
        self.settle_from(store, Sequence::new(from).next()).await
    }

    /// The same for the whole log.
    pub(crate) async fn settle_all(&self, store: &dyn EventStore) -> Result<()> {
        self.settle_from(store, Sequence::FIRST).await
    }

    async fn settle_from(&self, store: &dyn EventStore, from: Sequence) -> Result<()> {
        let found = self.find(store, from).await?;
        let read_next = self.memory.lock().settle(&found);
        for stream in read_next {
            self.read_stream(store, stream).await?;
        }
        Ok(())
    }

    async fn find(&self, store: &dyn EventStore, mut from: Sequence) -> Result<Found> {
        let head = store.head().await?.last;
        let mut pages = Vec::new();
        while from <= head {
            let page = store.read_log(ReadLog::from(from)).await?;
            if page.events.is_empty() {
                break;
            }
            from = page.through.next();
            pages.push(page.events);
        }
        let mut marks = Vec::new();
        let names = self.memory.lock().mark_names();
        for mark in names {
            let at = store.mark(&mark).await?;
            marks.push((mark, at));
        }
        Ok(Found { head, pages, marks })
    }

    /// Reads a whole stream on its own and compares it with the log.
    async fn read_stream(&self, store: &dyn EventStore, stream: StreamName) -> Result<()> {
        let mut read = ReadStream::forward(stream.clone());
        let mut events = Vec::new();
        loop {
            let page = store.read_stream(read.clone()).await?;
            events.extend(page.events.iter().map(|event| (event.sequence().get(), digest(&event))));
            match page.next {
                Some(next) => read = read.from(next),
                None => break,
            }
        }
        let last = ReadStream {
            direction: Direction::Backward,
            events_max: 1,
            ..ReadStream::backward(stream.clone())
        };
        let last = store.read_stream(last).await?.events.first().map(|event| event.sequence().get());
        let mut memory = self.memory.lock();
        let is_right =
            memory.stream_is(&stream, &events) && last == events.last().map(|&(sequence, _)| sequence);
        memory
            .violations
            .must(is_right, || format!("stream {stream:?} read on its own is not what the log has"));
        Ok(())
    }
}

/// An append of the log, while it is being read.
struct Run<'a> {
    events: &'a [EventRef<'a>],
    call: Call,
}

impl Memory {
    fn mark_names(&self) -> HashSet<MarkName> {
        let asked =
            self.open.values().flat_map(|call| call.append.marks.iter().map(|update| update.mark.clone()));
        self.marks.keys().cloned().chain(asked).collect()
    }

    fn stream_is(&self, stream: &StreamName, events: &[(u64, Digest)]) -> bool {
        let expected = self.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        expected.len() == events.len()
            && expected.iter().zip(events).all(|(&at, &(sequence, digest))| {
                let settled = usize::try_from(at.saturating_sub(1)).ok().and_then(|at| self.log.get(at));
                at == sequence && settled == Some(&digest)
            })
    }

    /// Judges what was found; names some streams to be read on their own.
    pub(super) fn settle(&mut self, found: &Found) -> Vec<StreamName> {
        let before = self.head();
        self.violations.must(found.head.get() >= before, || {
            format!("the log ends at {}; {before} events were there before the restart", found.head)
        });
        let events: Vec<_> = found.pages.iter().flat_map(|page| page.iter()).collect();
        let known = events.partition_point(|event| event.sequence().get() <= before);
        let (old, new) = events.split_at_checked(known).unwrap_or_default();
        old.iter().for_each(|event| self.saw(event));
        let mut story = Story::default();
        self.take_in(new, &mut story);
        let end = self.head();
        self.violations.must(end == found.head.get(), || {
            format!("the log ends at {}, but could be read up to {end}", found.head)
        });
        self.violations.must(is_in_order_of_time(&story.order), || {
            "appends stand in another order than that in which they were answered".into()
        });
        self.judge_rest(&mut story);
        self.judge_marks(&found.marks);
        self.judge_seen();
        self.hints.clear();
        self.mark_hints.clear();
        let touched: HashSet<_> =
            new.iter().filter_map(|event| StreamName::new(event.stream()).ok()).collect();
        touched.into_iter().take(STREAMS_READ).collect()
    }

    /// Takes in the events after the last restart's head, append by append.
    fn take_in(&mut self, mut events: &[EventRef<'_>], story: &mut Story) {
        while let Some(first) = events.first() {
            let request = self.by_event.get(&first.id()).copied();
            let Some(call) = request.and_then(|request| self.open.remove(&request)) else {
                self.violations.add(format!("event {first:?} was never asked for, or is there twice"));
                self.push(first);
                events = events.get(1..).unwrap_or_default();
                continue;
            };
            let len = call.append.event_count().clamp(1, events.len());
            let (own, rest) = events.split_at_checked(len).unwrap_or_default();
            self.take_in_append(&Run { events: own, call }, story);
            events = rest;
        }
    }

    fn take_in_append(&mut self, run: &Run<'_>, story: &mut Story) {
        let Run { events, call } = run;
        self.judge_contents(events, &call.append);
        self.judge_conditions(&call.append, events.first());
        for event in call.append.writes.iter().flat_map(|write| &write.events) {
            self.by_event.remove(&event.id);
        }
        events.iter().for_each(|event| self.push(event));
        story.tell(self, call);
        self.settle_append(events, call);
    }

    /// Whole, in order, and nothing changed.
    fn judge_contents(&mut self, events: &[EventRef<'_>], append: &Append) {
        let asked: Vec<_> = append
            .writes
            .iter()
            .flat_map(|write| write.events.iter().map(|event| (write.stream.as_str(), event)))
            .collect();
        let same = |(event, (stream, asked)): (&EventRef<'_>, &(&str, &NewEvent))| {
            event.stream() == *stream
                && event.id() == asked.id
                && event.event_type() == asked.event_type.as_str()
                && event.payload() == asked.payload
        };
        let whole = asked.len() == events.len() && events.iter().zip(&asked).all(same);
        self.violations.must(whole, || {
            format!("the append at {:?} is not whole, or changed: {:?}", events.first(), append.request_id)
        });
    }

    /// The conditions held where the append stands.
    fn judge_conditions(&mut self, append: &Append, at: Option<&EventRef<'_>>) {
        let written = append.writes.iter().map(|write| (&write.stream, write.expected));
        let required = append.requires.iter().map(|required| (&required.stream, required.expected));
        let broken: Vec<(StreamName, ExpectedVersion, Version)> = written
            .chain(required)
            .map(|(stream, expected)| (stream.clone(), expected, self.settled_version(stream)))
            .filter(|(_, expected, version)| !expected.allows(*version))
            .collect();
        for (stream, expected, version) in broken {
            self.violations.add(format!("{at:?} expected {expected} of {stream:?}, which was at {version}"));
        }
        for update in &append.marks {
            let there = self.marks.insert(update.mark.clone(), update.value);
            self.violations.must(there == update.expected, || {
                format!(
                    "{at:?} expected mark {:?} at {:?}, it was at {there:?}",
                    update.mark, update.expected
                )
            });
        }
    }

    fn settled_version(&self, stream: &StreamName) -> Version {
        Version::new(self.streams.get(stream).map_or(0, |events| count(events.len())))
    }

    /// Takes an event as the next one of the log.
    fn push(&mut self, event: &EventRef<'_>) {
        let (sequence, next) = (event.sequence().get(), self.head() + 1);
        self.violations.must(sequence == next, || format!("event {event:?} stands where {next} should"));
        let recorded_at = event.recorded_at().as_micros();
        self.violations.must(recorded_at >= self.recorded_at, || {
            format!("event {event:?} was recorded before the one below it")
        });
        self.recorded_at = recorded_at;
        self.saw(event);
        self.log.push(digest(event));
        self.tally.events += 1;
        let Ok(stream) = StreamName::new(event.stream()) else {
            self.violations.add(format!("event {event:?} has no stream"));
            return;
        };
        let events = self.streams.entry(stream).or_default();
        events.push(next);
        let version = count(events.len());
        self.violations.must(event.version().get() == version, || {
            format!("event {event:?} should have version {version}")
        });
    }

    /// What was answered is what is there.
    fn settle_append(&mut self, events: &[EventRef<'_>], call: &Call) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let range = SequenceRange { first: first.sequence(), last: last.sequence() };
        let versions: Vec<_> =
            call.append.writes.iter().map(|write| self.settled_version(&write.stream)).collect();
        let receipt = match &call.answer {
            Answer::Written(receipt) => {
                let right = receipt.events == Some(range)
                    && receipt.versions == versions
                    && receipt.recorded_at == last.recorded_at()
                    && receipt.head >= range.last;
                self.violations
                    .must(right, || format!("{receipt:?} was answered for what stands at {range:?}"));
                Some(receipt.clone())
            }
            Answer::Refused(conflict) => {
                self.violations.add(format!("{first:?} was refused ({conflict}) and is there"));
                None
            }
            Answer::None => {
                self.tally.unanswered += 1;
                self.tally.survived_unanswered += 1;
                self.unanswered.push_back(Arc::clone(&call.append));
                None
            }
        };
        if self.settled_order.len() >= SETTLED_MAX
            && let Some(oldest) = self.settled_order.pop_front()
        {
            self.settled.remove(&oldest);
        }
        self.settled_order.push_back(call.append.request_id);
        let append = Arc::clone(&call.append);
        self.settled.insert(append.request_id, Settled { append, range, versions, receipt });
    }

    /// What was asked for and is not there.
    fn judge_rest(&mut self, story: &mut Story) {
        for (request, call) in std::mem::take(&mut self.open) {
            for event in call.append.writes.iter().flat_map(|write| &write.events) {
                self.by_event.remove(&event.id);
            }
            match &call.answer {
                Answer::Written(receipt) => self
                    .violations
                    .add(format!("request {request} was acknowledged and is lost: {receipt:?}")),
                Answer::Refused(conflict) => {
                    if let Some(wrong) = story.refutes(self, conflict, &call) {
                        self.violations.add(format!("the refusal of {request} ({conflict}) {wrong}"));
                    }
                }
                Answer::None => {
                    self.tally.unanswered += 1;
                    self.unanswered.push_back(call.append);
                }
            }
        }
    }

    fn judge_marks(&mut self, found: &[(MarkName, Option<Sequence>)]) {
        for (mark, at) in found {
            let expected = self.marks.get(mark).copied();
            self.violations
                .must(*at == expected, || format!("mark {mark:?} is at {at:?}, it must be at {expected:?}"));
        }
    }

    /// What readers saw beyond the end is gone.
    fn judge_seen(&mut self) {
        let head = self.head();
        let gone = std::mem::take(&mut self.seen).split_off(&(head + 1));
        if let Some(first) = gone.keys().next() {
            self.violations.add(format!("readers saw {} events from {first} on that are gone", gone.len()));
        }
    }
}

/// What happened since the last restart, according to the log.
#[derive(Default)]
struct Story {
    order: Vec<(Tick, Tick)>,
    streams: HashMap<StreamName, History<u64>>,
    marks: HashMap<MarkName, History<Option<Sequence>>>,
}

impl Story {
    /// `memory` has taken in an append.
    fn tell(&mut self, memory: &Memory, call: &Call) {
        let (asked, answered) = (call.asked, call.answered);
        self.order.push((asked, answered));
        for write in &call.append.writes {
            let (after, added) = (memory.settled_version(&write.stream).get(), count(write.events.len()));
            let history = self.streams.entry(write.stream.clone());
            history
                .or_insert_with(|| History::since(after.saturating_sub(added)))
                .step(after, asked, answered);
        }
        for update in &call.append.marks {
            let history = self.marks.entry(update.mark.clone());
            history.or_insert_with(|| History::since(update.expected)).step(
                Some(update.value),
                asked,
                answered,
            );
        }
    }

    /// What is wrong with a refusal, if anything.
    fn refutes(&self, memory: &Memory, conflict: &Conflict, call: &Call) -> Option<&'static str> {
        let (asked, answered) = (call.asked, call.answered);
        match conflict {
            Conflict::Stream { expected, actual, .. } if expected.allows(*actual) => {
                Some("contradicts itself")
            }
            Conflict::Opening { .. } => Some("is for an opening of the log that was not asked for"),
            Conflict::Stream { stream, actual, .. } => {
                let claim = Claim { value: actual.get(), asked, answered };
                match self.streams.get(stream) {
                    Some(history) => history.refutes(&claim),
                    None => History::since(memory.settled_version(stream).get()).refutes(&claim),
                }
            }
            Conflict::Mark { mark, actual, .. } => {
                let claim = Claim { value: *actual, asked, answered };
                match self.marks.get(mark) {
                    Some(history) => history.refutes(&claim),
                    None => History::since(memory.marks.get(mark).copied()).refutes(&claim),
                }
            }
        }
    }
}
