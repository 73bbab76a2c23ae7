//! What may be said of a replay, and when.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals_aggregate::{Aggregate, testing::given};
use annals_event::Sequence;
use annals_projection::{Difference, GenerationId, Plan, PlannedSnapshot, SnapshotName};
use annals_replay::{
    Failure, Phase, Replay, ReplayCommand, ReplayEvent, ReplayId, ReplayMode, ReplayRefused, event,
};
use std::sync::LazyLock;

static SNAPSHOT: LazyLock<SnapshotName> = LazyLock::new(|| SnapshotName::generate(Sequence::new(90)));
static PREVIOUS: LazyLock<GenerationId> = LazyLock::new(GenerationId::generate);
static CANDIDATE: LazyLock<GenerationId> = LazyLock::new(GenerationId::generate);

fn requested(mode: ReplayMode) -> ReplayEvent {
    ReplayEvent::Requested(event::Requested { read_model: "customers".into(), from: 100, mode })
}
fn plan() -> Plan {
    Plan {
        snapshot: Some(PlannedSnapshot { name: *SNAPSHOT, sequence: SNAPSHOT.sequence() }),
        fold_from: Sequence::new(91),
        head: Sequence::new(200),
        events: 110,
        ..Plan::default()
    }
}
fn refused(phase: Phase) -> impl FnOnce(&ReplayRefused) -> bool {
    move |error| matches!(error, ReplayRefused::WrongPhase { phase: at, .. } if *at == phase)
}

/// The events up to the phase in which the candidate is verified.
fn verifying(mode: ReplayMode) -> Vec<ReplayEvent> {
    vec![
        requested(mode),
        ReplayEvent::Planned(event::Planned { plan: plan() }),
        ReplayEvent::RestoringBegun(event::RestoringBegun { generation: *CANDIDATE, snapshot: Some(90) }),
        ReplayEvent::FoldingBegun(event::FoldingBegun { checkpoint: 90 }),
        ReplayEvent::CatchingUpBegun(event::CatchingUpBegun { checkpoint: 200 }),
        ReplayEvent::VerifyingBegun(event::VerifyingBegun { checkpoint: 205 }),
    ]
}
fn ready() -> Vec<ReplayEvent> {
    let mut events = verifying(ReplayMode::Build);
    events.push(ReplayEvent::Verified(event::Verified { difference: Difference::default() }));
    events
}
fn promoted() -> Vec<ReplayEvent> {
    let mut events = ready();
    events.push(ReplayEvent::PromotionRequested(event::PromotionRequested {}));
    events.push(ReplayEvent::Promoted(event::Promoted {
        generation: *CANDIDATE,
        previous: Some(*PREVIOUS),
        checkpoint: 210,
    }));
    events
}

#[test]
fn a_request_is_made_once_and_cannot_change() {
    let request =
        |from| ReplayCommand::Request { read_model: "customers".into(), from, mode: ReplayMode::Build };
    given::<Replay>([]).when(request(100)).then([requested(ReplayMode::Build)]);
    given::<Replay>([requested(ReplayMode::Build)]).when(request(100)).then_nothing();
    given::<Replay>([requested(ReplayMode::Build)])
        .when(request(101))
        .then_error(ReplayRefused::AlreadyRequested);
    given::<Replay>([]).when(ReplayCommand::Promote).then_error(ReplayRefused::Unknown);
}

#[test]
fn a_refused_plan_fails_the_replay_before_anything_is_touched() {
    let refusal = Plan { refusal: Some("events below 50 are gone".into()), ..plan() };
    let failure = Failure { phase: Phase::Planned, reason: "events below 50 are gone".into() };
    given::<Replay>([requested(ReplayMode::Build)]).when(ReplayCommand::Plan(refusal.clone())).then([
        ReplayEvent::Planned(event::Planned { plan: refusal }),
        ReplayEvent::Failed(event::Failed { failure }),
    ]);
}

#[test]
fn a_dry_run_is_over_once_it_is_planned() {
    let planned = |mode| given::<Replay>([requested(mode)]).when(ReplayCommand::Plan(plan()));
    let planned = |mode| planned(mode).then([ReplayEvent::Planned(event::Planned { plan: plan() })]).state();
    assert!(!planned(ReplayMode::Plan).is_due());
    assert!(planned(ReplayMode::Build).is_due());
}

#[test]
fn a_step_that_was_recorded_is_not_recorded_again() {
    given::<Replay>(verifying(ReplayMode::Build)).when(ReplayCommand::Plan(plan())).then_nothing();
    given::<Replay>(verifying(ReplayMode::Build)).when(ReplayCommand::Fold { checkpoint: 90 }).then_nothing();
    given::<Replay>([requested(ReplayMode::Build)])
        .when(ReplayCommand::Verify { checkpoint: 5 })
        .then_error_that(refused(Phase::Requested));
}

#[test]
fn the_mode_decides_what_follows_on_verifying() {
    let differs = Difference { changed: 1, ..Difference::default() };
    let after = |mode, difference: &Difference| {
        let verified = ReplayCommand::RecordVerified(difference.clone());
        let events = [ReplayEvent::Verified(event::Verified { difference: difference.clone() })];
        (given::<Replay>(verifying(mode)).when(verified), events)
    };
    for (mode, difference) in
        [(ReplayMode::Build, &Difference::default()), (ReplayMode::PromoteIfIdentical, &differs)]
    {
        let (when, [verified]) = after(mode, difference);
        assert_eq!(when.then([verified]).state().phase, Phase::Ready);
    }
    for (mode, difference) in
        [(ReplayMode::PromoteIfIdentical, &Difference::default()), (ReplayMode::Promote, &differs)]
    {
        let (when, [verified]) = after(mode, difference);
        assert_eq!(
            when.then([verified, ReplayEvent::PromotionRequested(event::PromotionRequested {})])
                .state()
                .phase,
            Phase::Promoting
        );
    }
}

#[test]
fn only_a_ready_replay_is_promoted() {
    given::<Replay>(ready())
        .when(ReplayCommand::Promote)
        .then([ReplayEvent::PromotionRequested(event::PromotionRequested {})]);
    given::<Replay>(verifying(ReplayMode::Build))
        .when(ReplayCommand::Promote)
        .then_error_that(refused(Phase::Verifying));
    given::<Replay>(promoted()).when(ReplayCommand::Promote).then_nothing();
}

#[test]
fn a_cancelled_replay_takes_no_step_but_to_discard_its_candidate() {
    let cancelled = || {
        let mut events = verifying(ReplayMode::Promote);
        events.push(ReplayEvent::Cancelled(event::Cancelled {}));
        given::<Replay>(events)
    };
    cancelled().when(ReplayCommand::Cancel).then_nothing();
    let verified = ReplayCommand::RecordVerified(Difference::default());
    cancelled().when(verified).then_error_that(refused(Phase::Cancelled));
    let discarded = ReplayEvent::Discarded(event::Discarded { generation: *CANDIDATE });
    let state = cancelled().when(ReplayCommand::RecordDiscarded).then([discarded]).state();
    assert!(!state.is_due());
}

#[test]
fn it_is_too_late_to_cancel_once_the_promotion_was_requested() {
    let mut promoting = ready();
    promoting.push(ReplayEvent::PromotionRequested(event::PromotionRequested {}));
    given::<Replay>(promoting).when(ReplayCommand::Cancel).then_error_that(refused(Phase::Promoting));
    given::<Replay>(promoted()).when(ReplayCommand::Cancel).then_error_that(refused(Phase::Promoted));
    given::<Replay>(ready()).when(ReplayCommand::Cancel).then([ReplayEvent::Cancelled(event::Cancelled {})]);
}

#[test]
fn a_promoted_replay_is_rolled_back_or_its_predecessor_is_retired() {
    given::<Replay>(ready()).when(ReplayCommand::RollBack).then_error_that(refused(Phase::Ready));
    given::<Replay>(promoted())
        .when(ReplayCommand::RollBack)
        .then([ReplayEvent::RollbackRequested(event::RollbackRequested {})])
        .when(ReplayCommand::RecordRolledBack { behind: 7 })
        .then([ReplayEvent::RolledBack(event::RolledBack { generation: *PREVIOUS, behind: 7 })])
        .when(ReplayCommand::Retire)
        .then_error_that(refused(Phase::RolledBack));
    given::<Replay>(promoted())
        .when(ReplayCommand::Retire)
        .then([ReplayEvent::RetirementRequested(event::RetirementRequested {})])
        .when(ReplayCommand::Retire)
        .then_nothing()
        .when(ReplayCommand::RecordRetired)
        .then([retired()])
        .when(ReplayCommand::RecordRetired)
        .then_nothing()
        .when(ReplayCommand::RollBack)
        .then_error_that(refused(Phase::Retired));
    let retiring =
        [promoted(), vec![ReplayEvent::RetirementRequested(event::RetirementRequested {})]].concat();
    given::<Replay>(retiring).when(ReplayCommand::RollBack).then_error_that(refused(Phase::Retiring));
}

fn retired() -> ReplayEvent {
    ReplayEvent::Retired(event::Retired { generation: *PREVIOUS })
}

#[test]
fn a_previous_generation_that_cannot_be_retired_stays_the_way_back() {
    let failed = ReplayCommand::FailRetirement { reason: "it is live".into() };
    let state = given::<Replay>(promoted())
        .when(ReplayCommand::Retire)
        .then([ReplayEvent::RetirementRequested(event::RetirementRequested {})])
        .when(failed.clone())
        .then([ReplayEvent::RetirementFailed(event::RetirementFailed { reason: "it is live".into() })])
        .when(failed)
        .then_nothing()
        .when(ReplayCommand::RollBack)
        .then([ReplayEvent::RollbackRequested(event::RollbackRequested {})])
        .state();
    assert_eq!((state.phase, state.failure), (Phase::RollingBack, None));
}

#[test]
fn a_replay_that_an_earlier_build_retired_reads_as_it_was_meant() {
    let after = |events: &[ReplayEvent]| given::<Replay>([promoted(), events.to_vec()].concat());
    let state = after(&[retired()]).when(ReplayCommand::RecordRetired).then([retired()]).state();
    assert_eq!(state.phase, Phase::Retired, "the worker of today finished what was decided");
    let generation = *PREVIOUS;
    let gone = ReplayEvent::Discarded(event::Discarded { generation });
    let state = after(&[retired(), gone]).when(ReplayCommand::RecordRetired).then_nothing().state();
    assert_eq!((state.phase, state.is_due(), state.discarded), (Phase::Retired, false, false));
    let reason = "it is live".to_owned();
    let kept = ReplayEvent::DiscardFailed(event::DiscardFailed { generation, reason: reason.clone() });
    let state = after(&[retired(), kept])
        .when(ReplayCommand::FailRetirement { reason: reason.clone() })
        .then_nothing()
        .state();
    assert_eq!((state.phase, state.is_due(), state.discard_failure), (Phase::Promoted, false, None));
    assert_eq!(state.failure, Some(Failure { phase: Phase::Retiring, reason }));
}

#[test]
fn a_step_on_a_generation_that_no_event_names_is_refused() {
    for (phase, done) in [
        (Phase::Promoting, ReplayCommand::RecordPromoted { previous: None, checkpoint: 5 }),
        (Phase::RollingBack, ReplayCommand::RecordRolledBack { behind: 0 }),
        (Phase::Retiring, ReplayCommand::RecordRetired),
    ] {
        let refusal = Replay { phase, ..Replay::default() }.decide(done).unwrap_err();
        assert_eq!(refusal, ReplayRefused::WrongPhase { phase, why: "its events name no generation" });
    }
}

#[test]
fn a_rollback_that_is_not_possible_leaves_what_was_promoted() {
    let failed = ReplayCommand::FailRollback { reason: "it is gone".into() };
    let state = given::<Replay>(promoted())
        .when(ReplayCommand::RollBack)
        .then([ReplayEvent::RollbackRequested(event::RollbackRequested {})])
        .when(failed.clone())
        .then([ReplayEvent::RollbackFailed(event::RollbackFailed { reason: "it is gone".into() })])
        .when(failed)
        .then_nothing()
        .state();
    assert_eq!((state.phase, state.is_due()), (Phase::Promoted, false));
    assert_eq!(state.failure.unwrap().reason, "it is gone");
}

#[test]
fn an_impossible_promotion_fails_the_replay_and_discards_its_candidate() {
    let mut promoting = ready();
    promoting.push(ReplayEvent::PromotionRequested(event::PromotionRequested {}));
    let failure = Failure { phase: Phase::Promoting, reason: "other fold".into() };
    given::<Replay>(promoting)
        .when(ReplayCommand::Fail { phase: Phase::Folding, reason: "a slower worker's".into() })
        .then_nothing()
        .when(ReplayCommand::Fail { phase: Phase::Promoting, reason: "other fold".into() })
        .then([ReplayEvent::Failed(event::Failed { failure })])
        .when(ReplayCommand::RecordDiscarded)
        .then([ReplayEvent::Discarded(event::Discarded { generation: *CANDIDATE })]);
}

#[test]
fn only_a_ready_replay_is_superseded_and_its_candidate_is_discarded() {
    let by = ReplayId::generate();
    let supersede = || ReplayCommand::Supersede { by };
    given::<Replay>(promoted()).when(supersede()).then_error_that(refused(Phase::Promoted));
    let state = given::<Replay>(ready())
        .when(supersede())
        .then([ReplayEvent::Superseded(event::Superseded { by: by.to_string() })])
        .when(ReplayCommand::RecordDiscarded)
        .then([ReplayEvent::Discarded(event::Discarded { generation: *CANDIDATE })])
        .state();
    assert!(!state.is_due());
}

#[test]
fn a_generation_that_cannot_be_discarded_is_not_tried_for_ever() {
    let mut cancelled = ready();
    cancelled.push(ReplayEvent::Cancelled(event::Cancelled {}));
    let failed = ReplayCommand::FailDiscard { reason: "it is live".into() };
    let event = ReplayEvent::DiscardFailed(event::DiscardFailed {
        generation: *CANDIDATE,
        reason: "it is live".into(),
    });
    let state =
        given::<Replay>(cancelled).when(failed.clone()).then([event]).when(failed).then_nothing().state();
    assert!(!state.is_due());
}

#[test]
fn a_promotion_without_a_previous_generation_cannot_be_undone() {
    let mut promoted = ready();
    promoted.push(ReplayEvent::PromotionRequested(event::PromotionRequested {}));
    promoted.push(ReplayEvent::Promoted(event::Promoted {
        generation: *CANDIDATE,
        previous: None,
        checkpoint: 210,
    }));
    given::<Replay>(promoted.clone()).when(ReplayCommand::RollBack).then_error_that(refused(Phase::Promoted));
    given::<Replay>(promoted).when(ReplayCommand::Retire).then_error_that(refused(Phase::Promoted));
}
