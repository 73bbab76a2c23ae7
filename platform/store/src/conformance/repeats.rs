//! Appends that come again: by request id, and by the ids of their events.

use super::{
    Store,
    fixture::{append, at_once, event, events, exactly, log, mark, of, stream, version},
};
use crate::AppendError;
use annals_event::{
    Append, ContentType, EventType, ExpectedVersion::*, NewEvent, Receipt, RequestId, Sequence, Tag,
};

fn again(receipt: &Receipt) -> Receipt {
    Receipt { repeated: true, ..receipt.clone() }
}

/// The same append as made by a writer that lost the request id.
fn with_new_request_id(append: &Append) -> Append {
    Append { request_id: RequestId::generate(), ..append.clone() }
}

pub async fn a_repeated_request_gets_the_first_result_and_writes_nothing(store: Store) {
    // With a version on one of the streams, the events' ids might identify the repeat.
    let write = of("a", 2).write(stream("b"), Any, events(1));
    let receipt = append(&store, write.clone()).await;
    let before = log(&store).await;
    for _ in 0..3 {
        assert_eq!(append(&store, write.clone()).await, again(&receipt));
    }
    assert_eq!(log(&store).await, before);
}

pub async fn a_repeated_request_gets_the_first_result_after_other_appends(store: Store) {
    let writes: Vec<_> = (0..50).map(|index| of(&format!("s-{}", index % 7), 1 + index % 3)).collect();
    let mut receipts = Vec::new();
    for write in &writes {
        receipts.push(append(&store, write.clone()).await);
    }
    let before = log(&store).await;
    for (write, receipt) in writes.iter().zip(&receipts).rev() {
        assert_eq!(append(&store, write.clone()).await, again(receipt));
    }
    assert_eq!(log(&store).await, before);
}

pub async fn a_repeated_request_that_set_marks_does_not_set_them_back(store: Store) {
    let (one, two) = (Sequence::new(1), Sequence::new(2));
    let first = Append::new().set_mark(mark("m"), None, one);
    let receipt = append(&store, first.clone()).await;
    append(&store, Append::new().set_mark(mark("m"), Some(one), two)).await;
    assert_eq!(append(&store, first).await, again(&receipt));
    assert_eq!(store.mark(&mark("m")).await.unwrap(), Some(two));
}

pub async fn concurrent_repeats_write_once(store: Store) {
    for round in 0..10 {
        let write = of(&format!("s-{round}"), 2).set_mark(mark(&format!("m-{round}")), None, Sequence::FIRST);
        let answers = at_once(16, |_| {
            let (store, write) = (store.clone(), write.clone());
            async move { append(&store, write).await }
        });
        let (repeated, first): (Vec<_>, Vec<_>) =
            answers.await.into_iter().partition(|receipt| receipt.repeated);
        assert_eq!(first.len(), 1, "one wrote, the others were told");
        assert!(repeated.iter().all(|receipt| *receipt == again(&first[0])));
        assert_eq!(version(&store, &format!("s-{round}")).await, 2);
    }
}

pub async fn a_request_id_with_other_content_is_an_error(store: Store) {
    let first = of("a", 1).require(stream("guard"), NoStream).set_mark(mark("m"), None, Sequence::FIRST);
    append(&store, first.clone()).await;
    let mut other_payload = first.clone();
    other_payload.writes[0].events[0].payload = "{ }".into();
    let mut other_event = first.clone();
    other_event.writes[0].events[0] = event();
    let mut other_stream = first.clone();
    other_stream.writes[0].stream = stream("b");
    let mut other_condition = first.clone();
    other_condition.requires[0].expected = Any;
    let mut other_mark = first.clone();
    other_mark.marks[0].value = Sequence::new(2);
    let more = first.clone().write(stream("c"), Any, events(1));
    let before = log(&store).await;
    for other in [other_payload, other_event, other_stream, other_condition, other_mark, more] {
        let request_id = first.request_id;
        assert_eq!(store.append(other).await, Err(AppendError::RequestIdReused { request_id }));
    }
    assert_eq!(log(&store).await, before);
}

pub async fn an_exact_append_that_finds_its_own_events_gets_the_first_result(store: Store) {
    let new = Append::to(stream("a"), NoStream, events(2));
    let grown = Append::to(stream("a"), exactly(2), events(3));
    let first = append(&store, new.clone()).await;
    let second = append(&store, grown.clone()).await;
    append(&store, of("a", 1)).await;
    let before = log(&store).await;
    for (write, receipt) in [(new, first), (grown, second)] {
        let answer = append(&store, with_new_request_id(&write)).await;
        assert!(answer.repeated);
        assert_eq!((answer.events, answer.versions), (receipt.events, receipt.versions));
        assert_eq!(answer.recorded_at, receipt.recorded_at);
    }
    assert_eq!(log(&store).await, before);
}

pub async fn an_exact_append_over_many_streams_finds_its_own_events(store: Store) {
    append(&store, of("b", 1)).await;
    let write = Append::to(stream("a"), exactly(0), events(2)).write(stream("b"), exactly(1), events(1));
    let receipt = append(&store, write.clone()).await;
    let answer = append(&store, with_new_request_id(&write)).await;
    assert!(answer.repeated);
    assert_eq!((answer.events, answer.versions), (receipt.events, receipt.versions));
    assert_eq!(log(&store).await.len(), 4);
}

pub async fn an_exact_append_that_finds_other_events_is_a_conflict(store: Store) {
    let write = Append::to(stream("a"), NoStream, events(2));
    append(&store, write.clone()).await;
    let before = log(&store).await;
    let mut other_last = with_new_request_id(&write);
    other_last.writes[0].events[1] = event();
    let mut longer = with_new_request_id(&write);
    longer.writes[0].events.push(event());
    let elsewhere = with_new_request_id(&write).write(stream("b"), exactly(0), events(1));
    let unconditional =
        Append { writes: Vec::new(), ..with_new_request_id(&write) }.write(stream("a"), NoStream, events(2));
    for write in [other_last, longer, elsewhere, unconditional] {
        assert!(matches!(store.append(write).await, Err(AppendError::Conflict(_))));
    }
    assert_eq!(log(&store).await, before);
}

pub async fn an_exact_append_of_the_same_event_ids_with_other_content_is_an_error(store: Store) {
    let first = Append::to(stream("a"), NoStream, events(3));
    let second = Append::to(stream("a"), exactly(3), events(1));
    append(&store, first.clone()).await;
    append(&store, second.clone()).await;
    let before = log(&store).await;
    let changes: [fn(&mut NewEvent); 6] = [
        |event| event.payload = "{\"cents\":1}".into(),
        |event| event.event_type = EventType::new("other").unwrap(),
        |event| event.schema_version += 1,
        |event| event.content_type = ContentType::new("text/plain").unwrap(),
        |event| event.tags = vec![Tag::new("a:b").unwrap()],
        |event| event.metadata.actor = Some("somebody else".into()),
    ];
    for (write, at) in [(&first, 0), (&first, 2), (&second, 0)] {
        for change in changes {
            let mut other = with_new_request_id(write);
            let event = &mut other.writes[0].events[at];
            change(event);
            let event_id = event.id;
            assert_eq!(store.append(other).await, Err(AppendError::EventIdReused { event_id }));
        }
    }
    assert_eq!(log(&store).await, before);
}

pub async fn an_exact_append_that_differs_in_its_trace_alone_gets_the_first_result(store: Store) {
    let write = Append::to(stream("a"), NoStream, events(2));
    let receipt = append(&store, write.clone()).await;
    let mut traced = with_new_request_id(&write);
    let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    traced.writes[0].events[1].metadata.trace = Some(header.parse().unwrap());
    assert_eq!(append(&store, traced).await, again(&receipt));
}

pub async fn an_exact_append_that_sets_other_marks_is_a_conflict(store: Store) {
    let write = Append::to(stream("a"), NoStream, events(1)).set_mark(mark("m"), None, Sequence::FIRST);
    let receipt = append(&store, write.clone()).await;
    assert_eq!(append(&store, with_new_request_id(&write)).await, again(&receipt));
    let mut further = with_new_request_id(&write);
    further.marks[0].value = Sequence::new(2);
    let unmarked = Append { marks: Vec::new(), ..with_new_request_id(&write) };
    for other in [further, unmarked] {
        assert!(matches!(store.append(other).await, Err(AppendError::Conflict(_))));
    }
    assert_eq!(store.mark(&mark("m")).await.unwrap(), Some(Sequence::FIRST));
}

pub async fn without_a_version_only_the_request_id_tells_a_repeat(store: Store) {
    let write = of("a", 1);
    let receipt = append(&store, write.clone()).await;
    assert_eq!(append(&store, write.clone()).await, again(&receipt));
    assert!(!append(&store, with_new_request_id(&write)).await.repeated);
    assert_eq!(version(&store, "a").await, 2);
}
