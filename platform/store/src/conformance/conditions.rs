//! Expected and required versions, and what a refusal says.

use super::{
    Store,
    fixture::{append, at_once, events, exactly, expecting, log, mark, of, stream, version},
};
use crate::AppendError;
use annals_event::{
    Append, Conflict, ExpectedVersion,
    ExpectedVersion::{Any, Exists, NoStream},
    Sequence, Version,
};

fn conflict(name: &str, expected: ExpectedVersion, actual: u64) -> AppendError {
    Conflict::Stream { stream: stream(name), expected, actual: Version::new(actual) }.into()
}

pub async fn each_expected_version_is_checked(store: Store) {
    let all = [Any, NoStream, Exists, exactly(0), exactly(1), exactly(2), exactly(3), exactly(u64::MAX)];
    for at in [0, 1, 2] {
        for (index, expected) in all.into_iter().enumerate() {
            let name = format!("at-{at}-{index}");
            if at > 0 {
                append(&store, of(&name, at)).await;
            }
            let at = u64::try_from(at).unwrap();
            let answer = store.append(expecting(&name, expected)).await;
            if expected.allows(Version::new(at)) {
                assert_eq!(answer.unwrap().versions, [Version::new(at + 1)], "{expected} at {at}");
            } else {
                assert_eq!(answer, Err(conflict(&name, expected, at)));
            }
        }
    }
}

pub async fn a_required_version_is_checked_and_nothing_is_written_there(store: Store) {
    append(&store, of("guard", 2)).await;
    for (expected, holds) in [(exactly(2), true), (Exists, true), (exactly(1), false), (NoStream, false)] {
        let answer = store.append(of("written", 1).require(stream("guard"), expected)).await;
        let refused = (!holds).then(|| conflict("guard", expected, 2));
        assert_eq!(answer.err(), refused);
    }
    let answer = store.append(of("written", 1).require(stream("nowhere"), Exists)).await;
    assert_eq!(answer, Err(conflict("nowhere", Exists, 0)));
    append(&store, of("written", 1).require(stream("nowhere"), NoStream)).await;
    assert_eq!(version(&store, "guard").await, 2);
    assert_eq!(version(&store, "written").await, 3);
    assert_eq!(version(&store, "nowhere").await, 0);
}

pub async fn a_refusal_names_the_stream_what_was_expected_and_what_is_there(store: Store) {
    append(&store, of("a", 1).write(stream("b"), Any, events(4))).await;
    let refused = expecting("a", exactly(1)).write(stream("b"), exactly(3), events(1));
    assert_eq!(store.append(refused).await, Err(conflict("b", exactly(3), 4)));
    let text = store.append(expecting("b", NoStream)).await.unwrap_err().to_string();
    assert!(["\"b\"", "no events", "4"].iter().all(|part| text.contains(part)), "{text}");
}

pub async fn a_refused_append_changes_nothing(store: Store) {
    append(&store, of("a", 1)).await;
    let (log_before, head_before) = (log(&store).await, store.head().await.unwrap());
    let refused = expecting("a", exactly(7)).set_mark(mark("m"), None, Sequence::FIRST);
    assert!(store.append(refused).await.is_err());
    assert_eq!(log(&store).await, log_before);
    assert_eq!(store.head().await.unwrap(), head_before);
    assert_eq!(store.mark(&mark("m")).await.unwrap(), None);
}

pub async fn a_refusal_does_not_use_up_the_request_id(store: Store) {
    let early = expecting("a", exactly(1));
    assert_eq!(store.append(early.clone()).await, Err(conflict("a", exactly(1), 0)));
    append(&store, of("a", 1)).await;
    let receipt = append(&store, early).await;
    assert!(!receipt.repeated);
    assert_eq!(version(&store, "a").await, 2);
}

pub async fn of_16_writers_exactly_one_wins_each_version(store: Store) {
    for round in 0..20 {
        let answers = at_once(16, |_| {
            let store = store.clone();
            async move { store.append(expecting("contested", exactly(round))).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "round {round}");
        let refusal = Err(conflict("contested", exactly(round), round + 1));
        assert!(lost.iter().all(|answer| *answer == refusal), "{lost:?}");
    }
    assert_eq!(version(&store, "contested").await, 20);
}

/// Two writers that each read the other's empty stream must not both succeed: that would be write skew.
pub async fn of_two_appends_that_require_each_others_stream_one_is_refused(store: Store) {
    for round in 0..20 {
        let answers = at_once(2, |index| {
            let names = [format!("left-{round}"), format!("right-{round}")];
            let (mine, other) = (stream(&names[index]), stream(&names[1 - index]));
            let write = Append::to(mine, NoStream, events(1)).require(other, NoStream);
            let store = store.clone();
            async move { store.append(write).await }
        });
        let won = answers.await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1, "round {round}");
    }
}
