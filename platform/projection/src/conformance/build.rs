//! How a generation comes to be: as a whole, once, or not at all.

use super::{
    Catalog,
    fixture::{
        Handle, INTEGER, STEPS_MAX, amounts, ask, at_once, claim, commit, dropped_after, first_live, ids,
        item, items, keys, make, open, retiring, said, slot, spec, spec_in, stamped, status, view,
    },
    tables::{ITEM, PAIR, Row, other_item, other_schema, other_schema_hash},
};
use crate::{
    ColumnKind, Tally, Value,
    backend::{DatabaseError, GenerationSpec, GenerationState, GenerationStatus, Purpose, Slot, Target},
};
use annals_event::Sequence;

/// How many make one generation at once.
const MAKERS: usize = 4;

/// Checks that nobody can use the generation.
async fn is_not_there(on: &Handle, spec: &GenerationSpec) {
    let viewed = on.view(&spec.slot, Target::Generation(spec.id)).await.err();
    assert!(matches!(viewed, Some(DatabaseError::NoGeneration { .. })), "viewed: {viewed:?}");
    let fenced = on.fence(&spec.slot, spec.id).await.err();
    assert!(matches!(fenced, Some(DatabaseError::NoGeneration { .. })), "fenced: {fenced:?}");
    let listed = on.generations(&spec.slot).await.unwrap();
    let usable = listed.iter().find(|entry| entry.id == spec.id && entry.state != GenerationState::Creating);
    assert_eq!(usable, None);
}

pub async fn a_generation_says_what_its_specification_says(catalog: Catalog) {
    let on = open(&catalog).await;
    let fresh = spec(Purpose::Live);
    make(&on, &fresh, Vec::new()).await;
    assert_eq!(status(&on, fresh.id).await, fresh.status);
    let mut restored = spec(Purpose::Candidate);
    restored.snapshot = Some("till-0000000000000040-o'clock".to_owned());
    restored.status = GenerationStatus {
        base: Sequence::new(7),
        checkpoint: Sequence::new(40),
        chain: Some([255; 16]),
        epoch: 5,
        applied: Tally { count: u64::try_from(i64::MAX).unwrap(), sum: u128::MAX },
        parked: Tally { count: 2, sum: 1 },
        ..restored.status
    };
    make(&on, &restored, vec![item(1, 1)]).await;
    let there = open(&catalog).await;
    assert_eq!(status(&there, restored.id).await, restored.status);
    let entries = there.generations(&slot()).await.unwrap();
    let snapshots: Vec<_> = entries.iter().map(|entry| entry.snapshot.clone()).collect();
    assert_eq!(snapshots, [None, restored.snapshot]);
}

pub async fn an_unfinished_generation_cannot_be_used(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let spec = spec(Purpose::Candidate);
    is_not_there(&on, &spec).await;
    let mut build = on.create(&spec).await.unwrap().unwrap();
    is_not_there(&on, &spec).await;
    build.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
    is_not_there(&on, &spec).await;
    is_not_there(&other, &spec).await;
    build.finish().await.unwrap();
    assert_eq!(amounts(&other, spec.id).await, [(1, 1)]);
    assert_eq!(amounts(&on, spec.id).await, [(1, 1)]);
}

pub async fn a_build_that_is_dropped_leaves_nothing(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Candidate);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&ITEM, stamped(&ITEM, vec![item(1, 1), item(2, 2)], 1)).await.unwrap();
    drop(build);
    is_not_there(&on, &spec).await;
    make(&on, &spec, vec![item(2, 20)]).await;
    assert_eq!(amounts(&on, spec.id).await, [(2, 20)]);
}

pub async fn a_build_that_fails_leaves_nothing(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Candidate);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
    let wrong = vec![item(2, 2), vec![Value::Integer(3), Value::Null, Value::Null]];
    let failed = build.write(&ITEM, stamped(&ITEM, wrong, 1)).await;
    let failed = if failed.is_ok() { build.finish().await } else { failed };
    assert!(matches!(failed, Err(DatabaseError::Data { .. })), "{failed:?}");
    is_not_there(&on, &spec).await;
    make(&on, &spec, vec![item(2, 20)]).await;
    assert_eq!(amounts(&on, spec.id).await, [(2, 20)]);
}

pub async fn a_finish_that_is_dropped_halfway_is_whole_or_absent(catalog: Catalog) {
    let on = open(&catalog).await;
    for wakes in 0..STEPS_MAX {
        let spec = spec(Purpose::Candidate);
        let mut build = on.create(&spec).await.unwrap().unwrap();
        build.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
        let done = dropped_after(wakes, build.finish()).await;
        // What was under way when it was dropped may still happen: whoever makes it again finds out.
        if let Some(mut again) = on.create(&spec).await.unwrap() {
            assert_eq!(done, None, "it is finished, and can be made again");
            again.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
            again.finish().await.unwrap();
        }
        assert_eq!(amounts(&on, spec.id).await, [(1, 1)]);
        if let Some(done) = done {
            return done.unwrap();
        }
    }
    panic!("not finished after {STEPS_MAX} steps");
}

pub async fn what_is_finished_is_not_made_again(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let live = first_live(&on).await;
    let candidate = spec(Purpose::Candidate);
    make(&on, &candidate, vec![item(1, 1)]).await;
    let first = GenerationSpec { id: live.generation, ..spec(Purpose::Live) };
    for handle in [&on, &other] {
        assert!(handle.create(&candidate).await.unwrap().is_none(), "a candidate");
        assert!(handle.create(&first).await.unwrap().is_none(), "what is live");
    }
    on.change(&retiring(Some(live), &[candidate.id])).await.unwrap();
    for handle in [&on, &other] {
        assert!(handle.create(&candidate).await.unwrap().is_none(), "a retired one");
    }
    assert_eq!(amounts(&on, candidate.id).await, [(1, 1)]);
}

pub async fn of_two_builds_of_one_generation_one_finishes(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    for (a, b) in [(&on, &other), (&on, &on)] {
        let spec = spec(Purpose::Candidate);
        let mut first = a.create(&spec).await.unwrap().unwrap();
        let mut second = b.create(&spec).await.unwrap().unwrap();
        first.write(&ITEM, stamped(&ITEM, vec![item(1, 1), item(2, 1)], 1)).await.unwrap();
        second.write(&ITEM, stamped(&ITEM, vec![item(1, 2), item(3, 2)], 1)).await.unwrap();
        second.finish().await.unwrap();
        assert_eq!(amounts(&on, spec.id).await, [(1, 2), (3, 2)]);
        let mut writer = claim(&on, spec.id).await;
        commit(&mut writer, 1, vec![item(4, 4)]).await.unwrap();
        first.finish().await.unwrap();
        assert_eq!(amounts(&other, spec.id).await, [(1, 2), (3, 2), (4, 4)]);
        commit(&mut writer, 2, vec![item(5, 5)]).await.unwrap();
    }
}

pub async fn of_many_builds_of_one_generation_one_finishes(catalog: Catalog) {
    let on = open(&catalog).await;
    for _ in 0..5 {
        let spec = spec(Purpose::Candidate);
        let handles = [open(&catalog).await, open(&catalog).await];
        let built = at_once(MAKERS, |index| {
            let (on, spec) = (handles[index % handles.len()].clone(), spec.clone());
            async move {
                let mark = i64::try_from(index).unwrap();
                let Some(mut build) = on.create(&spec).await.unwrap() else { return };
                let rows = (0..100).map(|id| item(id, mark)).collect();
                build.write(&ITEM, stamped(&ITEM, rows, 1)).await.unwrap();
                build.finish().await.unwrap();
            }
        });
        assert_eq!(built.await.len(), MAKERS);
        let found = amounts(&on, spec.id).await;
        let mark = found[0].1;
        assert_eq!(found, (0..100).map(|id| (id, mark)).collect::<Vec<_>>(), "a mix of two builds");
    }
}

pub async fn a_build_may_be_finished_after_its_generation_was_retired(catalog: Catalog) {
    let on = open(&catalog).await;
    let live = first_live(&on).await;
    let spec = spec(Purpose::Candidate);
    let mut late = on.create(&spec).await.unwrap().unwrap();
    late.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
    make(&on, &spec, vec![item(2, 2)]).await;
    on.change(&retiring(Some(live), &[spec.id])).await.unwrap();
    late.finish().await.unwrap();
    assert_eq!(amounts(&on, spec.id).await, [(2, 2)]);
    let entries = on.generations(&slot()).await.unwrap();
    let state = entries.iter().find(|entry| entry.id == spec.id).map(|entry| entry.state);
    assert_eq!(state, Some(GenerationState::Retired));
}

pub async fn rows_come_in_any_number_of_batches_and_tables(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Candidate);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    for round in 0..10 {
        build.write(&ITEM, stamped(&ITEM, vec![item(round, round)], round)).await.unwrap();
        let pair =
            vec![Value::Integer(round), Value::Text("p".to_owned()), Value::Null, Value::Integer(round)];
        build.write(&PAIR, stamped(&PAIR, vec![pair], round)).await.unwrap();
    }
    build.finish().await.unwrap();
    let sequences: Vec<_> = items(&on, spec.id).await.into_iter().map(|row| row[3].clone()).collect();
    assert_eq!(sequences, (0..10).map(Value::Integer).collect::<Vec<_>>());
    let mut view = view(&on, spec.id).await;
    let found = ask(&mut view, "SELECT count(*), sum(amount) FROM pair", &[INTEGER; 2]).await;
    assert_eq!(found, [[10, 45].map(Value::Integer)]);
}

pub async fn generations_do_not_share_rows(catalog: Catalog) {
    let on = open(&catalog).await;
    let other = Slot { schema: other_schema_hash(), ..slot() };
    let mut elsewhere = GenerationSpec { schema: other_schema(), ..spec_in(other.clone(), Purpose::Live) };
    elsewhere.status.schema_hash = other_schema_hash();
    let (a, b) = (spec(Purpose::Live), spec(Purpose::Candidate));
    make(&on, &a, vec![item(1, 10), item(2, 20)]).await;
    make(&on, &b, vec![item(2, 21), item(3, 31)]).await;
    let table = other_item();
    let row: Row = vec![Value::Text("x".to_owned()), Value::Blob(vec![0])];
    let mut build = on.create(&elsewhere).await.unwrap().unwrap();
    build.write(&table, stamped(&table, vec![row.clone()], 1)).await.unwrap();
    build.finish().await.unwrap();
    let mut writer = claim(&on, b.id).await;
    let mut tx = writer.begin().await.unwrap();
    tx.write(&ITEM, ids([2]), stamped(&ITEM, vec![item(1, 11)], 1)).await.unwrap();
    tx.commit(said(1)).await.unwrap();
    assert_eq!(amounts(&on, a.id).await, [(1, 10), (2, 20)]);
    assert_eq!(amounts(&on, b.id).await, [(1, 11), (3, 31)]);
    let mut view = on.view(&other, Target::Generation(elsewhere.id)).await.unwrap();
    let found =
        view.query("SELECT id, amount FROM item", Vec::new(), &[ColumnKind::Text, ColumnKind::Blob], 9);
    assert_eq!(found.await.unwrap().into_rows().collect::<Vec<_>>(), std::slice::from_ref(&row));
    let got = view.get(&table, keys(&table, vec![vec![Value::Text("x".to_owned())]])).await.unwrap();
    assert_eq!(got.into_rows().collect::<Vec<_>>(), [row]);
}
