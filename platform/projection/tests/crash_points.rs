//! The work is stopped at each crash point, as by a kill, and begun again: the read model ends as a fresh fold does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_projection::{FoldControl, GenerationId, Origin, Projector, ReadModel, Until};
use annals_store::EventStore;
use fail::FailScenario;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{PATIENCE, Running, World, append, fresh_fold, gets_to, model, rows, sales};

async fn assert_equals_a_fresh_fold(world: &World, running: &Running, model: &ReadModel, point: &str) {
    let head = world.store.head().await.unwrap().last;
    let mut reader = running.handle.wait_for(head, PATIENCE).await.unwrap();
    let applied = reader.status().applied;
    assert_eq!(rows(&mut reader).await, fresh_fold(world, model).await, "after a stop at {point}");
    let generations = world.generations(model).await;
    let complete = generations.completeness(reader.generation()).await.unwrap();
    assert!(complete.is_complete() && complete.found == applied, "after a stop at {point}");
}

// One test: crash points belong to the process, and each test of the file would meet the others'.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_resumed_after_any_crash_point_equals_a_fresh_fold() {
    let scenario = FailScenario::setup();
    for point in ["fold-begun", "rows-written", "checkpoint-written", "batch-committed"] {
        a_fold_stopped_at(point).await;
    }
    a_first_start_stopped_at("generation-created").await;
    for point in ["snapshot-copied", "snapshot-packed"] {
        a_snapshot_stopped_at(point).await;
    }
    a_restore_stopped_at("snapshot-restored").await;
    for point in ["promote-begun", "live-fenced", "candidate-complete", "pointer-moved"] {
        a_promotion_stopped_at(point).await;
        a_rollback_stopped_at(point).await;
    }
    a_promotion_overtaken_by_two_others("promote-begun").await;
    scenario.teardown();
}

async fn a_fold_stopped_at(point: &str) {
    let (world, model) = (World::new(), model());
    for round in 0..3 {
        append(&world.store, &sales(400, 30)).await;
        // Stops at the first batch, and at a later one.
        fail::cfg(point, if round == 0 { "return" } else { "1*off->return" }).unwrap();
        let running = world.start(&model).await;
        let mut token = world.store.head().await.unwrap().last;
        while gets_to(&running.handle, token).await {
            token = append(&world.store, &sales(10, 30)).await;
        }
        assert!(running.ended().await.to_string().contains(point));
        fail::remove(point);
    }
    let running = world.start(&model).await;
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;
    running.stop().await;
}

async fn a_first_start_stopped_at(point: &str) {
    let (world, model) = (World::new(), model());
    append(&world.store, &sales(100, 30)).await;
    fail::cfg(point, "return").unwrap();
    assert!(Projector::open(world.options(&model).await).await.is_err());
    fail::remove(point);
    let running = world.start(&model).await;
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;
    running.stop().await;
}

async fn a_snapshot_stopped_at(point: &str) {
    let (world, model) = (World::new(), model());
    let head = append(&world.store, &sales(100, 30)).await;
    let running = world.start(&model).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    let generations = world.generations(&model).await;
    fail::cfg(point, "return").unwrap();
    generations.take_snapshot().await.unwrap_err();
    fail::remove(point);
    assert_eq!(generations.snapshots().list().unwrap(), [], "half a snapshot is none");
    let taken = generations.take_snapshot().await.unwrap();
    generations.snapshots().verify(taken.name).await.unwrap();
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;
    running.stop().await;
}

async fn a_restore_stopped_at(point: &str) {
    let (world, model) = (World::new(), model());
    let head = append(&world.store, &sales(100, 30)).await;
    let running = world.start(&model).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    let generations = world.generations(&model).await;
    let name = generations.take_snapshot().await.unwrap().name;
    append(&world.store, &sales(100, 30)).await;
    let id = GenerationId::generate();
    fail::cfg(point, "return").unwrap();
    generations.create(id, Origin::Snapshot(name)).await.unwrap_err();
    fail::remove(point);
    assert_eq!(generations.find(id).await.unwrap(), None, "half a candidate is none");
    generations.create(id, Origin::Snapshot(name)).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    generations.promote(id).await.unwrap();
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;
    running.stop().await;
}

async fn a_promotion_stopped_at(point: &str) {
    let (world, model) = (World::new(), model());
    let head = append(&world.store, &sales(300, 30)).await;
    let running = world.start(&model).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    let generations = world.generations(&model).await;
    let old = generations.live().await.unwrap().generation;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    fail::cfg(point, "return").unwrap();
    let promoted = generations.promote(id).await;
    fail::remove(point);

    // Whichever of the two is live, the projector goes on with it, and nothing is missing.
    let moved = point == "pointer-moved";
    assert_eq!(promoted.is_ok(), moved, "an error says that the candidate is not live");
    assert_eq!(generations.live().await.unwrap().generation, if moved { id } else { old });
    append(&world.store, &sales(50, 30)).await;
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;

    let promotion = generations.promote(id).await.unwrap();
    assert_eq!((promotion.repeated, promotion.previous), (moved, Some(old)));
    append(&world.store, &sales(50, 30)).await;
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;
    running.stop().await;
}

/// Another generation is promoted, and then this one by another worker, while this worker is at it.
async fn a_promotion_overtaken_by_two_others(point: &str) {
    let (world, model) = (World::new(), model());
    append(&world.store, &sales(100, 30)).await;
    world.start(&model).await.stop().await;
    let generations = world.generations(&model).await;
    let [other, id] = [GenerationId::generate(), GenerationId::generate()];
    for id in [other, id] {
        generations.create(id, Origin::Empty).await.unwrap();
    }
    let (others, once) = (generations.clone(), AtomicBool::new(true));
    let overtake = move || {
        if once.swap(false, Ordering::SeqCst) {
            let promote_both = async {
                others.promote(other).await.unwrap();
                others.promote(id).await.unwrap();
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(promote_both));
        }
    };
    fail::cfg_callback(point, overtake).unwrap();
    let promotion = generations.promote(id).await.unwrap();
    fail::remove(point);
    assert_eq!(promotion.previous, Some(other), "it is the one of the pointer's row");
    assert_eq!(generations.live().await.unwrap().previous, Some(other));
}

async fn a_rollback_stopped_at(point: &str) {
    let (world, model) = (World::new(), model());
    let head = append(&world.store, &sales(300, 30)).await;
    let running = world.start(&model).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    let generations = world.generations(&model).await;
    let (old, id) = (generations.live().await.unwrap().generation, GenerationId::generate());
    generations.create(id, Origin::Empty).await.unwrap();
    generations.promote(id).await.unwrap();
    fail::cfg(point, "return").unwrap();
    let rolled_back = generations.roll_back(old).await;
    fail::remove(point);
    let live = generations.live().await.unwrap().generation;
    assert_eq!(live, if point == "pointer-moved" { old } else { id });
    assert_eq!(rolled_back.is_ok(), live == old, "an error says that it is not live");
    append(&world.store, &sales(50, 30)).await;
    assert_equals_a_fresh_fold(&world, &running, &model, point).await;
    running.stop().await;
}
