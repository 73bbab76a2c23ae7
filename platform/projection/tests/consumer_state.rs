//! What a projector says of itself, and what it says to those who wait.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{GenerationId, Origin, Projector, ProjectorOptions, WaitError};
use annals_store::{Activity, ConsumerState, EventStore, GappedStore};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::time::Duration;
use support::{Accounts, PATIENCE, Running, Till, World, append, model, model_with, sales, state_of};

/// Long enough to find out that nothing comes.
const IN_VAIN: Duration = Duration::from_millis(50);

/// An older projector that has lost the right to write to a newer one.
async fn fenced(world: &World) -> (Running, Running) {
    let older = world.start(&model()).await;
    // It has the right to write before the other one asks for it.
    let token = append(&world.store, &sales(10, 7)).await;
    older.handle.wait_for(token, PATIENCE).await.unwrap();
    let newer = world.start(&model()).await;
    loop {
        let token = append(&world.store, &sales(10, 7)).await;
        newer.handle.wait_for(token, PATIENCE).await.unwrap();
        if matches!(older.handle.state().activity, Activity::Stopped { .. }) {
            return (older, newer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_the_state_is_that_of_the_rows_that_are_live() {
    let world = World::new();
    let token = append(&world.store, &sales(250, 20)).await;
    let old_program = world.start(&model_with(1, Accounts::default())).await;
    old_program.handle.wait_for(token, PATIENCE).await.unwrap();
    old_program.stop().await;

    let new = model_with(2, Accounts::default());
    let head = append(&world.store, &sales(500, 20)).await;
    let running = world.start(&new).await;
    let generations = world.generations(&new).await;
    let old = generations.live().await.unwrap().generation;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.promote(id).await.unwrap();
    running.handle.wait_for(head, PATIENCE).await.unwrap();

    generations.roll_back(old).await.unwrap();
    let head = append(&world.store, &sales(500, 20)).await;
    let behind = |state: &ConsumerState| state.position == token && state.head == head;
    let state = state_of(&running.handle, behind).await;
    assert_eq!(state.lag(), head.get() - token.get());
    assert!(state.oldest.is_some());
    match running.handle.wait_for(head, IN_VAIN).await {
        Err(WaitError::NotFolded { checkpoint, reason, .. }) => {
            assert_eq!(checkpoint, token);
            assert!(reason.contains("fold version 1"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_cannot_write_reports_its_lag_and_since_when() {
    let world = World::new();
    let running = world.start(&model()).await;
    let token = append(&world.store, &sales(10, 7)).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    let live = world.generations(&model()).await.live().await.unwrap().generation;
    let file = world.folder.path().join(format!("generations/till/{live}.sqlite"));
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();

    append(&world.store, &sales(10, 7)).await;
    let head = append(&world.store, &sales(10, 7)).await;
    let state = state_of(&running.handle, |state| state.head == head && state.oldest.is_some()).await;
    assert_eq!((state.position, state.lag()), (token, head.get() - token.get()));
    lock.rollback().await.unwrap();
    let state = state_of(&running.handle, |state| state.position == head).await;
    assert_eq!((state.lag(), state.oldest, state.activity), (0, None, Activity::Running));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_failed_says_how_far_behind_the_log_it_is_now() {
    let world = World::new();
    let store = world.store();
    let options = ProjectorOptions::new(world.catalog().await, model(), store.clone());
    let running = Running::start(options).await;
    let folded = append(&world.store, &sales(10, 7)).await;
    running.handle.wait_for(folded, PATIENCE).await.unwrap();
    append(&world.store, &[Till::Broken]).await;
    let handle = running.handle.clone();
    running.ended().await;

    for _ in 0..3 {
        let head = append(&world.store, &sales(10, 7)).await;
        let state = state_of(&handle, |state| state.head == head).await;
        assert!(matches!(state.activity, Activity::Stopped { .. }), "{state:?}");
        assert_eq!((state.lag(), state.stale_since), (head.get() - state.position.get(), None));
        assert!(state.oldest.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_aborted_leaves_a_projector_that_has_stopped() {
    let world = World::new();
    let projector = Projector::open(world.options(&model()).await).await.unwrap();
    let handle = projector.handle();
    assert_eq!(handle.state().activity, Activity::Starting);
    let task = tokio::spawn(projector.run(Default::default()));
    state_of(&handle, |state| state.activity == Activity::Running).await;
    task.abort();
    let state = state_of(&handle, |state| state.activity != Activity::Running).await;
    assert!(matches!(state.activity, Activity::Stopped { .. }), "{state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_the_right_to_write_serves_every_wait_while_another_folds() {
    let world = World::new();
    let (older, newer) = fenced(&world).await;
    for _ in 0..50 {
        let token = append(&world.store, &sales(10, 7)).await;
        assert!(older.handle.wait_for(token, PATIENCE).await.unwrap().checkpoint() >= token);
    }
    newer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_the_right_to_write_says_so_to_whoever_waits_in_vain() {
    let world = World::new();
    let (older, newer) = fenced(&world).await;
    newer.stop().await;
    let token = append(&world.store, &sales(10, 7)).await;
    match older.handle.wait_for(token, IN_VAIN).await {
        Err(WaitError::NotFolded { by, reason, .. }) => {
            assert!(by > 0 && reason.contains("another worker has taken over"), "{by} {reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_log_are_served_but_not_written_until_they_are_rebuilt() {
    let world = World::new();
    let token = append(&world.store, &sales(5, 7)).await;
    let running = world.start(&model()).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    running.stop().await;

    let other = World { store: GappedStore::new(), folder: world.folder };
    let head = append(&other.store, &sales(20, 7)).await;
    let running = other.start(&model()).await;
    let state = running.handle.state();
    let Activity::OtherHistory { reason } = &state.activity else { panic!("{state:?}") };
    assert!(reason.contains("was built from log") && reason.contains("a replay"), "{reason}");
    assert!(matches!(running.handle.wait_for(head, PATIENCE).await, Err(WaitError::OtherHistory { .. })));
    let reader = running.handle.reader().await.unwrap();
    assert_eq!((reader.checkpoint(), reader.status().epoch), (token, 1), "it was read, and not taken over");
    drop(reader);

    let (generations, id) = (other.generations(&model()).await, GenerationId::generate());
    generations.create(id, Origin::Empty).await.unwrap();
    generations.promote(id).await.unwrap();
    let reader = running.handle.wait_for(head, PATIENCE).await.unwrap();
    assert_eq!(reader.status().log_id, other.store.head().await.unwrap().log_id);
    drop(reader);
    running.stop().await;
}
