//! What a replay waits for, and who waits for a replay.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::{LogId, Sequence, StreamName};
use annals_replay::{Phase, ReplayEvent, ReplayId, ReplayMode, ReplayRequest, Replays, Waiting};
use annals_store::{Activity, ReadError, ReadStream};
use support::{CUSTOMERS, Stage, Worker, World, model, orders, until, within};

fn stream(id: ReplayId) -> StreamName {
    StreamName::of("$replay", &id.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_read_model_without_a_host_says_what_it_waits_for() {
    let (world, model) = (World::gapped(), model());
    let projecting = world.project(&model).await;
    let working = world.work(&model).await;
    let (elsewhere, unknown) = (Replays::new(world.store.clone()), ReplayId::generate());
    elsewhere.request(unknown, ReplayRequest::new("unknown"), Cause::new()).await.unwrap();
    let asked = elsewhere.status(unknown).unwrap();
    assert_eq!((asked.replay.phase, asked.waiting), (Phase::Requested, None), "no worker can know of it yet");
    let hosted = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Plan).await;
    working.settled(hosted).await;
    let status = working.replays.status(unknown).unwrap();
    assert_eq!((status.replay.phase, status.waiting), (Phase::Requested, Some(Waiting::Worker)));
    let recorded = world.store.read_stream(ReadStream::forward(stream(unknown))).await.unwrap();
    assert_eq!(status.since, Some(recorded.events.first().unwrap().recorded_at()));
    working.replays.cancel(unknown, Cause::new()).await.unwrap();
    let status = working.settled(unknown).await;
    assert_eq!((status.replay.phase, status.waiting), (Phase::Cancelled, None));
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_replay_follows_the_log_itself() {
    let (world, model) = (World::gapped(), model());
    let head = world.append(&orders(0, 100, 10)).await;
    let projecting = world.project(&model).await;
    projecting.rows_at(head).await;
    let working = world.work(&model).await;
    // Of another process: nothing runs here.
    let operator = Replays::new(world.store.clone());
    let id = ReplayId::generate();
    let request = ReplayRequest { mode: ReplayMode::Promote, ..ReplayRequest::new(CUSTOMERS) };
    operator.request(id, request, Cause::new()).await.unwrap();
    let (one, other) = tokio::join!(within(operator.settled(id)), within(operator.planned(id)));
    assert_eq!(one.replay.phase, Phase::Promoted);
    assert!(other.unwrap().head >= head);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_in_any_phase_is_waited_for() {
    waited_for(ReadError::Unavailable { reason: "it is away".into() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_another_log_in_any_phase_is_waited_for() {
    waited_for(ReadError::OtherLog { wanted: LogId::generate(), found: LogId::generate() }).await;
}

async fn waited_for(error: ReadError) {
    let (world, model) = (World::gapped(), model());
    let head = world.append(&orders(0, 1_000, 50)).await;
    let shared = Stage::on(world.store.clone());
    let projecting = world.project_from(&model, shared.store()).await;
    let generations = world.generations_from(&model, shared.store()).await;
    let working = world.work_with(Worker::on(world.store.clone(), [generations]));

    // Away from the start: the plan has to wait.
    shared.leave(&error);
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    until("the plan was refused", || shared.refused() >= 5).await;
    assert_eq!(working.replays.status(id).unwrap().replay.phase, Phase::Requested);
    // Away in the middle of the fold, for the projector as well.
    shared.only(3);
    shared.come_back();
    until("the fold waits", || working.replays.status(id).unwrap().replay.phase == Phase::Folding).await;
    until("the fold waits", || shared.has_waiting()).await;
    let refused = shared.refused();
    shared.leave(&error);
    shared.open();
    until("the fold was refused", || shared.refused() >= refused + 5).await;
    assert_eq!(working.replays.status(id).unwrap().replay.phase, Phase::Folding);
    shared.come_back();
    working.promoted(id).await;
    let head = world.append(&orders(1_000, 100, 50)).await.max(head);
    assert_eq!(projecting.rows_at(head).await, world.fresh_fold(&model).await);
    let promoted = |event: &ReplayEvent| matches!(event, ReplayEvent::Promoted(_));
    assert_eq!(world.history(id).await.iter().filter(|event| promoted(event)).count(), 1);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_replays_goes_on_once_the_right_log_is_back() {
    let (world, model) = (World::gapped(), model());
    let stage = Stage::on(world.store.clone());
    let followed = world.work_with(Worker::on(stage.store(), []));
    let state = || followed.replays.state().activity;
    until("the log is followed", || state() == Activity::Running).await;
    stage.leave(&ReadError::OtherLog { wanted: LogId::generate(), found: LogId::generate() });
    let asking = world.work(&model).await;
    world.append(&orders(0, 10, 5)).await;
    let id = asking.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    until("the other log is noticed", || matches!(state(), Activity::OtherHistory { .. })).await;
    stage.come_back();
    until("the replay is listed", || followed.replays.status(id).is_some()).await;
    until("the log is followed", || state() == Activity::Running).await;
    asking.stop().await;
    followed.stop().await;
}
