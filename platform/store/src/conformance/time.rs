//! From a time to a sequence number.

use super::{
    Store,
    fixture::{append, at_once, fill, log, of},
};
use annals_event::{Sequence, Timestamp};

pub async fn recorded_times_never_go_back(store: Store) {
    let writers = at_once(8, |index| {
        let store = store.clone();
        async move {
            for _ in 0..20 {
                append(&store, of(&format!("own-{index}"), 1)).await;
            }
        }
    });
    writers.await;
    assert!(log(&store).await.is_sorted_by_key(|event| event.recorded_at));
}

pub async fn a_time_finds_the_first_event_recorded_then_or_later(store: Store) {
    let whole = fill(&store, 30).await;
    let end = whole[29].sequence.next();
    for event in &whole {
        for offset_micros in [-1, 0, 1] {
            let time = Timestamp::from_micros(event.recorded_at.as_micros() + offset_micros);
            let found = store.sequence_at(time).await.unwrap();
            let wanted = whole.iter().find(|event| event.recorded_at >= time).map(|event| event.sequence);
            match wanted {
                Some(wanted) => assert_eq!(found, wanted),
                None => assert!(found >= end, "{found} lies in the log"),
            }
        }
    }
}

pub async fn times_outside_the_log_find_its_start_and_its_end(store: Store) {
    let (always, never) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    assert!(store.sequence_at(always).await.unwrap() > Sequence::ZERO, "the log is empty: its end");
    let whole = fill(&store, 3).await;
    assert_eq!(store.sequence_at(always).await.unwrap(), whole[0].sequence);
    assert_eq!(store.sequence_at(Timestamp::from_micros(0)).await.unwrap(), whole[0].sequence);
    assert_eq!(store.sequence_at(never).await.unwrap(), whole[2].sequence.next());
}
