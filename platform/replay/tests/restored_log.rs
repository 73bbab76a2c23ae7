//! A log that is restored from a backup: a replay mends the read model, and one that was under way is not gone on with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::Sequence;
use annals_projection::{FoldControl, Until};
use annals_replay::{Phase, ReplayId, ReplayMode, ReplayRequest, Replays};
use annals_store::{Activity, Rerouted};
use annals_store_log::{LogStore, Options};
use std::sync::Arc;
use support::{CUSTOMERS, World, model, orders, until, within};

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
async fn a_replay_rebuilds_a_read_model_ahead_of_the_log_or_of_another_history() {
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
async fn a_restored_replay_fails_if_its_candidate_is_ahead_of_the_log() {
    let (world, log) = deployed().await;
    let working = world.work(&model()).await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    assert_eq!(working.settled(id).await.replay.phase, Phase::Ready);
    log.backup(world.folder.path().join("ready")).await.unwrap();
    world.append(&orders(SEEN, 50, 40)).await;
    let generations = world.generations(&model()).await;
    let candidate = id.candidate();
    generations.fold_to(candidate, Until::Head, FoldControl::default()).await.unwrap();
    working.stop().await;

    let world = restart(world, "ready").await;
    world.append(&orders(7_000, 100, 11)).await;
    let working = world.work(&model()).await;
    working.replays.promote(id, Cause::new()).await.unwrap();
    let failed = within(working.replays.settled(id)).await.replay;
    assert_eq!(failed.phase, Phase::Failed);
    let reason = failed.failure.unwrap().reason;
    assert!(reason.contains("another history of the log"), "{reason}");
    working.stop().await;
}

/// The ids of the replays in a list, those of older ones first.
fn ids(replays: &Replays) -> Vec<ReplayId> {
    let mut ids: Vec<_> = replays.list().into_iter().map(|status| status.id).collect();
    ids.sort_unstable();
    ids
}

async fn request(store: &LogStore) -> ReplayId {
    let (replays, id) = (Replays::new(Arc::new(store.clone())), ReplayId::generate());
    let request = ReplayRequest { mode: ReplayMode::Promote, ..ReplayRequest::new(CUSTOMERS) };
    replays.request(id, request, Cause::new()).await.unwrap();
    id
}

/// In a log that ends before the place that was seen, and in one that goes beyond it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_a_running_worker_does_the_replays_of_the_restored_log() {
    for others in [0, 600] {
        let (world, log) = deployed().await;
        let kept = request(&log).await;
        log.backup(world.folder.path().join("before")).await.unwrap();
        let connection = Arc::new(Rerouted::to(LogStore::clone(&log)));
        let world = World { store: connection.clone(), ..world };
        let projecting = world.project(&model()).await;
        let working = world.work(&model()).await;
        working.promoted(kept).await;
        let lost = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Plan).await;
        working.settled(lost).await;
        world.append(&orders(5_000, 100, 11)).await;

        let restored = open(&world, "before").await;
        connection.lead_to(LogStore::clone(&restored));
        world.append(&orders(7_000, others, 11)).await;
        // As a controller in another process does, which knows the log as it is only.
        let asked = request(&restored).await;
        let status = working.promoted(asked).await;
        assert_eq!(status.replay.read_model, CUSTOMERS);
        until("the list is that of the log", || ids(&working.replays) == [kept, asked]).await;
        let token = world.append(&orders(9_000, 20, 11)).await;
        assert_eq!(projecting.rows_at(token).await, world.fresh_fold(&model()).await);
        working.stop().await;
        projecting.stop().await;
    }
}
