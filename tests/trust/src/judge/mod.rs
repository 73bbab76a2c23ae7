//! The judge. It remembers what was asked, what was answered and what readers saw, and after each restart of a server
//! says whether the log kept its word. It never looks at the server's files. What it holds the log to:
//!
//! * what was acknowledged is there, unchanged, in its place, in the order of time;
//! * nothing else is there, except appends that were never answered, each whole and once; what was missing after a
//!   restart does not appear later by itself;
//! * each append that is there met its conditions at its place;
//! * what a refusal rests on is there;
//! * what a reader saw stays there;
//! * a repeated request gets the first answer.

mod history;
mod settle;

use crate::card::Violations;
use annals_event::{
    Append, Conflict, EventBatch, EventId, EventRef, MarkName, Receipt, RequestId, Sequence, SequenceRange,
    StreamName, Version,
};
use annals_store::AppendError;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

/// How many settled appends are kept for repeats: fewer than the requests that a log remembers.
const SETTLED_MAX: usize = 50_000;

/// A moment on the judge's own clock, which ticks with each question and each answer and so puts them in order.
type Tick = u64;
/// The moment of an answer that never came.
const NEVER: Tick = Tick::MAX;

/// A digest of everything about an event, including place and time.
type Digest = u128;

/// Shared by all clients of one log.
pub(crate) struct Judge {
    memory: Mutex<Memory>,
}

/// A request under way.
pub(crate) struct Asked {
    request: RequestId,
    tick: Tick,
}

/// What became of a request, as far as its client needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer, whatever it says.
    Answer,
    /// Nothing: the append was either done or not.
    Nothing,
}

#[derive(Default)]
pub(crate) struct Memory {
    clock: Tick,
    /// Every event that was there at the last restart.
    log: Vec<Digest>,
    /// The places of each stream's events in the log.
    streams: HashMap<StreamName, Vec<u64>>,
    marks: HashMap<MarkName, Sequence>,
    /// The time of the last event.
    recorded_at: i64,
    /// What was asked since the last restart, and what was left open at it.
    open: HashMap<RequestId, Call>,
    by_event: HashMap<EventId, RequestId>,
    /// What readers saw since the last restart.
    seen: BTreeMap<u64, Digest>,
    settled: HashMap<RequestId, Settled>,
    /// The same, oldest first.
    settled_order: VecDeque<RequestId>,
    /// Appends whose clients heard nothing, to be repeated.
    unanswered: VecDeque<Arc<Append>>,
    /// The versions and marks in the answers since the last restart.
    hints: HashMap<StreamName, u64>,
    mark_hints: HashMap<MarkName, Sequence>,
    tally: Tally,
    violations: Violations,
}

/// How much was judged.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) repeated: u64,
    pub(crate) unanswered: u64,
    pub(crate) survived_unanswered: u64,
    pub(crate) events: u64,
    /// How often the server died.
    pub(crate) deaths: u64,
}

impl Tally {
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            refused: self.refused + other.refused,
            repeated: self.repeated + other.repeated,
            unanswered: self.unanswered + other.unanswered,
            survived_unanswered: self.survived_unanswered + other.survived_unanswered,
            events: self.events + other.events,
            deaths: self.deaths + other.deaths,
        }
    }
}

/// An append that was asked for.
struct Call {
    append: Arc<Append>,
    answer: Answer,
    asked: Tick,
    answered: Tick,
}

enum Answer {
    None,
    Written(Receipt),
    Refused(Conflict),
}

/// An append that is in the log for good.
struct Settled {
    append: Arc<Append>,
    range: SequenceRange,
    versions: Vec<Version>,
    /// `None`: nobody heard the answer.
    receipt: Option<Receipt>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self { memory: Mutex::default() }
    }

    /// Notes a request before it is sent.
    pub(crate) fn ask(&self, append: &Arc<Append>) -> Asked {
        let mut memory = self.memory.lock();
        memory.clock += 1;
        let (request, tick) = (append.request_id, memory.clock);
        if memory.open.contains_key(&request) || memory.settled.contains_key(&request) {
            return Asked { request, tick };
        }
        let call = Call { append: Arc::clone(append), answer: Answer::None, asked: tick, answered: NEVER };
        memory.open.insert(request, call);
        for event in append.writes.iter().flat_map(|write| &write.events) {
            memory.by_event.insert(event.id, request);
        }
        Asked { request, tick }
    }

    /// Notes what the client heard.
    pub(crate) fn hear(&self, asked: &Asked, answer: &Result<Receipt, AppendError>) -> Heard {
        let mut memory = self.memory.lock();
        memory.clock += 1;
        match answer {
            Ok(receipt) => memory.acknowledged(asked, receipt),
            Err(AppendError::Conflict(conflict)) => memory.refused(asked, conflict),
            Err(AppendError::Unavailable { .. }) => return Heard::Nothing,
            Err(other) => memory.violations.add(format!("a sound append was answered: {other}")),
        }
        memory.tally.answered += 1;
        Heard::Answer
    }

    /// Notes the answer to a request id that was used before for other content.
    pub(crate) fn hear_of_reuse(&self, answer: &Result<Receipt, AppendError>) -> Heard {
        let mut memory = self.memory.lock();
        match answer {
            Err(AppendError::RequestIdReused { .. }) => memory.tally.refused += 1,
            Err(AppendError::Unavailable { .. }) => return Heard::Nothing,
            other => {
                memory.violations.add(format!("a request id with other content was answered: {other:?}"))
            }
        }
        memory.tally.answered += 1;
        Heard::Answer
    }

    /// Notes events that a reader saw.
    pub(crate) fn saw(&self, events: &EventBatch) {
        let mut memory = self.memory.lock();
        events.iter().for_each(|event| memory.saw(&event));
    }

    /// How many answers there have been so far.
    pub(crate) fn answers(&self) -> u64 {
        self.memory.lock().tally.answered
    }

    /// How many events were there at the last restart.
    pub(crate) fn head(&self) -> Sequence {
        Sequence::new(self.memory.lock().head())
    }

    /// The stream's version, as far as a client that heard every answer knows it.
    pub(crate) fn version(&self, stream: &StreamName) -> Version {
        let memory = self.memory.lock();
        let settled = || memory.streams.get(stream).map_or(0, |events| count(events.len()));
        Version::new(memory.hints.get(stream).copied().unwrap_or_else(settled))
    }

    /// The mark, as far as a client that heard every answer knows it.
    pub(crate) fn mark(&self, mark: &MarkName) -> Option<Sequence> {
        let memory = self.memory.lock();
        memory.mark_hints.get(mark).or_else(|| memory.marks.get(mark)).copied()
    }

    /// A settled append, to be repeated.
    pub(crate) fn any_settled(&self, draw: u64) -> Option<Arc<Append>> {
        let memory = self.memory.lock();
        let at = draw.checked_rem(count(memory.settled_order.len()))?;
        let request = memory.settled_order.get(usize::try_from(at).ok()?)?;
        Some(Arc::clone(&memory.settled.get(request)?.append))
    }

    /// An append whose client heard nothing before the last restart. Each is given once.
    pub(crate) fn take_unanswered(&self) -> Option<Arc<Append>> {
        self.memory.lock().unanswered.pop_front()
    }

    /// What was judged, and what was found wrong.
    pub(crate) fn finish(self) -> (Tally, Violations) {
        let memory = self.memory.into_inner();
        (memory.tally, memory.violations)
    }

    /// Adds something wrong that was found by another observer of the same log.
    pub(crate) fn accuse(&self, violation: impl Into<String>) {
        self.memory.lock().violations.add(violation);
    }

    /// Whether nothing was found wrong.
    pub(crate) fn is_content(&self) -> bool {
        self.memory.lock().violations.count == 0
    }
}

impl Memory {
    fn head(&self) -> u64 {
        count(self.log.len())
    }

    fn acknowledged(&mut self, asked: &Asked, receipt: &Receipt) {
        if let Some(settled) = self.settled.get(&asked.request) {
            let wrong = settled.differs_from(receipt);
            self.tally.repeated += 1;
            if let Some(wrong) = wrong {
                self.violations.add(wrong);
            }
            return;
        }
        let clock = self.clock;
        let Some(call) = self.open.get_mut(&asked.request) else {
            self.violations.add(format!("request {} was answered and never asked", asked.request));
            return;
        };
        match &call.answer {
            Answer::Written(first) if !same_result(first, receipt) => {
                let text = format!("two answers to request {}: {first:?}, {receipt:?}", asked.request);
                self.violations.add(text);
            }
            Answer::Written(_) => self.tally.repeated += 1,
            Answer::None | Answer::Refused(_) => {
                (call.answer, call.answered) = (Answer::Written(receipt.clone()), clock);
                let append = Arc::clone(&call.append);
                self.learn(&append, receipt);
            }
        }
    }

    /// What a client learns from a receipt.
    fn learn(&mut self, append: &Append, receipt: &Receipt) {
        for (write, version) in append.writes.iter().zip(&receipt.versions) {
            let known = self.hints.entry(write.stream.clone()).or_default();
            *known = (*known).max(version.get());
        }
        for update in &append.marks {
            let known = self.mark_hints.entry(update.mark.clone()).or_insert(update.value);
            *known = (*known).max(update.value);
        }
    }

    fn refused(&mut self, asked: &Asked, conflict: &Conflict) {
        self.tally.refused += 1;
        if let Some(settled) = self.settled.get(&asked.request) {
            let text = format!("a repeat of {:?} was refused: {conflict}", settled.append.request_id);
            self.violations.add(text);
            return;
        }
        match conflict {
            Conflict::Stream { stream, actual, .. } => {
                let known = self.hints.entry(stream.clone()).or_default();
                *known = (*known).max(actual.get());
            }
            Conflict::Mark { mark, actual: Some(actual), .. } => {
                let known = self.mark_hints.entry(mark.clone()).or_insert(*actual);
                *known = (*known).max(*actual);
            }
            Conflict::Mark { .. } | Conflict::Opening { .. } => {}
        }
        let clock = self.clock;
        if let Some(call) = self.open.get_mut(&asked.request)
            && matches!(call.answer, Answer::None)
        {
            (call.answer, call.asked, call.answered) = (Answer::Refused(conflict.clone()), asked.tick, clock);
        }
    }

    fn saw(&mut self, event: &EventRef<'_>) {
        let (sequence, digest) = (event.sequence().get(), digest(event));
        let settled = usize::try_from(sequence.saturating_sub(1)).ok().and_then(|at| self.log.get(at));
        let before = settled.copied().or_else(|| self.seen.get(&sequence).copied());
        match before {
            Some(before) if before != digest => {
                self.violations.add(format!("event {event:?} is not what was there before"));
            }
            Some(_) => {}
            None => drop(self.seen.insert(sequence, digest)),
        }
    }
}

impl Settled {
    fn differs_from(&self, receipt: &Receipt) -> Option<String> {
        let places = receipt.events == Some(self.range) && receipt.versions == self.versions;
        let time = self.receipt.as_ref().is_none_or(|first| first.recorded_at == receipt.recorded_at);
        let told = |what| format!("a repeat of {:?} {what}: {receipt:?}", self.append.request_id);
        match (places && time, receipt.repeated) {
            (false, _) => Some(told("got another result than the first")),
            (true, false) => Some(told("was not called a repeat")),
            (true, true) => None,
        }
    }
}

fn same_result(one: &Receipt, other: &Receipt) -> bool {
    let of = |receipt: &Receipt| (receipt.events, receipt.versions.clone(), receipt.recorded_at);
    of(one) == of(other)
}

fn digest(event: &EventRef<'_>) -> Digest {
    xxhash_rust::xxh3::xxh3_128(event.as_bytes())
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
