//! A projector folds, waits, restarts, stops and is fenced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::Sequence;
use annals_projection::{FoldError, ReadModel, ReaderError, WaitError};
use annals_store::Activity;
use std::time::Duration;
use support::{
    Account, Accounts, PATIENCE, Till, World, append, append_foreign, fresh_fold, left, model, model_with,
    rows, sales, sold, state_of,
};

#[tokio::test(flavor = "multi_thread")]
async fn events_become_rows_that_a_reader_with_the_token_sees() {
    let world = World::new();
    let running = world.start(&model()).await;
    let token =
        append(&world.store, &[sold("ann", "cd", 100), sold("bob", "lp", 250), sold("ann", "lp", 50)]).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    let ann = reader.get::<Account>(&"ann".to_owned()).await.unwrap().unwrap();
    assert_eq!((ann.sales, ann.cents, ann.last_item.as_deref()), (2, 150, Some("lp")));
    assert_eq!(reader.checkpoint(), token);

    let rows = rows(&mut reader).await;
    assert_eq!(rows.accounts.len(), 2);
    let last = i64::try_from(token.get()).unwrap();
    assert_eq!(rows.items.iter().find(|item| item.0 == "lp"), Some(&("lp".to_owned(), 2, last)));
    assert_eq!(rows.sequences[0], ("ann".to_owned(), last), "the row carries the event that last changed it");
    drop(reader);

    let token = append(&world.store, &[left("ann")]).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.get::<Account>(&"ann".to_owned()).await.unwrap(), None);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_moves_over_events_that_the_model_does_not_want() {
    let world = World::new();
    append(&world.store, &[sold("ann", "cd", 100)]).await;
    let running = world.start(&model()).await;
    let token = append_foreign(&world.store).await;
    let reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.status().applied.count, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_starts_again_goes_on_at_its_checkpoint() {
    let world = World::new();
    let model = model();
    for round in 1..=4_usize {
        let token = append(&world.store, &sales(700, 40)).await;
        let running = world.start(&model).await;
        let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
        assert_eq!(reader.status().applied.count, 700 * u64::try_from(round).unwrap());
        assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model).await);
        drop(reader);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_by_one_and_all_at_once_end_in_the_same_rows() {
    let world = World::new();
    let model = model();
    let running = world.start(&model).await;
    for event in sales(300, 11) {
        let token = append(&world.store, &[event]).await;
        running.handle.wait_for(token, PATIENCE).await.unwrap();
    }
    let mut reader = running.handle.reader().await.unwrap();
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_and_more_than_one_batch_are_all_there() {
    let world = World::new();
    let token = append(&world.store, &sales(60_000, 30_011)).await;
    let running = world.start(&model()).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    let rows = rows(&mut reader).await;
    let sold: i64 = rows.items.iter().map(|item| item.1).sum();
    assert_eq!(sold, 60_000 - 60_000 / 50);
    assert!(rows.accounts.len() > 25_000);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_what_is_not_there_says_how_far_behind_the_model_is() {
    let world = World::new();
    let token = append(&world.store, &[sold("ann", "cd", 100)]).await;
    let running = world.start(&model()).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    match running.handle.wait_for(token.plus(10), Duration::from_millis(50)).await {
        Err(WaitError::Behind { by: 10, checkpoint, .. }) => assert_eq!(checkpoint, token),
        other => panic!("{other:?}"),
    }
    let handle = running.handle.clone();
    running.stop().await;
    let waited = handle.wait_for(token.plus(10), Duration::from_millis(50)).await;
    assert!(matches!(waited, Err(WaitError::NotFolded { by: 10, .. })), "{waited:?}");
    assert_eq!(
        handle.wait_for(token, PATIENCE).await.unwrap().checkpoint(),
        token,
        "what is there stays readable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_applied_stops_the_fold_right_before_it() {
    let world = World::new();
    let before = append(&world.store, &[sold("ann", "cd", 1), sold("ann", "cd", 2)]).await;
    let broken = append(&world.store, &[Till::Broken]).await;
    append(&world.store, &[sold("ann", "cd", 4)]).await;
    let running = world.start(&model()).await;
    let handle = running.handle.clone();
    let error = running.ended().await;
    match error.fold_error() {
        Some(FoldError::Event(event)) => assert_eq!(event.sequence, broken),
        other => panic!("{other:?}"),
    }
    let mut reader = handle.wait_for(before, PATIENCE).await.unwrap();
    assert_eq!(reader.get::<Account>(&"ann".to_owned()).await.unwrap().unwrap().cents, 3);
    assert_eq!(reader.checkpoint(), broken.previous());
    assert_eq!(reader.status().applied.count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_projectors_the_newer_one_writes_and_the_older_one_stops() {
    let world = World::new();
    let model = model();
    let older = world.start(&model).await;
    let token = append(&world.store, &sales(100, 7)).await;
    older.handle.wait_for(token, PATIENCE).await.unwrap();

    let newer = world.start(&model).await;
    let mut token = append(&world.store, &sales(100, 7)).await;
    newer.handle.wait_for(token, PATIENCE).await.unwrap();
    // The older one may not have read anything since; give it something that it must try to write.
    while !matches!(older.handle.state().activity, Activity::Stopped { .. }) {
        token = append(&world.store, &sales(10, 7)).await;
        newer.handle.wait_for(token, PATIENCE).await.unwrap();
    }
    let error = older.ended().await;
    assert!(matches!(error.fold_error(), Some(FoldError::Fenced { .. })), "{error}");
    let mut reader = newer.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model).await);
    drop(reader);
    newer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_of_another_fold_version_is_served_and_not_continued() {
    let world = World::new();
    let token = append(&world.store, &sales(50, 7)).await;
    let old = world.start(&model()).await;
    old.handle.wait_for(token, PATIENCE).await.unwrap();
    old.stop().await;

    let new = world.start(&model_with(2, Accounts::default())).await;
    append(&world.store, &sales(50, 7)).await;
    let reader = new.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.checkpoint(), token);
    let state = state_of(&new.handle, |state| state.activity != Activity::Starting).await;
    let Activity::NeedsReplay { reason } = &state.activity else { panic!("{state:?}") };
    assert!(reason.contains("fold version 1") && reason.contains("ask for a replay"), "{reason}");
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_cannot_write_and_knows_its_tables() {
    let world = World::new();
    let token = append(&world.store, &sales(5, 7)).await;
    let running = world.start(&model()).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    let write = sqlx::query("DELETE FROM account")
        .execute(annals_projection_sqlite::connection(&mut reader).unwrap())
        .await;
    assert!(write.unwrap_err().to_string().contains("readonly"));
    drop(reader);
    running.stop().await;

    let others = ReadModel::named("others").sql(support::Items).build().unwrap();
    let running = world.start(&others).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    let unknown = reader.get::<Account>(&"c1".to_owned()).await;
    assert!(matches!(unknown, Err(ReaderError::UnknownTable { .. })));
    assert_ne!(reader.checkpoint(), Sequence::ZERO);
    drop(reader);
    running.stop().await;
}
