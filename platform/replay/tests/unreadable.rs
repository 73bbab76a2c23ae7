//! Replays that this release cannot read, because a newer one wrote to them or because they are damaged: they are listed,
//! left alone, and in nobody's way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_aggregate::Cause;
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_replay::{Phase, ReplayError, ReplayId, ReplayMode};
use annals_store::{EventStore, ReadStream};
use std::collections::BTreeMap;
use support::{CUSTOMERS, Stage, Trap, Worker, Working, World, model, orders, until, within};

const REQUESTED: &str = r#"{"read_model":"customers","from":1,"mode":"promote"}"#;

/// An event that cannot be read.
struct Poison {
    /// Whether it comes after a request that can be.
    after_a_request: bool,
    event_type: &'static str,
    version: u32,
    payload: &'static str,
    /// What the reason must say.
    reason: &'static str,
}

const fn poison(event_type: &'static str, payload: &'static str, reason: &'static str) -> Poison {
    Poison { after_a_request: false, event_type, version: 1, payload, reason }
}

impl Poison {
    const fn after_a_request(self) -> Self {
        Self { after_a_request: true, ..self }
    }

    fn events(&self) -> Vec<NewEvent> {
        let request = self.after_a_request.then(|| event("replay.requested", 1, REQUESTED));
        request.into_iter().chain([event(self.event_type, self.version, self.payload)]).collect()
    }
}

fn poisons() -> Vec<Poison> {
    const UNKNOWN_MODE: &str = r#"{"read_model":"customers","from":1,"mode":"sandbox"}"#;
    const UNKNOWN_FIELD: &str = r#"{"read_model":"customers","from":1,"mode":"promote","until":5}"#;
    const FAILED: &str = r#"{"failure":{"phase":"planned","reason":"none"}}"#;
    const NO_GENERATION: &str = r#"{"generation":"g","previous":null,"checkpoint":1}"#;
    const PROMOTED: &str =
        r#"{"generation":"019a0000-0000-7000-8000-000000000000","previous":null,"checkpoint":1}"#;
    vec![
        poison("replay.requested", "{}", "replay.requested"),
        poison("replay.requested", "no JSON", "replay.requested"),
        poison("replay.requested", UNKNOWN_MODE, "sandbox"),
        poison("replay.requested", UNKNOWN_FIELD, "until"),
        poison("replay.cancelled", "{}", "cannot happen to a replay that is unknown"),
        Poison { version: 2, ..poison("replay.cancelled", "{}", "schema version 2") }.after_a_request(),
        poison("replay.paused", "{}", "replay.paused").after_a_request(),
        poison("replay.cancelled", FAILED, "unknown field `failure`").after_a_request(),
        poison("replay.promoted", NO_GENERATION, "replay.promoted").after_a_request(),
        poison("replay.promoted", PROMOTED, "cannot happen to a replay that is requested").after_a_request(),
        poison("replay.requested", REQUESTED, "cannot happen to a replay that is requested")
            .after_a_request(),
    ]
}

fn event(event_type: &str, version: u32, payload: &'static str) -> NewEvent {
    let event = NewEvent::json(EventType::new(event_type).unwrap(), payload);
    NewEvent { schema_version: version, ..event }
}

fn stream(id: ReplayId) -> StreamName {
    StreamName::of("$replay", &id.to_string()).unwrap()
}

async fn append(store: &dyn EventStore, id: ReplayId, events: Vec<NewEvent>) {
    store.append(Append::to(stream(id), ExpectedVersion::Any, events)).await.unwrap();
}

async fn events_of(store: &dyn EventStore, id: ReplayId) -> usize {
    store.read_stream(ReadStream::forward(stream(id))).await.unwrap().events.len()
}

/// Each is listed with its reason, and whoever wants something of it is told so.
async fn assert_left_alone(working: &Working, poisoned: &BTreeMap<ReplayId, Poison>) {
    for (id, poison) in poisoned {
        let status = within(working.replays.settled(*id)).await;
        assert_eq!(status.replay.phase, Phase::Unreadable, "{}", poison.payload);
        let reason = status.replay.unreadable.unwrap();
        assert!(reason.contains(poison.reason), "{reason}");
        assert_eq!(
            status.replay.read_model.is_empty(),
            !poison.after_a_request,
            "what was said before is shown"
        );
        let replays = &working.replays;
        let request = annals_replay::ReplayRequest::new(CUSTOMERS);
        for refused in [
            replays.promote(*id, Cause::new()).await,
            replays.cancel(*id, Cause::new()).await,
            replays.roll_back(*id, Cause::new()).await,
            replays.retire(*id, Cause::new()).await,
            replays.request(*id, request, Cause::new()).await,
        ] {
            let Err(ReplayError::Unreadable { reason, .. }) = refused else { panic!("{refused:?}") };
            assert!(reason.contains(poison.reason), "{reason}");
        }
    }
    let listed = working.replays.list().into_iter().filter(|status| poisoned.contains_key(&status.id));
    assert_eq!(listed.count(), poisoned.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_replay_is_listed_with_its_reason_and_the_others_go_on() {
    let (world, model) = (World::gapped(), model());
    world.append(&orders(0, 100, 10)).await;
    let projecting = world.project(&model).await;
    let poisoned: BTreeMap<_, _> = poisons().into_iter().map(|it| (ReplayId::generate(), it)).collect();
    for (id, poison) in &poisoned {
        append(&*world.store, *id, poison.events()).await;
    }
    for _ in 0..2 {
        let working = world.work(&model).await;
        let id = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
        working.promoted(id).await;
        assert_left_alone(&working, &poisoned).await;
        working.stop().await;
    }
    for (id, poison) in &poisoned {
        assert_eq!(events_of(&*world.store, *id).await, poison.events().len(), "nothing was written to it");
    }
    projecting.stop().await;
}

/// What another release says of the replay that is being worked on.
fn another_release_pauses() -> Vec<NewEvent> {
    vec![event("replay.paused", 1, "{}")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_becomes_unreadable_is_left_and_the_next_one_is_done() {
    let (world, model) = (World::gapped(), model());
    world.append(&orders(0, 600, 50)).await;
    let projecting = world.project(&model).await;
    let live = world.generations(&model).await.live().await.unwrap().generation;
    let stage = Stage::on(world.store.clone());
    let generations = world.generations_from(&model, stage.store()).await;
    // The fold stands still between two pages, the list of replays does not.
    let working = world.work_with(Worker::on(world.store.clone(), [generations]));
    stage.only(3);
    let left = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    until("the fold waits for a page", || stage.has_waiting()).await;
    append(&*world.store, left, another_release_pauses()).await;
    until("the fold is left", || !stage.has_waiting()).await;
    assert_eq!(working.settled(left).await.replay.phase, Phase::Unreadable);
    stage.open();

    let next = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    let promoted = working.promoted(next).await.replay;
    assert_eq!(promoted.previous, Some(live), "the candidate that was left was never live");
    let shown = working.replays.status(left).unwrap().replay;
    assert_eq!((shown.phase, shown.candidate), (Phase::Unreadable, Some(left.candidate())));
    let candidate = world.generations(&model).await.find(left.candidate()).await.unwrap();
    assert!(candidate.is_some(), "the candidate that was left is still there");
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_replay_that_became_unreadable_is_not_retried() {
    let (world, model) = (World::gapped(), model());
    world.append(&orders(0, 100, 10)).await;
    let projecting = world.project(&model).await;
    let stage = Stage::on(world.store.clone());
    let generations = world.generations_from(&model, stage.store()).await;
    let working = world.work_with(Worker::on(stage.store(), [generations]));
    stage.set_trap(Trap::Before("replay.verified"));
    let left = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    stage.trapped().await;
    append(&*world.store, left, another_release_pauses()).await;
    stage.release();
    assert_eq!(working.settled(left).await.replay.phase, Phase::Unreadable);

    let next = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(next).await;
    let reads = stage.stream_reads(&stream(left));
    let another = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(another).await;
    assert_eq!(stage.stream_reads(&stream(left)), reads, "nobody is woken for it any more");
    working.stop().await;
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_first_events_retention_dropped_ends_no_worker() {
    let (world, model) = (World::gapped(), model());
    world.append(&orders(0, 100, 10)).await;
    let projecting = world.project(&model).await;
    let stage = Stage::on(world.store.clone());
    let generations = world.generations_from(&model, stage.store()).await;
    let working = world.work_with(Worker::on(stage.store(), [generations]));
    stage.set_trap(Trap::After("replay.planned"));
    let left = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    stage.trapped().await;
    stage.drop_stream(stream(left));
    stage.release();
    assert_eq!(working.settled(left).await.replay.phase, Phase::Unreadable);
    let next = working.request(CUSTOMERS, Sequence::FIRST, ReplayMode::Promote).await;
    working.promoted(next).await;
    working.stop().await;
    projecting.stop().await;
}
