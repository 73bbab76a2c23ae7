//! A planted fault is noticed. Alone in its file, since the fault is the whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::plant_checkpoint_outside_transaction;
use fail::FailScenario;
use support::{PATIENCE, Rows, World, append, fresh_fold, model, rows, sales};

/// Stops a fold between rows and checkpoint, if there is such a place, and begins it again.
async fn rows_after_a_stop(world: &World) -> Rows {
    let head = append(&world.store, &sales(400, 30)).await;
    fail::cfg("between-rows-and-checkpoint", "1*return->off").unwrap();
    let running = world.start(&model()).await;
    let stopped = running.handle.wait_for(head, PATIENCE).await.is_err();
    let running = if stopped {
        running.ended().await;
        world.start(&model()).await
    } else {
        running
    };
    let rows = rows(&mut running.handle.wait_for(head, PATIENCE).await.unwrap()).await;
    running.stop().await;
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_outside_the_rows_transaction_shows_as_events_applied_twice() {
    let scenario = FailScenario::setup();
    let sound = World::new();
    let rows = rows_after_a_stop(&sound).await;
    assert_eq!(rows, fresh_fold(&sound, &model()).await);

    plant_checkpoint_outside_transaction(true);
    let faulty = World::new();
    let rows = rows_after_a_stop(&faulty).await;
    plant_checkpoint_outside_transaction(false);
    assert_ne!(rows, fresh_fold(&faulty, &model()).await, "the check does not notice the fault");
    scenario.teardown();
}
