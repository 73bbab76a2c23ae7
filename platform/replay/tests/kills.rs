//! Workers that are killed, and workers that meet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::Sequence;
use annals_projection::ReadModel;
use annals_replay::{ReplayEvent, ReplayId, ReplayMode, event};
use std::{convert::Infallible, sync::Arc, time::Duration};
use support::{
    CUSTOMERS, Projecting, Queries, Rows, STEPS, Stage, Trap, Worker, World, Writing, model, orders, until,
    within,
};

/// How often a worker is killed in each phase.
const KILLS: u64 = 25;
/// A kill comes so many microseconds after the phase began, at most: about as long as a phase takes.
const DELAY_US_MAX: u64 = 6_000;

async fn shop(count: usize) -> (World, Projecting, Rows) {
    let world = World::gapped();
    let head = world.append(&orders(0, count, 50)).await;
    let projecting = world.project(&model()).await;
    let rows = projecting.rows_at(head).await;
    (world, projecting, rows)
}

/// The replay's candidate is live, was the only one, and that was written down once.
async fn promoted_once(world: &World, model: &ReadModel, id: ReplayId) {
    let live = world.generations(model).await.live().await.unwrap();
    assert_eq!(live.generation, id.candidate());
    once_in_the_log(world, id).await;
}

async fn once_in_the_log(world: &World, id: ReplayId) {
    let history = world.history(id).await;
    let promotions = history.iter().filter_map(|event| match event {
        ReplayEvent::Promoted(event::Promoted { generation, previous, .. }) => Some((*generation, *previous)),
        _ => None,
    });
    let promotions: Vec<_> = promotions.collect();
    assert_eq!(promotions.len(), 1, "{history:?}");
    assert_eq!(promotions[0].0, id.candidate());
    assert!(promotions[0].1.is_some_and(|previous| previous != id.candidate()));
    let candidates = history.iter().filter(|event| matches!(event, ReplayEvent::RestoringBegun(_))).count();
    assert_eq!(candidates, 1, "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_worker_is_killed_in_any_phase_is_promoted_once() {
    let (world, projecting, rows) = shop(500).await;
    let queries = Queries::start([projecting.handle.readers().clone()]);
    // The same in each run.
    let mut random = fastrand::Rng::with_seed(7);
    let begun = ["replay.requested"].into_iter().chain(STEPS).chain(["replay.promoted"]);
    for phase in begun {
        for _ in 0..KILLS {
            let stage = Stage::on(world.store.clone());
            stage.set_trap(Trap::After(phase));
            let generations = world.generations(&model()).await;
            let doomed = world.work_with(Worker::on(stage.store(), [generations]));
            let id = ReplayId::generate();
            let asked = doomed.request_as(id, CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical);
            tokio::select! {
                // The operator's own word may be in the trap.
                () = async { asked.await; std::future::pending().await } => {}
                () = stage.trapped() => {}
            }
            stage.release();
            tokio::time::sleep(Duration::from_micros(random.u64(..DELAY_US_MAX))).await;
            doomed.kill().await;

            let working = world.work(&model()).await;
            working.promoted(id).await;
            promoted_once(&world, &model(), id).await;
            working.stop().await;
        }
        assert_eq!(projecting.rows_at(Sequence::FIRST).await, rows, "killed after {phase}");
        queries.more(2).await;
    }
    queries.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_was_done_and_not_written_down_is_found_done() {
    let (world, projecting, rows) = shop(500).await;
    for step in STEPS.into_iter().chain(["replay.promoted"]) {
        let stage = Stage::on(world.store.clone());
        stage.set_trap(Trap::Before(step));
        let generations = world.generations(&model()).await;
        let doomed = world.work_with(Worker::on(stage.store(), [generations]));
        let id = doomed.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
        stage.trapped().await;
        doomed.kill().await;
        let working = world.work(&model()).await;
        working.promoted(id).await;
        promoted_once(&world, &model(), id).await;
        working.stop().await;
    }
    assert_eq!(projecting.rows_at(Sequence::FIRST).await, rows);
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_fold_goes_on_where_it_was() {
    let (world, projecting, _) = shop(2_000).await;
    let stage = Stage::on(world.store.clone());
    stage.only(10);
    let generations = world.generations_from(&model(), stage.store()).await;
    let doomed = world.work_with(Worker::on(world.store.clone(), [generations.clone()]));
    let id = doomed.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    let candidate = id.candidate();
    until("ten pages were read", || stage.has_waiting()).await;
    // They may not be written yet.
    within(async {
        while generations.status(candidate).await.unwrap().checkpoint == Sequence::ZERO {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    doomed.kill().await;
    let working = world.work(&model()).await;
    working.promoted(id).await;
    promoted_once(&world, &model(), id).await;
    let after = generations.status(candidate).await.unwrap();
    assert_eq!(after.applied.count, 2_000, "no event was folded twice");
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_stands_by_and_takes_over_when_the_first_is_gone() {
    let (world, projecting, rows) = shop(1_000).await;
    let stages = [Stage::on(world.store.clone()), Stage::on(world.store.clone())];
    stages[0].only(2);
    let mut workers = Vec::new();
    for stage in &stages {
        let generations = world.generations_from(&model(), stage.store()).await;
        workers.push(Worker::on(world.store.clone(), [generations]));
    }
    let second = world.work_with(workers.pop().unwrap());
    let first = world.work_with(workers.pop().unwrap());
    // The first has the lease before the second hears of anything.
    stages[1].only(0);
    let id = first.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    until("one of them folds", || stages.iter().any(Stage::has_waiting)).await;
    let (at_it, other) = if stages[0].has_waiting() { (first, second) } else { (second, first) };
    assert_eq!(stages.iter().filter(|stage| stage.has_waiting()).count(), 1, "the other stands by");
    stages.iter().for_each(Stage::open);
    at_it.kill().await;
    other.promoted(id).await;
    promoted_once(&world, &model(), id).await;
    assert_eq!(projecting.rows_at(Sequence::FIRST).await, rows);
    other.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_one_read_model_promote_each_replay_once() {
    let (world, projecting, _) = shop(1_000).await;
    let world = Arc::new(world);
    let writing = Writing::start(&world);
    let workers = [world.work(&model()).await, world.work(&model()).await];
    let mut ids = Vec::new();
    for at in 0..6 {
        let worker = &workers[at % 2];
        ids.push(worker.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await);
    }
    for id in ids {
        workers[0].promoted(id).await;
        once_in_the_log(&world, id).await;
    }
    let head = writing.stop().await;
    assert_eq!(projecting.rows_at(head).await, world.fresh_fold(&model()).await);
    for worker in workers {
        worker.stop().await;
    }
    projecting.stop().await;
}

/// Takes the lock file of the lease away for as long as it is polled: whoever looks for a lease makes a file of its own.
async fn take_leases_away(world: &World) -> Infallible {
    let file = world.views().join("generations").join(CUSTOMERS).join("replay.lock");
    loop {
        // There may be none yet.
        let _ = std::fs::remove_file(&file);
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_think_they_hold_the_lease_promote_one_candidate_once() {
    let (world, projecting, rows) = shop(1_000).await;
    let stages = [Stage::on(world.store.clone()), Stage::on(world.store.clone())];
    let mut workers = Vec::new();
    for stage in &stages {
        stage.only(2);
        let generations = world.generations_from(&model(), stage.store()).await;
        workers.push(world.work_with(Worker::on(world.store.clone(), [generations])));
    }
    let replays = async {
        for round in 0..KILLS {
            let id = workers[0].request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
            if round == 0 {
                until("both are at it", || stages.iter().all(Stage::has_waiting)).await;
                stages.iter().for_each(Stage::open);
            }
            workers[0].promoted(id).await;
            promoted_once(&world, &model(), id).await;
            assert_eq!(projecting.rows_at(Sequence::FIRST).await, rows);
        }
    };
    tokio::select! {
        () = replays => {}
        never = take_leases_away(&world) => match never {},
    }
    let head = world.append(&orders(1_000, 100, 50)).await;
    assert_eq!(projecting.rows_at(head).await, world.fresh_fold(&model()).await);
    for worker in workers {
        worker.stop().await;
    }
    projecting.stop().await;
}
