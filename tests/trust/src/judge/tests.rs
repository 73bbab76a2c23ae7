//! The judge is judged: a log that keeps its word is found sound, and each way of breaking it is named.

use super::settle::Found;
use super::{Heard, Judge};
use annals_event::{
    Append, Conflict, EventBatch, EventBatchBuilder, EventType, ExpectedVersion, NewEvent, Receipt, Sequence,
    SequenceRange, StreamName, Timestamp, Version,
};
use annals_store::AppendError;
use std::sync::Arc;

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn event() -> NewEvent {
    NewEvent::json(EventType::new("happened").unwrap(), "{}")
}

fn append(name: &str, expected: ExpectedVersion, events: usize) -> Arc<Append> {
    Arc::new(Append::to(stream(name), expected, (0..events).map(|_| event()).collect()))
}

/// The events of these appends, in order, all of one stream.
fn log(appends: &[&Arc<Append>]) -> EventBatch {
    let mut log = EventBatchBuilder::default();
    let writes = appends.iter().flat_map(|append| &append.writes);
    let events = writes.flat_map(|write| write.events.iter().map(|event| (&write.stream, event)));
    for (at, (stream, event)) in (1..).zip(events) {
        log.push_new(stream, event, Sequence::new(at), Version::new(at), Timestamp::from_micros(9)).unwrap();
    }
    log.build().unwrap()
}

fn receipt(first: u64, last: u64) -> Receipt {
    let (head, last_version) = (Sequence::new(last), Version::new(last));
    let events = Some(SequenceRange { first: Sequence::new(first), last: head });
    let recorded_at = Timestamp::from_micros(9);
    Receipt { events, versions: vec![last_version], head, recorded_at, repeated: false }
}

fn acknowledge(judge: &Judge, append: &Arc<Append>, first: u64, last: u64) {
    let asked = judge.ask(append);
    assert_eq!(judge.hear(&asked, &Ok(receipt(first, last))), Heard::Answer);
}

fn leave_open(judge: &Judge, append: &Arc<Append>) {
    let asked = judge.ask(append);
    let lost = Err(AppendError::Unavailable { reason: "killed".into() });
    assert_eq!(judge.hear(&asked, &lost), Heard::Nothing);
}

fn settle(judge: &Judge, appends: &[&Arc<Append>]) {
    let page = log(appends);
    let head = Sequence::new(u64::try_from(page.len()).unwrap());
    judge.memory.lock().settle(&Found { head, pages: vec![page], marks: Vec::new() });
}

#[track_caller]
fn finds(judge: Judge, word: &str) {
    let (_, violations) = judge.finish();
    assert!(violations.first.iter().any(|violation| violation.contains(word)), "{:?}", violations.first);
}

#[test]
fn a_log_that_keeps_its_word_is_sound() {
    let judge = Judge::new();
    let (acknowledged, open, gone) = (
        append("a", ExpectedVersion::NoStream, 2),
        append("a", ExpectedVersion::Any, 3),
        append("a", ExpectedVersion::Any, 1),
    );
    acknowledge(&judge, &acknowledged, 1, 2);
    leave_open(&judge, &open);
    leave_open(&judge, &gone);
    settle(&judge, &[&acknowledged, &open]);
    assert_eq!(judge.take_unanswered(), Some(open.clone()));
    acknowledge_again(&judge, &open, true);
    let (tally, violations) = judge.finish();
    assert_eq!((violations.count, tally.events, tally.unanswered, tally.survived_unanswered), (0, 5, 2, 1));
}

fn acknowledge_again(judge: &Judge, append: &Arc<Append>, repeated: bool) {
    let asked = judge.ask(append);
    judge.hear(&asked, &Ok(Receipt { repeated, ..receipt(3, 5) }));
}

#[test]
fn an_acknowledged_append_that_is_gone_is_lost() {
    let judge = Judge::new();
    let (one, other) = (append("a", ExpectedVersion::Any, 1), append("a", ExpectedVersion::Any, 1));
    acknowledge(&judge, &one, 1, 1);
    acknowledge(&judge, &other, 2, 2);
    settle(&judge, &[&one]);
    finds(judge, "is lost");
}

#[test]
fn an_event_that_was_there_at_the_last_restart_and_is_gone_is_lost() {
    let judge = Judge::new();
    let one = append("a", ExpectedVersion::Any, 2);
    acknowledge(&judge, &one, 1, 2);
    settle(&judge, &[&one]);
    settle(&judge, &[]);
    finds(judge, "were there before the restart");
}

#[test]
fn what_nobody_asked_for_is_a_phantom() {
    let judge = Judge::new();
    settle(&judge, &[&append("a", ExpectedVersion::Any, 1)]);
    finds(judge, "was never asked for");
}

#[test]
fn an_unanswered_append_that_was_not_there_and_comes_later_is_a_phantom() {
    let judge = Judge::new();
    let late = append("a", ExpectedVersion::Any, 1);
    leave_open(&judge, &late);
    settle(&judge, &[]);
    settle(&judge, &[&late]);
    finds(judge, "was never asked for");
}

#[test]
fn an_append_that_is_there_twice_is_a_phantom() {
    let judge = Judge::new();
    let twice = append("a", ExpectedVersion::Any, 1);
    acknowledge(&judge, &twice, 1, 1);
    settle(&judge, &[&twice, &twice]);
    finds(judge, "is there twice");
}

#[test]
fn half_an_append_is_noticed() {
    let judge = Judge::new();
    let whole = append("a", ExpectedVersion::Any, 2);
    leave_open(&judge, &whole);
    let half = log(&[&whole]).slice(0..1);
    judge.memory.lock().settle(&Found { head: Sequence::FIRST, pages: vec![half], marks: Vec::new() });
    finds(judge, "is not whole");
}

#[test]
fn a_condition_that_did_not_hold_is_noticed() {
    let judge = Judge::new();
    let (one, other) = (append("a", ExpectedVersion::NoStream, 1), append("a", ExpectedVersion::NoStream, 1));
    acknowledge(&judge, &one, 1, 1);
    acknowledge(&judge, &other, 2, 2);
    settle(&judge, &[&one, &other]);
    finds(judge, "expected no events");
}

#[test]
fn a_refusal_that_rests_on_what_is_gone_is_noticed() {
    let judge = Judge::new();
    let refused = append("a", ExpectedVersion::NoStream, 1);
    let (asked, actual) = (judge.ask(&refused), Version::new(7));
    let conflict = Conflict::Stream { stream: stream("a"), expected: ExpectedVersion::NoStream, actual };
    judge.hear(&asked, &Err(conflict.into()));
    settle(&judge, &[]);
    finds(judge, "rests on what is not there");
}

#[test]
fn what_a_reader_saw_stays() {
    let judge = Judge::new();
    let seen = append("a", ExpectedVersion::Any, 1);
    leave_open(&judge, &seen);
    judge.saw(&log(&[&seen]));
    settle(&judge, &[]);
    finds(judge, "are gone");
}

#[test]
fn an_event_that_changed_is_noticed() {
    let judge = Judge::new();
    judge.saw(&log(&[&append("a", ExpectedVersion::Any, 1)]));
    judge.saw(&log(&[&append("a", ExpectedVersion::Any, 1)]));
    finds(judge, "is not what was there before");
}

#[test]
fn a_repeat_that_got_another_result_or_does_not_say_so_is_noticed() {
    for (repeated, word, moved) in [(true, "another result", 1), (false, "was not called a repeat", 0)] {
        let judge = Judge::new();
        let (first, append) =
            (append("a", ExpectedVersion::Any, 2 + moved), append("a", ExpectedVersion::Any, 3));
        let end = u64::try_from(2 + moved).unwrap();
        acknowledge(&judge, &first, 1, end);
        acknowledge(&judge, &append, end + 1, end + 3);
        settle(&judge, &[&first, &append]);
        acknowledge_again(&judge, &append, repeated);
        finds(judge, word);
    }
}
