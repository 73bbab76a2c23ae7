//! Cancelling in each phase, rolling back, retiring.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::{Cause, Repository};
use annals_event::Sequence;
use annals_projection::{GenerationError, GenerationState, Live};
use annals_replay::{
    Phase, Replay, ReplayError, ReplayEvent, ReplayId, ReplayMode, ReplayRefused, Replays, event,
};
use std::time::Duration;
use support::{
    CUSTOMERS, Fold, Projecting, Queries, STEPS, Stage, Trap, Worker, World, model, model_of, orders, until,
    within,
};

async fn shop() -> (World, Projecting) {
    let world = World::gapped();
    let head = world.append(&orders(0, 1_000, 50)).await;
    let projecting = world.project(&model()).await;
    projecting.rows_at(head).await;
    (world, projecting)
}

async fn live(world: &World) -> Live {
    world.generations(&model()).await.live().await.unwrap()
}

/// The live generation is as it was, and of the replay only its events are left.
async fn nothing_is_left_of(world: &World, id: ReplayId, before: &(Live, Vec<std::path::PathBuf>)) {
    let generations = world.generations(&model()).await;
    assert_eq!((generations.live().await.unwrap(), world.files()), *before);
    assert_eq!(generations.list().await.unwrap().len(), 1);
    let history = world.history(id).await;
    let made = history.iter().any(|event| matches!(event, ReplayEvent::RestoringBegun(_)));
    let gone = ReplayEvent::Discarded(event::Discarded { generation: id.candidate() });
    assert_eq!(history.last() == Some(&gone), made, "{history:?}");
    assert_eq!(
        history.iter().filter(|event| matches!(event, ReplayEvent::Cancelled(event::Cancelled {}))).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_cancelled_in_any_phase_leaves_nothing_but_its_history() {
    let (world, projecting) = shop().await;
    let queries = Queries::start([projecting.handle.readers().clone()]);
    let before = (live(&world).await, world.files());
    let operator = Replays::new(world.store.clone());
    for trap in STEPS.into_iter().flat_map(|step| [Trap::Before(step), Trap::After(step)]) {
        // The worker's word on a step is held up before or after it is in the log; meanwhile somebody cancels.
        let stage = Stage::on(world.store.clone());
        stage.set_trap(trap);
        let generations = world.generations(&model()).await;
        let working = world.work_with(Worker::on(stage.store(), [generations]));
        let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
        stage.trapped().await;
        operator.cancel(id, Cause::new()).await.unwrap();
        stage.release();
        // A ready one is settled as well: what the operator said must have come here first.
        let phase = || working.replays.status(id).map(|status| status.replay.phase);
        until("the worker hears of it", || phase() == Some(Phase::Cancelled)).await;
        let replay = working.settled(id).await.replay;
        assert_eq!(replay.phase, Phase::Cancelled, "{trap:?}");
        nothing_is_left_of(&world, id, &before).await;
        working.stop().await;
    }
    queries.more(5).await;
    assert_eq!(queries.stop().await.len(), 1, "no reader ever saw a candidate");
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_replay_is_cancelled_and_its_candidate_discarded() {
    let (world, projecting) = shop().await;
    let before = (live(&world).await, world.files());
    let working = world.work(&model()).await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    assert_eq!(working.settled(id).await.replay.phase, Phase::Ready);
    assert_ne!(world.files(), before.1);
    working.replays.cancel(id, Cause::new()).await.unwrap();
    assert!(working.settled(id).await.replay.discarded);
    nothing_is_left_of(&world, id, &before).await;
    let refused = working.replays.promote(id, Cause::new()).await.unwrap_err();
    let cancelled = ReplayRefused::WrongPhase {
        phase: Phase::Cancelled,
        why: "only a ready one, whose candidate was verified, can be promoted",
    };
    assert!(matches!(refused, ReplayError::Refused { reason, .. } if reason == cancelled));
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_fold_ends_at_once_on_cancellation_and_on_shutdown() {
    let (world, projecting) = shop().await;
    let before = (live(&world).await, world.files());
    // The log gives three pages and then nothing: whoever ends now ends in the middle of the fold.
    let stage = Stage::on(world.store.clone());
    stage.only(3);
    let generations = world.generations_from(&model(), stage.store()).await;
    let worker = || Worker::on(world.store.clone(), [generations.clone()]);
    let working = world.work_with(worker());
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    until("the fold waits", || stage.has_waiting()).await;
    working.stop().await;
    let working = world.work_with(worker());
    until("the fold waits again", || stage.has_waiting()).await;
    let replay = within(async {
        loop {
            if let Some(status) = working.replays.status(id) {
                break status.replay;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(replay.await.phase, Phase::Folding, "it goes on where it was");
    working.replays.cancel(id, Cause::new()).await.unwrap();
    assert!(working.settled(id).await.replay.discarded);
    nothing_is_left_of(&world, id, &before).await;
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_the_same_fold_loses_nothing() {
    let (world, projecting) = shop().await;
    let queries = Queries::start([projecting.handle.readers().clone()]);
    let before = live(&world).await.generation;
    let working = world.work(&model()).await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(id).await;
    let head = world.append(&orders(1_000, 300, 50)).await;
    projecting.rows_at(head).await;
    working.replays.roll_back(id, Cause::new()).await.unwrap();
    let replay = working.settled(id).await.replay;
    assert_eq!(replay.phase, Phase::RolledBack);
    assert_eq!(live(&world).await.generation, before);
    let head = world.append(&orders(1_300, 300, 50)).await;
    assert_eq!(projecting.rows_at(head).await, world.fresh_fold(&model()).await);
    queries.more(5).await;
    queries.stop().await;
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_another_fold_gives_its_rows_and_says_how_far_behind() {
    let (world, projecting) = shop().await;
    let rows_before = projecting.rows_at(world.head().await).await;
    projecting.stop().await;
    let before = live(&world).await.generation;
    let new = model_of(CUSTOMERS, 2, Fold::Wrong);
    let projecting = world.project(&new).await;
    let generations = world.generations(&new).await;
    let frozen_at = generations.status(before).await.unwrap().checkpoint;
    let working = world.work(&new).await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(id).await;
    let head = world.append(&orders(1_000, 300, 50)).await;
    projecting.rows_at(head).await;

    working.replays.roll_back(id, Cause::new()).await.unwrap();
    let replay = working.settled(id).await.replay;
    assert_eq!((replay.phase, live(&world).await.generation), (Phase::RolledBack, before));
    let mut reader = projecting.handle.reader().await.unwrap();
    assert_eq!(support::rows(&mut reader).await, rows_before);
    assert_eq!(reader.checkpoint(), frozen_at);
    // The log's last event was then the very wish to roll back.
    let history = Repository::<Replay>::new(world.store.clone()).history(&id.to_string()).await.unwrap();
    let asked = history
        .iter()
        .find(|event| event.event == ReplayEvent::RollbackRequested(event::RollbackRequested {}))
        .unwrap();
    assert_eq!(replay.rolled_back_behind, Some(asked.sequence.get() - frozen_at.get()));
    drop(reader);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_retired_cannot_be_rolled_back_to_and_its_files_go() {
    let (world, projecting) = shop().await;
    let before = live(&world).await.generation;
    let stage = Stage::on(world.store.clone());
    let generations = world.generations(&model()).await;
    let working = world.work_with(Worker::on(stage.store(), [generations.clone()]));
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(id).await;
    let is_retired = async || {
        let list = generations.list().await.unwrap();
        list.iter().any(|entry| entry.id == before && entry.state == GenerationState::Retired)
    };
    stage.set_trap(Trap::Before("replay.retired"));
    working.replays.retire(id, Cause::new()).await.unwrap();
    stage.trapped().await;
    assert!(is_retired().await, "it is done before it is recorded");
    assert_eq!(working.replays.status(id).unwrap().replay.phase, Phase::Retiring);
    stage.release();
    let replay = working.settled(id).await.replay;
    assert_eq!((replay.phase, replay.discarded), (Phase::Retired, false));
    let refused = working.replays.roll_back(id, Cause::new()).await.unwrap_err();
    assert!(matches!(refused, ReplayError::Refused { .. }), "{refused}");

    let gone = generations.roll_back(before).await.unwrap_err();
    assert!(matches!(gone, GenerationError::Unusable { .. }), "{gone}");
    let file = |file: &std::path::PathBuf| file.ends_with(format!("{before}.sqlite"));
    assert!(world.files().iter().any(file), "readers may still have it open");
    assert_eq!(generations.sweep(Duration::ZERO).await.unwrap(), [before]);
    assert!(!world.files().iter().any(file));
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_what_a_later_replay_retired_fails_and_the_live_rows_stay() {
    let (world, projecting) = shop().await;
    let working = world.work(&model()).await;
    let first = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(first).await;
    let second = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(second).await;
    let before = live(&world).await;
    working.replays.roll_back(first, Cause::new()).await.unwrap();
    let replay = working.settled(first).await.replay;
    assert_eq!(replay.phase, Phase::Promoted, "as if nobody had asked");
    assert_eq!(replay.failure.unwrap().phase, Phase::RollingBack);
    assert_eq!(live(&world).await, before);

    // And the worker goes on with what is asked of it.
    working.replays.roll_back(second, Cause::new()).await.unwrap();
    assert_eq!(working.settled(second).await.replay.phase, Phase::RolledBack);
    assert_eq!(live(&world).await.generation, first.candidate());
    working.stop().await;
    projecting.stop().await;
}
