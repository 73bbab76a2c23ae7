//! What is in a catalog, and what is no longer.

use super::{
    Catalog,
    fixture::{
        Handle, after, amounts, at_once, candidate, checkpoint_of, claim, commit, first_live, fitting, ids,
        item, make, open, patient_claim, pointing, retiring, slot, spec, stamped, status, until, view,
    },
    tables::{ITEM, Row, schema},
};
use crate::{
    GenerationId, Value,
    backend::{DatabaseError, GenerationState, Purpose, Target},
};
use std::time::Duration;

/// How many open one catalog at once.
const OPENERS: usize = 4;
/// How old something is at most that a case has just made.
const JUST_NOW: Duration = Duration::from_secs(300);
/// How much is written so that it shows.
const BYTES: usize = 1 << 20;

async fn listed(on: &Handle) -> Vec<GenerationId> {
    on.generations(&slot()).await.unwrap().iter().map(|entry| entry.id).collect()
}

pub async fn every_handle_says_what_and_where_it_is(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    assert_eq!((on.kind(), other.kind()), (catalog.kind(), catalog.kind()));
    assert!(!on.place().is_empty());
    assert_eq!(on.place(), other.place());
    assert_ne!(on.free_bytes().await.unwrap(), Some(0), "the database has room");
}

pub async fn many_may_open_a_new_catalog_at_once(catalog: Catalog) {
    let opened = at_once(OPENERS, |_| {
        let catalog = catalog.clone();
        async move { candidate(&open(&catalog).await).await }
    });
    let mut made = opened.await;
    made.sort_unstable();
    let mut found = listed(&open(&catalog).await).await;
    found.sort_unstable();
    assert_eq!(found, made);
}

pub async fn every_generation_is_listed_the_oldest_first(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let live = first_live(&on).await;
    let mut made = vec![live.generation];
    for _ in 0..5 {
        made.push(candidate(&on).await);
    }
    on.change(&retiring(Some(live), &made[2..3])).await.unwrap();
    for handle in [&on, &other] {
        assert_eq!(listed(handle).await, made);
        let entries = handle.generations(&slot()).await.unwrap();
        assert!(entries.iter().all(|entry| entry.age < JUST_NOW), "{entries:?}");
        for (at, entry) in entries.iter().enumerate() {
            let wanted = if at == 2 { GenerationState::Retired } else { GenerationState::Ready };
            assert_eq!((entry.state, &entry.snapshot), (wanted, &None));
        }
    }
}

pub async fn scratch_generations_are_used_and_not_listed(catalog: Catalog) {
    let on = open(&catalog).await;
    let live = first_live(&on).await;
    let scratch = spec(Purpose::Scratch);
    make(&on, &scratch, vec![item(1, 1)]).await;
    let mut writer = claim(&on, scratch.id).await;
    commit(&mut writer, 1, vec![item(2, 2)]).await.unwrap();
    assert_eq!(amounts(&on, scratch.id).await, [(1, 1), (2, 2)]);
    assert_eq!(listed(&on).await, [live.generation]);
    assert_eq!(on.live(&slot()).await, Ok(Some(live)));
    writer.close().await.unwrap();
    for _ in 0..2 {
        on.remove(&slot(), scratch.id).await.unwrap();
        let viewed = on.view(&slot(), Target::Generation(scratch.id)).await.err();
        assert!(matches!(viewed, Some(DatabaseError::NoGeneration { .. })), "{viewed:?}");
    }
    assert_eq!(listed(&on).await, [live.generation]);
}

pub async fn what_is_removed_is_gone_and_nothing_else(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let live = first_live(&on).await;
    let gone = make(&on, &spec(Purpose::Candidate), vec![item(1, 1)]).await;
    let neighbour = make(&on, &spec(Purpose::Candidate), vec![item(2, 2)]).await;
    on.change(&retiring(Some(live), &[gone])).await.unwrap();
    for handle in [&on, &other, &on] {
        handle.remove(&slot(), gone).await.unwrap();
        assert_eq!(listed(&on).await, [live.generation, neighbour]);
        assert_eq!(on.instance(&slot(), gone).await, Ok(None));
        let viewed = on.view(&slot(), Target::Generation(gone)).await.err();
        assert!(matches!(viewed, Some(DatabaseError::NoGeneration { .. })), "{viewed:?}");
        let fenced = other.fence(&slot(), gone).await.err();
        assert!(matches!(fenced, Some(DatabaseError::NoGeneration { .. })), "{fenced:?}");
    }
    on.remove(&slot(), spec(Purpose::Candidate).id).await.unwrap();
    assert_eq!(amounts(&other, neighbour).await, [(2, 2)]);
    assert_eq!(checkpoint_of(&mut view(&other, live.generation).await).await, 0);
}

pub async fn what_was_never_finished_can_be_removed(catalog: Catalog) {
    let on = open(&catalog).await;
    let spec = spec(Purpose::Candidate);
    let mut build = on.create(&spec).await.unwrap().unwrap();
    build.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
    drop(build);
    for _ in 0..2 {
        on.remove(&slot(), spec.id).await.unwrap();
        assert_eq!(listed(&on).await, []);
    }
    make(&on, &spec, vec![item(2, 2)]).await;
    assert_eq!(amounts(&on, spec.id).await, [(2, 2)]);
}

pub async fn an_instance_is_one_for_as_long_as_its_rows_are_there(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let spec = spec(Purpose::Candidate);
    assert_eq!(on.instance(&slot(), spec.id).await, Ok(None));
    make(&on, &spec, Vec::new()).await;
    let neighbour = candidate(&on).await;
    let first = on.instance(&slot(), spec.id).await.unwrap();
    assert!(first.is_some());
    let mut writer = claim(&on, spec.id).await;
    commit(&mut writer, 1, (0..1_000).map(|id| item(id, id)).collect()).await.unwrap();
    writer.finish(&schema()).await.unwrap();
    writer.close().await.unwrap();
    for handle in [&on, &other] {
        assert_eq!(handle.instance(&slot(), spec.id).await.unwrap(), first);
        assert_ne!(handle.instance(&slot(), neighbour).await.unwrap(), first);
    }
    on.remove(&slot(), spec.id).await.unwrap();
    for handle in [&on, &other] {
        assert_eq!(handle.instance(&slot(), spec.id).await, Ok(None));
    }
    make(&other, &spec, Vec::new()).await;
    let second = on.instance(&slot(), spec.id).await.unwrap();
    assert!(second.is_some());
    assert_ne!(second, first, "another one stands in its place");
}

pub async fn the_size_of_a_generation_grows_with_its_rows(catalog: Catalog) {
    let on = open(&catalog).await;
    let empty = candidate(&on).await;
    // Not to be compressed.
    let mut state = 1_u64;
    let mut note = || {
        let digits = (0..64).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{state:016x}")
        });
        Value::Text(digits.collect())
    };
    let row = |id| vec![Value::Integer(id), Value::Integer(id), note()];
    let rows: Vec<Row> = (0..i64::try_from(BYTES / 1_024).unwrap()).map(row).collect();
    let full = make(&on, &spec(Purpose::Candidate), rows).await;
    let (least, most) =
        (on.size_bytes(&slot(), empty).await.unwrap(), on.size_bytes(&slot(), full).await.unwrap());
    assert!(
        most >= least + u64::try_from(BYTES / 2).unwrap(),
        "{least} bytes without rows, {most} with them"
    );
    assert!(most < least + u64::try_from(BYTES * 20).unwrap(), "{most} bytes");
}

pub async fn whoever_watches_is_told_of_a_change_of_the_pointer(catalog: Catalog) {
    let on = open(&catalog).await;
    let mut changes = on.changes();
    changes.mark_unchanged();
    let live = first_live(&on).await;
    until("told of a change", async || changes.has_changed().unwrap().then_some(())).await;
    let next = candidate(&on).await;
    let fence = on.fence(&slot(), live.generation).await.unwrap();
    changes.mark_unchanged();
    fence.flip(&pointing(Some(live), after(live, next))).await.unwrap();
    until("told of a flip", async || changes.has_changed().unwrap().then_some(())).await;
}

pub async fn all_that_was_committed_is_there_after_a_restart(catalog: Catalog) {
    let (live, first, unfinished, rows) = {
        let on = open(&catalog).await;
        let first = first_live(&on).await;
        let next = candidate(&on).await;
        let mut writer = claim(&on, next).await;
        commit(&mut writer, 5, (0..1_000).map(|id| item(id, -id)).collect()).await.unwrap();
        writer.finish(&schema()).await.unwrap();
        let live = after(first, next);
        on.fence(&slot(), first.generation).await.unwrap().flip(&pointing(Some(first), live)).await.unwrap();
        let unfinished = spec(Purpose::Candidate);
        let mut build = on.create(&unfinished).await.unwrap().unwrap();
        build.write(&ITEM, stamped(&ITEM, vec![item(1, 1)], 1)).await.unwrap();
        // The program ends with a transaction and a fence open.
        let mut tx = writer.begin().await.unwrap();
        tx.write(&ITEM, ids([1]), stamped(&ITEM, vec![item(2, 0)], 6)).await.unwrap();
        let _fence = on.fence(&slot(), first.generation).await.unwrap();
        (live, first, unfinished, amounts(&on, next).await)
    };
    let on = open(&catalog).await;
    assert_eq!(on.live(&slot()).await, Ok(Some(live)));
    assert_eq!(amounts(&on, live.generation).await, rows);
    let found = status(&on, live.generation).await;
    assert_eq!(fitting(&found), 5);
    let viewed = on.view(&slot(), Target::Generation(unfinished.id)).await.err();
    assert!(matches!(viewed, Some(DatabaseError::NoGeneration { .. })), "{viewed:?}");
    let again = patient_claim(&on, live.generation).await;
    assert!(again.status().epoch > found.epoch);
    make(&on, &unfinished, vec![item(9, 9)]).await;
    assert_eq!(amounts(&on, unfinished.id).await, [(9, 9)]);
    assert_eq!(checkpoint_of(&mut view(&on, first.generation).await).await, 0);
}
