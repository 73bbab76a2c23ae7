//! Given, when, then: tests of decisions, run on the production code.
//!
//! ```ignore
//! given([Placed { .. }]).when(Cancel).then([Cancelled]);
//! ```
//!
//! For a decision over several streams it is [`given_subjects`].
//!
//! Every event, given or decided, is encoded and decoded on its way, so that a test of a decision is a test of what is
//! stored, too.

mod golden;
mod subjects;

pub use golden::golden;
pub use subjects::{GivenState, GivenStates, GivenSubjects, WhenSubjects, given_subjects};

use crate::{Aggregate, Loaded, encode};
use annals_event::{
    EventBatch, EventBatchBuilder, EventId, Metadata, Sequence, StreamName, Timestamp, Version,
};
use std::fmt::{self, Debug, Write};

/// What happened to an aggregate before. Say what is asked of it with [`when`](Self::when).
#[derive(Debug)]
#[must_use = "say what is asked of the aggregate with `when`"]
pub struct Given<A> {
    state: A,
}

/// What came of a command. Say what should have come of it.
#[derive(Debug)]
#[must_use = "say what should have come of the command with `then`, `then_nothing` or `then_error`"]
pub struct When<A: Aggregate> {
    before: A,
    decided: Result<Vec<A::Event>, A::Error>,
}

/// An aggregate to which these events happened.
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let events: Vec<_> = events.into_iter().collect();
    let mut loaded = Loaded::<A>::new();
    if let Err(error) = loaded.fold(&recorded::<A>(&events)) {
        panic!("a given event cannot be read back: {error}");
    }
    Given { state: loaded.state }
}

impl<A: Aggregate> Given<A> {
    /// Asks this of the aggregate.
    pub fn when(self, command: A::Command) -> When<A> {
        let decided = self.state.decide(command);
        When { before: self.state, decided }
    }

    /// The events led to this state.
    #[track_caller]
    pub fn then_state(self, expected: &A)
    where
        A: Debug + PartialEq,
    {
        assert_same(&[expected], &[&self.state], "the state");
    }
}

impl<A: Aggregate> When<A>
where
    A::Event: Debug + PartialEq,
{
    /// These events happened, and the command could be repeated on their stored form.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Then<A> {
        let expected: Vec<_> = expected.into_iter().collect();
        let decided = match self.decided {
            Ok(decided) => decided,
            Err(error) => panic!("expected the events {expected:#?}\nbut the command was refused: {error}"),
        };
        assert_same(&expected, &decided, "the events");
        let stored = decode_all::<A>(&recorded::<A>(&decided));
        assert_same(&decided, &stored, "the events as read back from their stored form");
        let mut state = self.before;
        stored.iter().for_each(|event| state.evolve(event));
        Then { state }
    }

    /// There was nothing to do.
    #[track_caller]
    pub fn then_nothing(self) -> Then<A> {
        self.then([])
    }

    /// The command was refused with this error.
    #[track_caller]
    pub fn then_error(self, expected: A::Error)
    where
        A::Error: PartialEq,
    {
        assert_same(&[expected], &[self.refusal()], "the error");
    }

    /// The command was refused with an error that `matches`.
    #[track_caller]
    pub fn then_error_that(self, matches: impl FnOnce(&A::Error) -> bool) {
        let error = self.refusal();
        assert!(matches(&error), "the command was refused, but with another error: {error:?}");
    }

    #[track_caller]
    fn refusal(self) -> A::Error {
        match self.decided {
            Ok(events) => {
                panic!("expected the command to be refused, but it led to these events: {events:#?}")
            }
            Err(error) => error,
        }
    }
}

/// An aggregate after a command.
#[derive(Debug)]
pub struct Then<A> {
    state: A,
}

impl<A: Aggregate> Then<A> {
    /// Asks something more of the aggregate.
    pub fn when(self, command: A::Command) -> When<A> {
        Given { state: self.state }.when(command)
    }

    /// The state after the command.
    pub fn state(self) -> A {
        self.state
    }
}

/// The events as a store would give them back.
#[track_caller]
fn recorded<A: Aggregate>(events: &[A::Event]) -> EventBatch {
    match record::<A>(events) {
        Ok(batch) => batch,
        Err(error) => panic!("an event cannot be stored: {error}"),
    }
}

fn record<A: Aggregate>(events: &[A::Event]) -> Result<EventBatch, Box<dyn std::error::Error>> {
    let stream = StreamName::of(A::CATEGORY, "given")?;
    let mut builder = EventBatchBuilder::default();
    let (mut sequence, mut version) = (Sequence::FIRST, Version::FIRST);
    for event in &encode(events, &Metadata::default(), |_| EventId::generate())? {
        builder.push_new(&stream, event, sequence, version, Timestamp::default())?;
        (sequence, version) = (sequence.next(), version.next());
    }
    Ok(builder.build()?)
}

#[track_caller]
fn decode_all<A: Aggregate>(stored: &EventBatch) -> Vec<A::Event> {
    let mut decoded = Vec::new();
    for event in stored.iter() {
        match annals_event::decode(&event) {
            Ok(Some(event)) => decoded.push(event),
            Ok(None) => panic!("event type {:?} is written, but TYPES does not list it", event.event_type()),
            Err(error) => panic!("an event that was decided cannot be read back: {error}"),
        }
    }
    decoded
}

#[track_caller]
fn assert_same<T: Debug + PartialEq>(expected: &[T], actual: &[T], what: &str) {
    if let Some(difference) = difference(expected, actual) {
        panic!("{what} differ (- expected, + actual)\n{difference}");
    }
}

/// Where two lists differ, line by line; `None`: nowhere. For testing kits.
pub fn difference<T: Debug + PartialEq>(expected: &[T], actual: &[T]) -> Option<String> {
    (expected != actual).then(|| Diff { expected, actual }.to_string())
}

/// Both sides line by line; what they have in common at the beginning and at the end is shown once.
struct Diff<'a, T> {
    expected: &'a [T],
    actual: &'a [T],
}

impl<T: Debug> fmt::Display for Diff<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, actual) = (lines(self.expected)?, lines(self.actual)?);
        let (expected, actual): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
        let head = common(expected.iter(), actual.iter());
        let (expected_rest, actual_rest) = (expected.split_at(head).1, actual.split_at(head).1);
        let tail = common(expected_rest.iter().rev(), actual_rest.iter().rev());
        let (expected_rest, same) = expected_rest.split_at(expected_rest.len() - tail);
        let (actual_rest, _) = actual_rest.split_at(actual_rest.len() - tail);
        let marked = |f: &mut fmt::Formatter<'_>, mark: &str, lines: &[&str]| {
            lines.iter().try_for_each(|line| writeln!(f, "{mark} {line}"))
        };
        marked(f, " ", expected.split_at(head).0)?;
        marked(f, "-", expected_rest)?;
        marked(f, "+", actual_rest)?;
        marked(f, " ", same)
    }
}

fn lines<T: Debug>(values: &[T]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    values.iter().try_for_each(|value| writeln!(text, "{value:#?}"))?;
    Ok(text)
}

fn common<'a>(a: impl Iterator<Item = &'a &'a str>, b: impl Iterator<Item = &'a &'a str>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}
