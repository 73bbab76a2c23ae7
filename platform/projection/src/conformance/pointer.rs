//! The pointer of a slot and the states of its generations change by compare-and-set, together or not at all.

use super::{
    Catalog,
    fixture::{
        Handle, after, at_once, candidate, first_live, live_view, make, model, open, pointing, retiring,
        slot, spec_in,
    },
    tables::other_schema_hash,
};
use crate::{
    GenerationId,
    backend::{Change, DatabaseError, GenerationState, Live, Purpose, Slot, Target},
};

/// How many change one pointer at once.
const CHANGERS: usize = 8;
/// How often.
const ROUNDS: u64 = 10;

async fn state(on: &Handle, id: GenerationId) -> GenerationState {
    let entries = on.generations(&slot()).await.unwrap();
    entries.iter().find(|entry| entry.id == id).unwrap().state
}

pub async fn at_first_nothing_is_live(catalog: Catalog) {
    let on = open(&catalog).await;
    for _ in 0..2 {
        assert_eq!(on.live(&slot()).await, Ok(None));
        let viewed = on.view(&slot(), Target::Live).await.err();
        assert_eq!(viewed, Some(DatabaseError::NoneLive));
        candidate(&on).await;
    }
}

pub async fn only_the_first_can_expect_that_nothing_is_live(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let first = first_live(&on).await;
    assert_eq!(other.live(&slot()).await, Ok(Some(first)));
    let second = Live { generation: candidate(&on).await, previous: None, epoch: 1 };
    for (handle, to) in [(&other, second), (&on, second), (&on, first)] {
        let change = Change { retire: vec![second.generation], ..pointing(None, to) };
        assert_eq!(handle.change(&change).await, Err(DatabaseError::Moved));
    }
    assert_eq!(on.live(&slot()).await, Ok(Some(first)));
    assert_eq!(state(&on, second.generation).await, GenerationState::Ready);
}

pub async fn a_pointer_moves_only_from_where_it_is_expected(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let first = first_live(&on).await;
    let (a, b) = (candidate(&on).await, candidate(&on).await);
    let now = after(first, a);
    on.change(&pointing(Some(first), now)).await.unwrap();
    let wrong = [
        None,
        Some(first),
        Some(Live { epoch: now.epoch + 1, ..now }),
        Some(Live { generation: b, ..now }),
        Some(Live { previous: None, ..now }),
        Some(Live { previous: Some(b), ..now }),
    ];
    for expect in wrong {
        let change = Change { retire: vec![first.generation], ..pointing(expect, after(now, b)) };
        assert_eq!(other.change(&change).await, Err(DatabaseError::Moved), "{expect:?}");
        let change = retiring(expect, &[first.generation]);
        assert_eq!(other.change(&change).await, Err(DatabaseError::Moved), "{expect:?}");
    }
    assert_eq!(on.live(&slot()).await, Ok(Some(now)));
    assert_eq!(state(&on, first.generation).await, GenerationState::Ready);
    let last = Live { generation: b, previous: None, epoch: u64::try_from(i64::MAX).unwrap() };
    other.change(&pointing(Some(now), last)).await.unwrap();
    assert_eq!(on.live(&slot()).await, Ok(Some(last)));
    assert_eq!(live_view(&on).await.generation(), b);
}

pub async fn of_8_changers_exactly_one_wins_each_round(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut live = None;
    let handles = [open(&catalog).await, open(&catalog).await];
    for round in 1..=ROUNDS {
        let mut candidates = Vec::new();
        for _ in 0..CHANGERS {
            candidates.push(candidate(&on).await);
        }
        let tried = at_once(CHANGERS, |index| {
            let on = handles[index % handles.len()].clone();
            let to = Live { generation: candidates[index], previous: None, epoch: round };
            let retire = vec![candidates[(index + 1) % CHANGERS]];
            let change = Change { retire, ..pointing(live, to) };
            async move { on.change(&change).await }
        });
        let tried = tried.await;
        let winners: Vec<_> = (0..CHANGERS).filter(|index| tried[*index].is_ok()).collect();
        let [winner] = winners[..] else { panic!("round {round}: {tried:?}") };
        let moved = tried.iter().filter(|done| **done == Err(DatabaseError::Moved)).count();
        assert_eq!(moved, CHANGERS - 1, "{tried:?}");
        live = Some(Live { generation: candidates[winner], previous: None, epoch: round });
        assert_eq!(on.live(&slot()).await, Ok(live));
        for (index, id) in candidates.iter().enumerate() {
            let is_retired = state(&on, *id).await == GenerationState::Retired;
            assert_eq!(is_retired, index == (winner + 1) % CHANGERS, "only the winner's states change");
        }
    }
}

pub async fn retiring_twice_is_the_same(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let live = first_live(&on).await;
    let (a, b) = (candidate(&on).await, candidate(&on).await);
    for handle in [&on, &other] {
        handle.change(&retiring(Some(live), &[a])).await.unwrap();
        assert_eq!(state(&on, a).await, GenerationState::Retired);
        assert_eq!(state(&on, b).await, GenerationState::Ready);
    }
    other.change(&retiring(Some(live), &[a, b])).await.unwrap();
    assert_eq!(state(&on, b).await, GenerationState::Retired);
    assert_eq!(state(&on, live.generation).await, GenerationState::Ready);
    assert_eq!(on.live(&slot()).await, Ok(Some(live)));
}

pub async fn slots_are_apart(catalog: Catalog) {
    let on = open(&catalog).await;
    let first = first_live(&on).await;
    let mut names = vec![Slot { schema: other_schema_hash(), ..slot() }];
    let hostile =
        ["Conformance", "it's \"one\"; DROP TABLE live; --", "../../etc", "a%b_c", "日本", "con.", " "];
    names.extend(hostile.map(|name| Slot { model: model(name), ..slot() }));
    for other in &names {
        assert_eq!(on.live(other).await, Ok(None), "{other:?}");
        assert_eq!(on.generations(other).await, Ok(Vec::new()));
        let mut spec = spec_in(other.clone(), Purpose::Live);
        spec.status.schema_hash = other.schema.clone();
        let live = Live { generation: make(&on, &spec, Vec::new()).await, previous: None, epoch: 7 };
        let change = Change { slot: other.clone(), ..pointing(None, live) };
        on.change(&change).await.unwrap();
        assert_eq!(on.live(other).await, Ok(Some(live)));
        let viewed = on.view(other, Target::Live).await.unwrap();
        assert_eq!(viewed.generation(), live.generation);
        assert_eq!(viewed.status().model, other.model.to_string());
        let listed: Vec<_> = on.generations(other).await.unwrap().iter().map(|entry| entry.id).collect();
        assert_eq!(listed, [live.generation]);
        let fence = on.fence(other, live.generation).await.unwrap();
        drop(fence.claim().await.unwrap());
    }
    assert_eq!(on.live(&slot()).await, Ok(Some(first)));
}
