//! What a replay's events store, byte by byte, in `tests/golden`: also what they take over of a read model's plan and
//! differences.

#![allow(clippy::unwrap_used, reason = "tests")]

use annals_aggregate::testing::golden;
use annals_event::Sequence;
use annals_projection::{
    Difference, GenerationId, PassedOver, Plan, PlannedSnapshot, RowSample, SnapshotName,
};
use annals_replay::{Failure, Phase, ReplayEvent, ReplayMode, event};

const GENERATION: &str = "019a0000-0000-7000-8000-000000000001";
const PREVIOUS: &str = "019a0000-0000-7000-8000-000000000002";

fn generation(id: &str) -> GenerationId {
    id.parse().unwrap()
}

fn snapshot(sequence: u64) -> SnapshotName {
    format!("{sequence:020}-019a0000-0000-7000-8000-000000000003").parse().unwrap()
}

fn plan() -> Plan {
    Plan {
        snapshot: Some(PlannedSnapshot { name: snapshot(40), sequence: Sequence::new(40) }),
        passed_over: vec![PassedOver { name: snapshot(60), reason: "it is damaged".into() }],
        fold_from: Sequence::new(41),
        head: Sequence::new(90),
        events: 30,
        log_bytes: 3_000,
        disk_bytes: 5_000,
        disk_bytes_free: Some(4_000),
        estimated_ms: Some(7),
        refusal: Some("the disk has no room".into()),
    }
}

fn difference() -> Difference {
    let sample = RowSample {
        table: "account".into(),
        key: "ann".into(),
        live: Some("1".into()),
        candidate: Some("2".into()),
    };
    Difference {
        sequence: Sequence::new(90),
        added: 1,
        removed: 2,
        changed: 3,
        same: 4,
        complete_events: 30,
        log_events: 30,
        samples: vec![sample],
    }
}

fn building() -> Vec<ReplayEvent> {
    let read_model = "customers".to_owned();
    let generation = generation(GENERATION);
    vec![
        ReplayEvent::Requested(event::Requested {
            read_model,
            from: 41,
            mode: ReplayMode::PromoteIfIdentical,
        }),
        ReplayEvent::Planned(event::Planned { plan: plan() }),
        ReplayEvent::RestoringBegun(event::RestoringBegun { generation, snapshot: Some(40) }),
        ReplayEvent::FoldingBegun(event::FoldingBegun { checkpoint: 40 }),
        ReplayEvent::CatchingUpBegun(event::CatchingUpBegun { checkpoint: 80 }),
        ReplayEvent::VerifyingBegun(event::VerifyingBegun { checkpoint: 90 }),
        ReplayEvent::Verified(event::Verified { difference: difference() }),
    ]
}

fn ending() -> Vec<ReplayEvent> {
    let (generation, previous) = (generation(GENERATION), generation(PREVIOUS));
    let reason = || "it is gone".to_owned();
    let failure = Failure { phase: Phase::CatchingUp, reason: reason() };
    vec![
        ReplayEvent::PromotionRequested(event::PromotionRequested {}),
        ReplayEvent::Promoted(event::Promoted { generation, previous: Some(previous), checkpoint: 91 }),
        ReplayEvent::RollbackRequested(event::RollbackRequested {}),
        ReplayEvent::RolledBack(event::RolledBack { generation: previous, behind: 3 }),
        ReplayEvent::RollbackFailed(event::RollbackFailed { reason: reason() }),
        ReplayEvent::RetirementRequested(event::RetirementRequested {}),
        ReplayEvent::Retired(event::Retired { generation: previous }),
        ReplayEvent::RetirementFailed(event::RetirementFailed { reason: reason() }),
        ReplayEvent::Cancelled(event::Cancelled {}),
        ReplayEvent::Superseded(event::Superseded { by: "019a0000-0000-7000-8000-000000000004".into() }),
        ReplayEvent::Discarded(event::Discarded { generation }),
        ReplayEvent::DiscardFailed(event::DiscardFailed { generation, reason: reason() }),
        ReplayEvent::Failed(event::Failed { failure }),
    ]
}

#[test]
fn stored_events_of_replays_stay_readable() {
    golden("tests/golden", building().into_iter().chain(ending()));
}
