//! The judge stands outside the engine. It remembers what was submitted, what was answered and what readers saw,
//! and says after each recovery whether the log kept its word:
//!
//! * what was acknowledged is there, unchanged, at its place;
//! * nothing else is there, but appends that were never answered: each whole and once, and of a row of them only
//!   those up to some point, because they were committed in order;
//! * what a reader saw stays, and what was found missing after a recovery never comes back;
//! * refusals and repeated answers rest on what is still there.

use crate::model::{Model, Outcome, Written};
use annals_event::{Append, Conflict, EventBatch, ExpectedVersion, Receipt, Sequence, StreamName, Version};
use annals_log::{AppendError, Direction, ReadBudget, ReadError, Reader, StreamRead};
use std::sync::Arc;

/// The log broke its word.
#[derive(Debug)]
pub struct Violation(pub String);

pub type Verdict<T = ()> = Result<T, Violation>;

/// Fails with a violation unless the condition holds.
macro_rules! must {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err($crate::judge::Violation(format!($($text)*)));
        }
    };
}
pub(crate) use must;

/// What a client heard.
#[derive(Clone, Debug)]
pub enum Answer {
    Written(Receipt),
    Refused(Conflict),
    IdReused,
    /// It was written before, and what it wrote was dropped.
    Dropped,
    /// The engine says that nothing was written.
    NotWritten,
    /// The client cannot know.
    Unknown,
}

impl Answer {
    pub fn of(result: &Result<Receipt, AppendError>) -> Self {
        match result {
            Ok(receipt) => Self::Written(receipt.clone()),
            Err(AppendError::Conflict(conflict)) => Self::Refused(conflict.clone()),
            Err(AppendError::RequestIdReused { .. }) => Self::IdReused,
            Err(AppendError::OriginalDropped { .. }) => Self::Dropped,
            Err(AppendError::Poisoned { .. }) => Self::Unknown,
            Err(_) => Self::NotWritten,
        }
    }
}

/// How often clients heard what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    pub written: u64,
    pub repeated: u64,
    pub refused: u64,
    pub id_reused: u64,
    pub dropped: u64,
}

impl Heard {
    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Written(receipt) if receipt.repeated => self.repeated += 1,
            Answer::Written(_) => self.written += 1,
            Answer::Refused(_) => self.refused += 1,
            Answer::IdReused => self.id_reused += 1,
            Answer::Dropped => self.dropped += 1,
            Answer::NotWritten | Answer::Unknown => {}
        }
    }
}

/// An append of a group of which not everything is known.
#[derive(Clone)]
struct Doubt {
    append: Arc<Append>,
    answer: Answer,
}

#[derive(Clone, Default)]
pub struct Judge {
    pub model: Model,
    pub heard: Heard,
    doubts: Vec<Doubt>,
}

impl Judge {
    /// Takes note of the answers to a group, and checks them if they are all known.
    pub fn answered(&mut self, group: &[Arc<Append>], answers: &[Answer]) -> Verdict {
        must!(group.len() == answers.len(), "{} appends, {} answers", group.len(), answers.len());
        for (append, answer) in group.iter().zip(answers) {
            self.heard.note(answer);
            // A large group is written in parts: what was answered before the first doubt is as good as ever.
            if self.doubts.is_empty() && !matches!(answer, Answer::Unknown) {
                step(&mut self.model, append, answer)?;
            } else {
                self.doubts.push(Doubt { append: append.clone(), answer: answer.clone() });
            }
        }
        Ok(())
    }

    /// The appends that are neither known to be there nor known to be absent.
    pub fn doubts(&self) -> Vec<Arc<Append>> {
        self.doubts.iter().map(|doubt| doubt.append.clone()).collect()
    }

    /// Checks what readers see of a log that runs: exactly what was answered.
    pub fn check_running(&mut self, reader: &Reader, depth: Depth) -> Verdict {
        check(&mut self.model, reader, depth)
    }

    /// Checks what readers see after a recovery, and settles which appends that were never answered survived.
    pub fn check_recovered(&mut self, reader: &Reader, depth: Depth) -> Verdict {
        self.model = self.settle(reader)?;
        self.doubts.clear();
        check(&mut self.model, reader, depth)
    }

    /// The model after as many of the doubtful appends as the log's head and marks speak for.
    fn settle(&self, reader: &Reader) -> Verdict<Model> {
        let head = reader.head();
        let fits = |model: &Model| model.head() == head && same_marks(model, &self.doubts, reader);
        let mut model = self.model.clone();
        let mut survived = fits(&model).then_some(0);
        for (at, doubt) in self.doubts.iter().enumerate() {
            if matches!(doubt.answer, Answer::Unknown | Answer::Written(_)) {
                let outcome = model.outcome(&doubt.append);
                model.apply(&doubt.append, &outcome);
            }
            if fits(&model) {
                survived = Some(at + 1);
            }
        }
        let Some(survived) = survived else {
            let least = self.model.head();
            return Err(Violation(format!(
                "the log ends at {head} with marks {:?}; acknowledged was up to {least}, in doubt up to {}, marks {:?}",
                self.model.marks.keys().map(|mark| (mark, reader.mark(mark))).collect::<Vec<_>>(),
                model.head(),
                self.model.marks,
            )));
        };
        self.hold_to_answers(survived)
    }

    /// Whatever was answered in a group with doubts must be true of what survived.
    fn hold_to_answers(&self, survived: usize) -> Verdict<Model> {
        let mut model = self.model.clone();
        for (at, doubt) in self.doubts.iter().enumerate() {
            match (&doubt.answer, at < survived) {
                (Answer::Unknown, true) => {
                    let outcome = model.outcome(&doubt.append);
                    model.apply(&doubt.append, &outcome);
                }
                (Answer::Unknown, false) => {}
                (Answer::Written(_), false) => {
                    let there = matches!(model.outcome(&doubt.append), Outcome::Repeated(_));
                    must!(there, "an acknowledged append is lost: {:?}", doubt.append);
                    step(&mut model, &doubt.append, &doubt.answer)?;
                }
                (answer, _) => step(&mut model, &doubt.append, answer)?,
            }
        }
        Ok(model)
    }
}

/// How much of a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The log, and some streams.
    Quick,
    /// The log in many small blocks, and every stream.
    Full,
}

fn check(model: &mut Model, reader: &Reader, depth: Depth) -> Verdict {
    must!(reader.head() == model.head(), "the head is {}, not {}", reader.head(), model.head());
    let (first, seen) = (reader.first(), model.first);
    must!(first >= seen, "the log begins at {first}, a reader has seen that what is before {seen} is gone");
    model.first = first;
    check_log(model, reader, depth)?;
    must!(same_marks(model, &[], reader), "marks differ from {:?}", model.marks);
    for (at, stream) in model.streams.keys().enumerate() {
        let (found, due) = (reader.stream_version(stream), model.version(stream));
        must!(found == due, "stream {stream:?} is at version {found}, not {due}");
        if depth == Depth::Full || at % 7 == model.log.len() % 7 {
            check_stream(model, reader, stream)?;
        }
    }
    let absent = StreamName::new("nobody-wrote-this").unwrap();
    must!(reader.stream_version(&absent) == Version::ZERO, "a stream that nobody wrote has events");
    check_times(model, reader)
}

fn check_log(model: &mut Model, reader: &Reader, depth: Depth) -> Verdict {
    let mut next = model.first;
    for below in [Sequence::FIRST, next.previous()].into_iter().filter(|_| next > Sequence::FIRST) {
        let read = reader.read(below, ReadBudget { bytes_max: 1, events_max: 1 });
        let clear = matches!(read, Err(ReadError::BelowStart { first }) if first == next);
        must!(clear, "reading {below} of a log that begins at {next} gives {read:?}");
    }
    let events_max = if depth == Depth::Full { 3 } else { 10_000 };
    while next <= model.head() {
        let budget = ReadBudget { bytes_max: 1 << 20, events_max };
        let block =
            reader.read(next, budget).map_err(|error| Violation(format!("reading {next}: {error}")))?;
        must!(!block.events.is_empty(), "nothing at {next} though the head is {}", model.head());
        next = check_block(model, &block.events, next)?;
        must!(block.next == next, "the next block should begin at {next}, not {}", block.next);
    }
    let beyond = reader.read(next, ReadBudget { bytes_max: 1, events_max: 1 });
    must!(beyond.is_ok_and(|block| block.events.is_empty()), "there is something beyond the head");
    Ok(())
}

fn check_block(model: &mut Model, events: &EventBatch, mut next: Sequence) -> Verdict<Sequence> {
    for event in events.iter() {
        must!(event.sequence() == next, "{event:?} stands where {next} should");
        let at = (next.get() - 1) as usize;
        let due = model.log.get(at).map(|entry| entry.record.as_slice());
        must!(same_record(due, event.as_bytes()), "{event:?} is not what was written there");
        let time = *model.times[at].get_or_insert(event.recorded_at());
        must!(
            time == event.recorded_at(),
            "{event:?} was recorded at {time:?}, it says {:?}",
            event.recorded_at()
        );
        next = next.next();
    }
    Ok(next)
}

fn check_times(model: &Model, reader: &Reader) -> Verdict {
    let dropped = model.first.previous().get() as usize;
    let times = model.times.get(dropped..).unwrap_or_default();
    must!(times.is_sorted(), "recorded times go back");
    if let Some(Some(time)) = times.get(times.len() / 2) {
        let due = (dropped + times.partition_point(|other| *other < Some(*time))) as u64 + 1;
        let found = reader.sequence_at(*time).map_err(|error| Violation(error.to_string()))?;
        must!(found.get() == due, "the first event at {time:?} is {due}, not {found}");
    }
    Ok(())
}

/// One append of a group whose answers are all known: the answer must be the model's.
fn step(model: &mut Model, append: &Arc<Append>, answer: &Answer) -> Verdict {
    let outcome = model.outcome(append);
    match (&outcome, answer) {
        (Outcome::Written, Answer::Written(receipt)) => {
            let written = model.apply(append, &outcome).expect("it must be written");
            check_receipt(&written, receipt)?;
            must!(receipt.head == model.head(), "{receipt:?}: the head is {}", model.head());
            model.remember_answer(append.request_id, receipt.clone());
            Ok(())
        }
        (Outcome::Repeated(written), Answer::Written(receipt)) => {
            must!(receipt.repeated, "a repeat was written again: {receipt:?}");
            let receipt = Receipt { repeated: false, ..receipt.clone() };
            check_receipt(written, &receipt)?;
            match &written.receipt {
                Some(first) => {
                    must!(*first == receipt, "the first answer was {first:?}, the repeat's is {receipt:?}")
                }
                None => model.remember_answer(written.append.request_id, receipt),
            }
            Ok(())
        }
        (Outcome::Refused(reasons), Answer::Refused(conflict)) => {
            must!(reasons.contains(conflict), "refused with {conflict:?}, but what holds is {reasons:?}");
            Ok(())
        }
        (Outcome::IdReused, Answer::IdReused) | (_, Answer::NotWritten) => Ok(()),
        (_, Answer::Dropped) if model.may_be_dropped(append) => Ok(()),
        (outcome, answer) => {
            Err(Violation(format!("{append:?} was answered {answer:?}, due was {outcome:?}")))
        }
    }
}

fn check_receipt(written: &Written, receipt: &Receipt) -> Verdict {
    let due = (written.events, &written.versions, false);
    let found = (receipt.events, &receipt.versions, receipt.repeated);
    must!(found == due, "the answer is {receipt:?}, due was {due:?}");
    Ok(())
}

fn same_marks(model: &Model, doubts: &[Doubt], reader: &Reader) -> bool {
    let doubtful = doubts.iter().flat_map(|doubt| doubt.append.marks.iter().map(|update| &update.mark));
    model.marks.keys().chain(doubtful).all(|mark| reader.mark(mark) == model.mark(mark))
}

/// Whether two records are equal in all but the time.
pub fn same_record(due: Option<&[u8]>, found: &[u8]) -> bool {
    due.is_some_and(|due| due.len() == found.len() && due[..32] == found[..32] && due[40..] == found[40..])
}

fn check_stream(model: &Model, reader: &Reader, stream: &StreamName) -> Verdict {
    let all = &model.streams[stream];
    let dropped = all.partition_point(|sequence| *sequence < model.first);
    let due = &all[dropped..];
    if dropped > 0 {
        let read = StreamRead { from: Version::FIRST, direction: Direction::Forward, events_max: 1 };
        let events = reader.read_stream(stream, read);
        let clear = matches!(events, Err(ReadError::BelowStart { first }) if first == model.first);
        must!(clear, "stream {stream:?} without its first {dropped} events is read as {events:?}");
    }
    let oldest = Version::new(dropped as u64 + 1);
    for direction in [Direction::Forward, Direction::Backward] {
        let from = if direction == Direction::Forward { oldest } else { Version::MAX };
        let read = StreamRead { from, direction, events_max: due.len() + 1 };
        let events = reader
            .read_stream(stream, read)
            .map_err(|error| Violation(format!("reading stream {stream:?}: {error}")))?;
        let mut found: Vec<_> = events.iter().map(|event| event.sequence()).collect();
        if direction == Direction::Backward {
            found.reverse();
        }
        must!(found == due, "stream {stream:?} has its events at {found:?}, not at {due:?}");
        for (event, version) in events.iter().zip(oldest.get()..) {
            let in_order = direction == Direction::Backward || event.version() == Version::new(version);
            must!(in_order && event.stream() == stream.as_str(), "{event:?} is out of place");
        }
    }
    Ok(())
}

/// The version that a client would name as expected after it has read the stream.
pub fn exactly(model: &Model, stream: &StreamName) -> ExpectedVersion {
    match model.version(stream) {
        Version::ZERO => ExpectedVersion::NoStream,
        version => ExpectedVersion::Exact(version),
    }
}
