//! Snapshots are taken, found, refused when anything in them changed, and restored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::Sequence;
use annals_projection::{
    FoldControl, FoldStopped, GenerationError, GenerationId, Generations, Origin, PlannedSnapshot,
    SnapshotManifest, SnapshotPolicy, Until,
};
use annals_store::EventStore;
use std::{fs, path::PathBuf, time::Duration};
use support::{Accounts, PATIENCE, Running, World, append, fresh_fold, model, model_with, rows, sales};

fn begins_with(manifest: &SnapshotManifest) -> Option<PlannedSnapshot> {
    Some(PlannedSnapshot { name: manifest.name, sequence: manifest.checkpoint() })
}

fn files(world: &World, manifest: &SnapshotManifest) -> [PathBuf; 2] {
    let folder = world.folder.path().join("snapshots/till");
    [folder.join(format!("{}.json", manifest.name)), folder.join(format!("{}.rows.zst", manifest.name))]
}

async fn fold_all(world: &World, model: &annals_projection::ReadModel) -> Running {
    let running = world.start(model).await;
    let head = world.store.head().await.unwrap().last;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    running
}

async fn snapshot_after(world: &World, generations: &Generations, events: usize) -> SnapshotManifest {
    append(&world.store, &sales(events, 40)).await;
    fold_all(world, generations.model()).await.stop().await;
    generations.take_snapshot().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_restored_from_a_snapshot_and_folded_equals_a_fresh_fold() {
    let world = World::new();
    let model = model();
    let generations = world.generations(&model).await;
    let snapshot = snapshot_after(&world, &generations, 800).await;
    assert_eq!(snapshot.applied_count, 800);
    append(&world.store, &sales(900, 40)).await;
    let running = fold_all(&world, &model).await;

    let id = GenerationId::generate();
    let created = generations.create(id, Origin::Snapshot(snapshot.name)).await.unwrap();
    assert_eq!(created.checkpoint, snapshot.checkpoint());
    let again = generations.create(id, Origin::Empty).await.unwrap();
    assert_eq!(again.checkpoint, snapshot.checkpoint(), "making it twice does nothing");
    let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    assert_eq!(folded.stopped, FoldStopped::Reached);
    assert!(generations.completeness(id).await.unwrap().is_complete());
    generations.promote(id).await.unwrap();
    let mut reader = running.handle.reader().await.unwrap();
    assert_eq!(reader.generation(), id);
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model).await);
    drop(reader);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_with_a_flipped_bit_is_refused_and_the_one_before_it_is_used() {
    let world = World::new();
    let generations = world.generations(&model()).await;
    let older = snapshot_after(&world, &generations, 200).await;
    let newer = snapshot_after(&world, &generations, 60).await;
    let plan = generations.plan(Sequence::MAX).await.unwrap();
    assert_eq!(plan.snapshot, begins_with(&newer));
    assert!(plan.passed_over.is_empty());

    for file in files(&world, &newer) {
        let intact = fs::read(&file).unwrap();
        // Every bit of the manifest; of the larger file one bit in each of many places.
        let step = if file.extension().unwrap() == "json" { 1 } else { intact.len() * 8 / 400 + 1 };
        for bit in (0..intact.len() * 8).step_by(step) {
            let mut damaged = intact.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &damaged).unwrap();
            let refused = generations.snapshots().verify(newer.name).await.unwrap_err().to_string();
            assert!(refused.contains(&newer.name.to_string()), "{refused}");
        }
        fs::write(&file, &intact[..intact.len() - 1]).unwrap();
        assert!(generations.snapshots().verify(newer.name).await.is_err(), "cut off");

        let plan = generations.plan(Sequence::MAX).await.unwrap();
        assert_eq!(plan.snapshot, begins_with(&older));
        assert_eq!(plan.passed_over.len(), 1);
        assert_eq!(plan.passed_over[0].name, newer.name);
        let restored = generations.create(GenerationId::generate(), Origin::Snapshot(newer.name)).await;
        assert!(restored.unwrap_err().to_string().contains(&newer.name.to_string()));
        fs::write(&file, &intact).unwrap();
    }
    generations.snapshots().verify(newer.name).await.unwrap();
    fs::remove_file(&files(&world, &newer)[1]).unwrap();
    let refused = generations.snapshots().verify(newer.name).await.unwrap_err().to_string();
    assert!(refused.contains("missing"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_takes_the_newest_snapshot_below_and_says_why_not_the_others() {
    let world = World::new();
    let generations = world.generations(&model()).await;
    let first = snapshot_after(&world, &generations, 100).await;
    let second = snapshot_after(&world, &generations, 100).await;

    let plan = generations.plan(second.checkpoint().next()).await.unwrap();
    assert_eq!(plan.snapshot, begins_with(&second));
    assert_eq!(plan.fold_from, second.checkpoint().next());
    let plan = generations.plan(second.checkpoint()).await.unwrap();
    assert_eq!(plan.snapshot, begins_with(&first));
    assert!(plan.passed_over[0].reason.contains("contains events above"), "{:?}", plan.passed_over);
    assert_eq!(plan.events, 100);
    assert!(plan.log_bytes > 0 && plan.disk_bytes > 0);
    let plan = generations.plan(Sequence::FIRST).await.unwrap();
    assert_eq!((plan.snapshot, plan.passed_over.len(), plan.fold_from), (None, 2, Sequence::FIRST));
    assert_eq!(plan.events, 200);

    let other_fold = world.generations(&model_with(2, Accounts::default())).await;
    let plan = other_fold.plan(Sequence::MAX).await.unwrap();
    assert_eq!(
        plan.snapshot,
        begins_with(&second),
        "the rows below are right by the operator's word, whatever fold"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projector_takes_snapshots_by_policy_and_keeps_the_newest() {
    let world = World::new();
    let model = model();
    let options = world.options(&model).await.snapshots(SnapshotPolicy::every(100).keep(2));
    let running = Running::start(options).await;
    let snapshots = world.generations(&model).await.snapshots().clone();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 5 {
        let token = append(&world.store, &sales(50, 10)).await;
        running.handle.wait_for(token, PATIENCE).await.unwrap();
        seen.extend(snapshots.list().unwrap());
    }
    running.stop().await;
    let kept = snapshots.list().unwrap();
    assert!(kept.len() <= 3, "at most one more than is kept while one is being taken: {kept:?}");
    assert_eq!(kept.first(), seen.last().max(kept.first()));
    snapshots.verify(kept[0]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_can_be_looked_at_as_it_was() {
    let world = World::new();
    let model = model();
    let generations = world.generations(&model).await;
    let snapshot = snapshot_after(&world, &generations, 300).await;
    let expected = fresh_fold(&world, &model).await;
    let then = snapshot.checkpoint();
    snapshot_after(&world, &generations, 300).await;

    let (inspection, stopped) = generations.as_of(then, FoldControl::default()).await.unwrap();
    assert_eq!(stopped, FoldStopped::Reached);
    let mut reader = inspection.reader().await.unwrap();
    assert_eq!(reader.checkpoint(), then);
    assert_eq!(rows(&mut reader).await, expected);
    let (early, _) = generations.as_of(Sequence::new(7), FoldControl::default()).await.unwrap();
    assert_eq!(early.reader().await.unwrap().checkpoint(), Sequence::new(7));
    drop((reader, inspection, early));
    // They are removed in the background.
    let is_empty = || fs::read_dir(world.folder.path().join("scratch")).unwrap().next().is_none();
    let emptied = async {
        while !is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, emptied).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_beyond_the_logs_head_is_refused_with_the_head() {
    let world = World::new();
    let generations = world.generations(&model()).await;
    let head = append(&world.store, &sales(10, 3)).await;
    let check = |error: GenerationError| {
        let named = format!("sequence number {} lies beyond the log's head {head};", head.next());
        assert!(error.to_string().starts_with(&named), "{error}");
    };
    check(generations.as_of(head.next(), FoldControl::default()).await.map(|_| ()).unwrap_err());
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let until = Until::Sequence(head.next());
    check(generations.fold_to(id, until, FoldControl::default()).await.unwrap_err());
    assert!(generations.as_of(head, FoldControl::default()).await.is_ok());
}
