//! Replays on the real thing: what is rebuilt, while it is read and while the log grows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::Sequence;
use annals_projection::Readers;
use annals_replay::{Phase, ReplayError, ReplayId, ReplayMode, ReplayRefused, ReplayRequest, Replays};
use std::sync::Arc;
use support::{
    CUSTOMERS, Fold, PAGE_EVENTS, Queries, Stage, Trap, Worker, World, Writing, model, model_of, orders,
    until, within,
};

/// From the first event, from the middle, and from what was the last event and one of the next when the log grew on.
async fn replays_leave_the_rows_as_they_are(world: World) {
    let (world, model) = (Arc::new(world), model());
    let projecting = world.project(&model).await;
    let middle = world.append(&orders(0, 1_000, 100)).await;
    projecting.rows_at(middle).await;
    let generations = world.generations(&model).await;
    let snapshot = generations.take_snapshot().await.unwrap();
    let head = world.append(&orders(1_000, 1_000, 100)).await;
    projecting.rows_at(head).await;

    let working = world.work(&model).await;
    let elsewhere = Readers::new(world.catalog().await, model.clone());
    let queries = Queries::start([projecting.handle.readers().clone(), elsewhere]);
    let writing = Writing::start(&world);
    let mut lives = vec![generations.live().await.unwrap().generation];
    for from in [Sequence::FIRST, middle.plus(20), head, head.plus(10)] {
        queries.more(10).await;
        world.head_at_least(from).await;
        let id = working.request(CUSTOMERS, from, ReplayMode::PromoteIfIdentical).await;
        let replay = working.promoted(id).await.replay;
        let plan = replay.plan.unwrap();
        let expected = (from != Sequence::FIRST).then_some((snapshot.name, middle));
        assert_eq!(plan.snapshot.map(|found| (found.name, found.sequence)), expected);
        let difference = replay.difference.unwrap();
        assert!(difference.is_none() && difference.samples.is_empty(), "{difference:?}");
        assert_eq!(difference.same, 130, "100 customers and 30 days were compared");
        assert!(difference.complete_events >= 2_000 && difference.sequence >= head);
        let live = generations.live().await.unwrap();
        assert_eq!(live.generation, id.candidate());
        assert_eq!(replay.previous, lives.last().copied());
        lives.push(live.generation);
    }
    queries.more(10).await;
    let head = writing.stop().await;
    assert_eq!(projecting.rows_at(head).await, world.fresh_fold(&model).await);
    let seen = queries.stop().await;
    assert!(lives.iter().all(|live| seen.contains(live)), "the readers saw every generation");
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_on_a_gapped_log_keep_the_rows_while_reads_and_writes_go_on() {
    replays_leave_the_rows_as_they_are(World::gapped()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_on_the_embedded_log_keep_the_rows_while_reads_and_writes_go_on() {
    replays_leave_the_rows_as_they_are(World::log().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_plans_and_creates_nothing() {
    let (world, model) = (World::gapped(), model());
    let middle = world.append(&orders(0, 600, 50)).await;
    let projecting = world.project(&model).await;
    projecting.rows_at(middle).await;
    let generations = world.generations(&model).await;
    let (older, newer) =
        (generations.take_snapshot().await.unwrap(), generations.take_snapshot().await.unwrap());
    let head = world.append(&orders(600, 400, 50)).await;
    projecting.rows_at(head).await;
    flip_a_bit(&world, &format!("{}.rows.zst", newer.name));

    let (files, entries) = (world.files(), generations.list().await.unwrap().len());
    let working = world.work(&model).await;
    let id = working.request(CUSTOMERS, head, ReplayMode::Plan).await;
    let plan = within(working.replays.planned(id)).await.unwrap();
    assert_eq!(plan.snapshot.unwrap().name, older.name);
    assert_eq!(plan.passed_over[0].name, newer.name);
    assert_eq!((plan.fold_from, plan.refusal), (middle.next(), None));
    assert_eq!(plan.events, 400, "the request itself is in the log and is no event of the read model");
    assert!(plan.log_bytes > 0 && plan.disk_bytes > 0);
    assert_eq!(working.settled(id).await.replay.phase, Phase::Planned);
    assert_eq!((world.files(), generations.list().await.unwrap().len()), (files, entries));
    working.stop().await;
    projecting.stop().await;
}

fn flip_a_bit(world: &World, name: &str) {
    let file = world.files().into_iter().find(|file| file.ends_with(name)).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_where_a_worker_runs_names_a_read_model_that_it_hosts() {
    let (world, model) = (World::gapped(), model());
    let projecting = world.project(&model).await;
    let working = world.work(&model).await;
    let request = ReplayRequest::new("unknown");
    let refused = working.replays.request(ReplayId::generate(), request, Cause::new()).await.unwrap_err();
    let ReplayError::UnknownReadModel { hosted, .. } = &refused else { panic!("{refused}") };
    assert_eq!(hosted, &[CUSTOMERS]);
    assert!(refused.to_string().ends_with("there are: customers"), "{refused}");
    assert!(working.replays.list().is_empty());
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_candidate_of_a_read_model_supersedes_the_one_that_waits() {
    let (world, model) = (World::gapped(), model());
    world.append(&orders(0, 100, 10)).await;
    let projecting = world.project(&model).await;
    let stage = Stage::on(world.store.clone());
    let generations = world.generations_from(&model, stage.store()).await;
    let working = world.work_with(Worker::on(stage.store(), [generations]));
    let older = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    assert_eq!(working.settled(older).await.replay.phase, Phase::Ready);
    // The worker dies when the newer one is ready and the older one is still there.
    stage.set_trap(Trap::Before("replay.superseded"));
    let newer = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    stage.trapped().await;
    assert_eq!(working.replays.status(newer).unwrap().replay.phase, Phase::Ready);
    working.kill().await;

    let working = world.work(&model).await;
    let generations = world.generations(&model).await;
    let find = async |id: ReplayId| generations.find(id.candidate()).await.unwrap();
    let phase = || working.replays.status(older).map(|status| status.replay.phase);
    until("the older one is superseded", || phase() == Some(Phase::Superseded)).await;
    let replay = working.settled(older).await.replay;
    assert_eq!((replay.phase, replay.superseded_by), (Phase::Superseded, Some(newer.to_string())));
    let refused = working.replays.promote(older, Cause::new()).await.unwrap_err();
    assert!(refused.to_string().contains("superseded"), "{refused}");
    assert!(find(older).await.is_none() && find(newer).await.is_some());
    working.replays.promote(newer, Cause::new()).await.unwrap();
    working.promoted(newer).await;
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test]
async fn senseless_requests_are_refused_and_answers_do_not_wait_for_the_log() {
    let world = World::gapped();
    let replays = Replays::new(world.store.clone());
    let id = ReplayId::generate();
    let request = |read_model: &str, from| {
        let mut request = ReplayRequest::new(read_model);
        request.from = Sequence::new(from);
        replays.request(id, request, Cause::new())
    };
    assert!(matches!(request(CUSTOMERS, 0).await, Err(ReplayError::Invalid(_))));
    assert!(matches!(request("", 1).await, Err(ReplayError::Invalid(_))));
    let head = world.append(&orders(0, 10, 5)).await;
    let beyond = request(CUSTOMERS, head.get() + 1).await.unwrap_err().to_string();
    assert!(beyond.contains(&format!("the log ends at {head}")), "{beyond}");
    let refused = replays.cancel(id, Cause::new()).await.unwrap_err();
    assert!(matches!(refused, ReplayError::Refused { reason: ReplayRefused::Unknown, .. }), "{refused}");
    assert_eq!(replays.status(id), None);

    // Nobody follows the log here, and yet what is said is seen at once.
    request(CUSTOMERS, 1).await.unwrap();
    assert_eq!(replays.status(id).unwrap().replay.phase, Phase::Requested);
    request(CUSTOMERS, 1).await.unwrap();
    assert!(matches!(request(CUSTOMERS, 2).await, Err(ReplayError::Refused { .. })));
    replays.cancel(id, Cause::new()).await.unwrap();
    assert_eq!(within(replays.settled(id)).await.replay.phase, Phase::Cancelled);
    assert_eq!(replays.list().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_needs_dropped_events_is_refused_and_touches_nothing() {
    let (world, model) = (World::gapped(), model());
    let first = world.append(&orders(0, 300, 50)).await;
    let head = world.append(&orders(300, 300, 50)).await;
    let projecting = world.project(&model).await;
    let before = projecting.rows_at(head).await;
    let stage = Stage::on(world.store.clone());
    stage.begin_at(first);
    let generations = world.generations_from(&model, stage.store()).await;
    let (live, files) = (generations.live().await.unwrap(), world.files());

    let working = world.work_with(Worker::on(world.store.clone(), [generations.clone()]));
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    let refused = within(working.replays.planned(id)).await.unwrap_err().replay;
    let refusal = refused.plan.unwrap().refusal.unwrap();
    assert!(refusal.contains(&format!("which now begins at sequence number {first}")), "{refusal}");
    assert_eq!((refused.phase, refused.candidate), (Phase::Failed, None));
    assert_eq!((generations.live().await.unwrap(), world.files()), (live, files));
    assert_eq!(projecting.rows_at(head).await, before);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_from_a_snapshot_needs_nothing_that_retention_dropped() {
    let (world, model) = (World::gapped(), model());
    let early = world.append(&orders(0, 300, 50)).await;
    let projecting = world.project(&model).await;
    projecting.rows_at(early).await;
    let earlier = world.work(&model).await;
    let forgotten = earlier.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Plan).await;
    earlier.settled(forgotten).await;
    earlier.stop().await;
    projecting.rows_at(world.store.head().await.unwrap().last).await;
    let snapshot = world.generations(&model).await.take_snapshot().await.unwrap();
    let head = world.append(&orders(300, 300, 50)).await;
    let before = projecting.rows_at(head).await;
    let stage = Stage::on(world.store.clone());
    stage.begin_at(snapshot.checkpoint().next());

    // The worker too finds a log that begins in the middle.
    let generations = world.generations_from(&model, stage.store()).await;
    let working = world.work_with(Worker::on(stage.store(), [generations.clone()]));
    let id = working.request(CUSTOMERS, snapshot.checkpoint().next(), ReplayMode::Promote).await;
    let replay = working.settled(id).await.replay;
    assert_eq!((replay.phase, replay.failure), (Phase::Promoted, None));
    assert_eq!(replay.difference.unwrap().complete_events, 300, "those that are still there");
    assert_eq!(generations.live().await.unwrap().generation, id.candidate());
    assert_eq!(projecting.rows_at(head).await, before);
    assert_eq!(working.replays.status(forgotten), None, "half a replay is none");
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_without_room_on_the_disk_is_refused_and_touches_nothing() {
    let (world, model) = (World::gapped(), model());
    let head = world.append(&orders(0, 300, 50)).await;
    let projecting = world.project(&model).await;
    projecting.rows_at(head).await;
    projecting.stop().await;
    let generations = world.generations(&model).await;
    let free = generations.plan(Sequence::FIRST).await.unwrap().disk_bytes_free.unwrap();
    let (live, files) = (generations.live().await.unwrap(), world.files());
    // As large as what is free, without taking any of it: its end is a hole.
    let file = files.iter().find(|file| file.ends_with(format!("{}.sqlite", live.generation))).unwrap();
    std::fs::File::options().write(true).open(file).unwrap().set_len(free).unwrap();

    let working = world.work(&model).await;
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    let refused = within(working.replays.planned(id)).await.unwrap_err().replay;
    let refusal = refused.plan.unwrap().refusal.unwrap();
    assert!(refusal.contains("bytes of disk") && refusal.contains("make room"), "{refusal}");
    assert_eq!((refused.phase, refused.candidate), (Phase::Failed, None));
    assert_eq!((generations.live().await.unwrap(), world.files()), (live, files));
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_dropped_while_they_are_folded_fail_the_replay_and_nothing_else() {
    let (world, model) = (World::gapped(), model());
    let head = world.append(&orders(0, 2_000, 50)).await;
    let projecting = world.project(&model).await;
    let before = projecting.rows_at(head).await;
    let stage = Stage::on(world.store.clone());
    let generations = world.generations_from(&model, stage.store()).await;
    let live = generations.live().await.unwrap();
    stage.only(3);
    let working = world.work_with(Worker::on(world.store.clone(), [generations.clone()]));
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    until("the fold waits", || stage.has_waiting()).await;
    stage.begin_at(head);
    stage.open();
    let failed = working.settled(id).await.replay;
    assert_eq!((failed.phase, failed.discarded), (Phase::Failed, true));
    assert_eq!(failed.failure.unwrap().phase, Phase::Folding);
    assert_eq!(generations.live().await.unwrap(), live);
    assert_eq!(generations.list().await.unwrap().len(), 1, "the candidate is gone");
    assert_eq!(projecting.rows_at(head).await, before);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replays_of_one_read_model_run_one_after_the_other() {
    let (world, model) = (World::gapped(), model());
    let head = world.append(&orders(0, 1_000, 50)).await;
    let projecting = world.project(&model).await;
    let stage = Stage::on(world.store.clone());
    stage.only(2);
    let generations = world.generations_from(&model, stage.store()).await;
    let working = world.work_with(Worker::on(world.store.clone(), [generations]));
    let first = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    let second = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await;
    until("the first is being folded", || stage.has_waiting()).await;
    assert_eq!(working.replays.status(second).unwrap().replay.phase, Phase::Requested);
    stage.open();
    let (first, second) = (working.promoted(first).await, working.promoted(second).await);
    assert_eq!(second.replay.previous, first.replay.candidate, "it came after the first");
    assert_eq!(projecting.rows_at(head).await, world.fresh_fold(&model).await);
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_of_two_read_models_run_at_the_same_time() {
    let world = World::gapped();
    let (one, two) = (model(), model_of("customers-2", 1, Fold::Right));
    world.append(&orders(0, 1_000, 50)).await;
    let (first, second) = (world.project(&one).await, world.project(&two).await);
    let stages = [Stage::on(world.store.clone()), Stage::on(world.store.clone())];
    stages.iter().for_each(|stage| stage.only(2));
    let generations = [
        world.generations_from(&one, stages[0].store()).await,
        world.generations_from(&two, stages[1].store()).await,
    ];
    let working = world.work_with(Worker::on(world.store.clone(), generations));
    let ids = [
        working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::PromoteIfIdentical).await,
        working.request("customers-2", Sequence::FIRST, ReplayMode::PromoteIfIdentical).await,
    ];
    // Both wait in the middle of their folds.
    until("both are being folded", || stages.iter().all(Stage::has_waiting)).await;
    stages.iter().for_each(Stage::open);
    for id in ids {
        working.promoted(id).await;
    }
    working.stop().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_grows_with_a_rate_and_the_time_left_and_ends_at_its_total() {
    let (world, model) = (World::gapped(), model());
    world.append(&orders(0, 1_000, 50)).await;
    let projecting = world.project(&model).await;
    let stage = Stage::on(world.store.clone());
    // The last step before the end is held, so that the progress of the fold can be read.
    let steps = Stage::on(world.store.clone());
    steps.set_trap(Trap::Before("replay.verified"));
    // Ten pages are the whole log: the nine that are read below are not.
    stage.only(1);
    let generations = world.generations_from(&model, stage.store()).await;
    let working = world.work_with(Worker::on(steps.store(), [generations]));
    let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Build).await;
    let progress = || working.replays.status(id).and_then(|status| status.progress);
    let mut last = 0;
    for _ in 0..8 {
        stage.let_read(1);
        until("progress", || progress().is_some_and(|now| now.done > last)).await;
        let now = progress().unwrap();
        assert!(now.done < now.total, "{now:?}");
        assert!(now.events_per_second > 0.0 && now.remaining_ms.is_some(), "{now:?}");
        last = now.done;
    }
    assert!(last >= u64::try_from(PAGE_EVENTS * 8).unwrap());
    stage.open();
    steps.trapped().await;
    let end = progress().unwrap();
    assert_eq!((end.done, end.remaining_ms), (end.total, Some(0)));
    assert_eq!(working.replays.status(id).unwrap().replay.phase, Phase::Verifying);
    working.kill().await;
    projecting.stop().await;
}
