//! The worker dies between the steps of making a candidate and of moving the pointer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::Sequence;
use annals_replay::{Phase, ReplayEvent, ReplayMode};
use fail::FailScenario;
use support::{CUSTOMERS, Queries, World, model, orders};

/// The read model's own projector passes none of these.
const POINTS: [&str; 6] = [
    "generation-created",
    "snapshot-restored",
    "promote-begun",
    "live-fenced",
    "candidate-complete",
    "pointer-moved",
];
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dead_at_any_step_of_a_candidate_has_a_successor_that_ends_it() {
    let scenario = FailScenario::setup();
    let world = World::gapped();
    let projecting = world.project(&model()).await;
    let middle = world.append(&orders(0, 300, 50)).await;
    projecting.rows_at(middle).await;
    let generations = world.generations(&model()).await;
    generations.take_snapshot().await.unwrap();
    let head = world.append(&orders(300, 300, 50)).await;
    let rows = projecting.rows_at(head).await;
    let queries = Queries::start([projecting.handle.readers().clone()]);
    for round in 0..ROUNDS {
        for point in POINTS {
            let before = generations.live().await.unwrap();
            let from = if point == "generation-created" { Sequence::FIRST } else { middle.next() };
            fail::cfg(point, "1*panic").unwrap();
            let doomed = world.work(&model()).await;
            let id = doomed.request(CUSTOMERS, from, ReplayMode::PromoteIfIdentical).await;
            doomed.died().await;
            fail::remove(point);
            let flipped = generations.live().await.unwrap() != before;
            assert_eq!(flipped, point == "pointer-moved", "{point}");
            assert!(!world.history(id).await.iter().any(|event| matches!(event, ReplayEvent::Promoted(_))));

            let working = world.work(&model()).await;
            let replay = working.promoted(id).await.replay;
            assert_eq!(replay.previous, Some(before.generation), "{point} {round}");
            assert_eq!(generations.live().await.unwrap().generation, id.candidate());
            let promotions = world.history(id).await;
            let promotions = promotions.iter().filter(|event| matches!(event, ReplayEvent::Promoted(_)));
            assert_eq!(promotions.count(), 1);
            assert_eq!(projecting.rows_at(head).await, rows);
            working.stop().await;
        }
        queries.more(2).await;
    }
    queries.stop().await;
    projecting.stop().await;
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pointer_that_was_moved_counts_whatever_fails_afterwards() {
    let scenario = FailScenario::setup();
    let world = World::gapped();
    world.append(&orders(0, 300, 50)).await;
    let projecting = world.project(&model()).await;
    let generations = world.generations(&model()).await;
    let before = generations.live().await.unwrap().generation;
    let working = world.work(&model()).await;
    fail::cfg("pointer-moved", "return").unwrap();
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(id).await;
    assert_eq!(generations.live().await.unwrap().generation, id.candidate());
    working.replays.roll_back(id, Cause::new()).await.unwrap();
    let replay = working.settled(id).await.replay;
    assert_eq!((replay.phase, replay.failure), (Phase::RolledBack, None));
    assert_eq!(generations.live().await.unwrap().generation, before);
    fail::remove("pointer-moved");
    working.stop().await;
    projecting.stop().await;
    scenario.teardown();
}
