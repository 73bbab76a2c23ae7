//! A log that is restored from a backup: a replay mends the read model, and one that was under way is not gone on with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::Context;
use annals_event::Sequence;
use annals_projection::{FoldControl, Until};
use annals_replay::{Phase, ReplayMode};
use annals_store::Activity;
use annals_store_log::{LogStore, Options};
use std::sync::Arc;
use support::{CUSTOMERS, World, model, orders, within};

const BACKED_UP: usize = 300;
const SEEN: usize = 500;

async fn open(world: &World, name: &str) -> Arc<LogStore> {
    Arc::new(LogStore::open(world.folder.path().join(name), Options::default()).await.unwrap())
}

/// The process begins again on the log `name`.
async fn restart(world: World, name: &str) -> World {
    let store = open(&world, name).await;
    World { store, ..world }
}

/// A read model at event 500 of a log that was backed up at event 300.
async fn deployed() -> (World, Arc<LogStore>) {
    let mut world = World::log().await;
    let log = open(&world, "first").await;
    world.store = log.clone();
    world.append(&orders(0, BACKED_UP, 40)).await;
    log.backup(world.folder.path().join("backup")).await.unwrap();
    let seen = world.append(&orders(BACKED_UP, SEEN - BACKED_UP, 40)).await;
    let projecting = world.project(&model()).await;
    projecting.rows_at(seen).await;
    projecting.stop().await;
    (world, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_rebuilds_a_read_model_that_is_ahead_of_the_log_or_of_another_history() {
    for others in [50, 400] {
        let world = restart(deployed().await.0, "backup").await;
        world.append(&orders(7_000, others, 11)).await;
        let projecting = world.project(&model()).await;
        let activity = projecting.handle.state().activity;
        assert!(matches!(activity, Activity::OtherHistory { .. }), "{activity:?}");

        let working = world.work(&model()).await;
        let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
        let status = working.promoted(id).await;
        assert!(!status.replay.difference.unwrap().is_none());
        let token = world.append(&orders(9_000, 20, 11)).await;
        assert_eq!(projecting.rows_at(token).await, world.fresh_fold(&model()).await);
        assert_eq!(projecting.handle.state().activity, Activity::Running);
        working.stop().await;
        projecting.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_the_backup_has_under_way_fails_when_its_candidate_has_seen_more() {
    let (world, log) = deployed().await;
    let working = world.work(&model()).await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    assert_eq!(working.settled(id).await.replay.phase, Phase::Ready);
    log.backup(world.folder.path().join("ready")).await.unwrap();
    world.append(&orders(SEEN, 50, 40)).await;
    let generations = world.generations(&model()).await;
    let candidate = id.to_string().parse().unwrap();
    generations.fold_to(candidate, Until::Head, FoldControl::default()).await.unwrap();
    working.stop().await;

    let world = restart(world, "ready").await;
    world.append(&orders(7_000, 100, 11)).await;
    let working = world.work(&model()).await;
    working.replays.promote(id, Context::new()).await.unwrap();
    let failed = within(working.replays.settled(id)).await.replay;
    assert_eq!(failed.phase, Phase::Failed);
    let reason = failed.failure.unwrap().reason;
    assert!(reason.contains("another history of the log"), "{reason}");
    working.stop().await;
}
