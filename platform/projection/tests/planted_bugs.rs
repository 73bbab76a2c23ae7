//! Each planted bug is caught by a test that is there to catch it, and the same test passes without the bug.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod support;

use annals_event::Sequence;
use annals_projection::{FoldError, GenerationError, GenerationId, Origin, SnapshotName};
use fail::FailScenario;
use std::{fs, sync::Arc};
use support::{PATIENCE, World, append, fold_by_two, fresh_fold, gets_to, model, rows, sales};

/// What a suite found wrong.
type Verdict = Result<(), String>;

async fn catches(bug: &str, suite: impl AsyncFn() -> Verdict) {
    // Fail points are the whole process's, so there is one scenario at a time. Its end makes read models sound again.
    let _scenario = FailScenario::setup();
    suite().await.expect("the code without the bug passes");
    fail::cfg(bug, "return").unwrap();
    let Err(violation) = suite().await else { panic!("{bug} was not caught") };
    println!("{bug} is caught: {violation}");
}

fn must(condition: bool, violation: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(violation()) }
}

/// Stops a fold between rows and checkpoint, if there is such a place, and begins it again.
async fn a_stop_between_rows_and_checkpoint() -> Verdict {
    let world = World::new();
    let head = append(&world.store, &sales(400, 30)).await;
    fail::cfg("between-rows-and-checkpoint", "1*return->off").unwrap();
    let mut running = world.start(&model()).await;
    if !gets_to(&running.handle, head).await {
        running.ended().await;
        running = world.start(&model()).await;
    }
    let rows = rows(&mut running.handle.wait_for(head, PATIENCE).await.unwrap()).await;
    running.stop().await;
    let fresh = fresh_fold(&world, &model()).await;
    must(rows == fresh, || "after a stop the rows are not those of a fresh fold".to_owned())
}

/// Two fold one candidate; the first is held back until the second is done.
async fn a_worker_that_wakes_up_late() -> Verdict {
    let world = World::new();
    world.start(&model()).await.stop().await;
    let head = append(&world.store, &sales(20_000, 500)).await;
    let generations = world.generations(&model()).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let (late, _) = fold_by_two(&generations, id).await;
    generations.promote(id).await.unwrap();
    let running = world.start(&model()).await;
    let found = rows(&mut running.handle.wait_for(head, PATIENCE).await.unwrap()).await;
    running.stop().await;
    let fresh = fresh_fold(&world, &model()).await;
    must(found == fresh, || format!("a worker that was taken over wrote on: {:?}", found.items))?;
    let fenced = matches!(late, Err(GenerationError::Fold(FoldError::Fenced { .. })));
    must(fenced, || format!("a worker that was taken over ended with {late:?}"))
}

/// The live generation moves on, and is read, while a candidate is just being promoted.
async fn a_promotion_while_the_live_generation_moves() -> Verdict {
    let world = Arc::new(World::new());
    append(&world.store, &sales(300, 30)).await;
    let running = world.start(&model()).await;
    let generations = world.generations(&model()).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Sequence::ZERO));
    let moves = {
        let (world, handle, seen) = (world.clone(), running.handle.clone(), seen.clone());
        move || {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    let token = append(&world.store, &sales(50, 30)).await;
                    *seen.lock().unwrap() = handle.wait_for(token, PATIENCE).await.unwrap().checkpoint();
                });
            });
        }
    };
    fail::cfg_callback("promote-begun", moves).unwrap();
    let promotion = tokio::spawn(async move { generations.promote(id).await });
    let checkpoint = promotion.await.unwrap().unwrap().checkpoint;
    fail::remove("promote-begun");
    running.stop().await;
    let seen = *seen.lock().unwrap();
    must(checkpoint >= seen, || {
        format!("readers saw {seen}, and then a generation that ends at {checkpoint}: a step back")
    })
}

/// Flips one bit in each of many places of a snapshot's file.
async fn a_damaged_snapshot() -> Verdict {
    let world = World::new();
    let head = append(&world.store, &sales(200, 40)).await;
    let running = world.start(&model()).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    running.stop().await;
    let generations = world.generations(&model()).await;
    let snapshot: SnapshotName = generations.take_snapshot().await.unwrap().name;
    let file = world.folder.path().join(format!("snapshots/till/{snapshot}.rows.zst"));
    let intact = fs::read(&file).unwrap();
    for bit in (0..intact.len() * 8).step_by(intact.len() * 8 / 50 + 1) {
        let mut damaged = intact.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &damaged).unwrap();
        let plan = generations.plan(Sequence::MAX).await.unwrap();
        must(plan.snapshot.is_none() && plan.passed_over.len() == 1, || {
            format!("bit {bit} of a snapshot is flipped, and it is planned to begin with it")
        })?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_outside_the_transaction_of_the_rows_is_caught() {
    catches("checkpoint-outside-transaction", a_stop_between_rows_and_checkpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_the_checkpoint_without_comparing_it_is_caught() {
    catches("checkpoint-not-compared", a_worker_that_wakes_up_late).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promoting_a_candidate_that_ends_before_the_fence_is_caught() {
    catches("live-read-before-fence", a_promotion_while_the_live_generation_moves).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn using_a_damaged_snapshot_is_caught() {
    catches("snapshot-not-checked", a_damaged_snapshot).await;
}
