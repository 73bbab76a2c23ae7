//! Candidates are built, verified, compared, promoted and rolled back while readers go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::Sequence;
use annals_projection::{
    Difference, FoldControl, FoldError, FoldStopped, GenerationError, GenerationId, GenerationState, Origin,
    ProjectorHandle, RowSample, Until,
};
use annals_store::{Activity, EventStore};
use sqlx::{Connection, SqliteConnection};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use support::{
    Account, Accounts, PATIENCE, Till, World, append, fold_by_two, fresh_fold, model, model_with, rows,
    sales, sold,
};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_from_the_start_gives_the_same_rows_and_the_projector_goes_on() {
    let world = World::new();
    let model = model();
    let running = world.start(&model).await;
    let token = append(&world.store, &sales(3_000, 200)).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    let generations = world.generations(&model).await;
    let old = generations.live().await.unwrap().generation;

    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    let complete = generations.completeness(id).await.unwrap();
    assert!(complete.is_complete());
    assert_eq!(complete.expected.count, 3_000);
    let difference = generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
    assert!(difference.is_none(), "{difference:?}");
    assert_eq!(
        (difference.sequence, difference.complete_events, difference.log_events),
        (token, 3_000, 3_000)
    );
    assert!(difference.same > 100);

    let promotion = generations.promote(id).await.unwrap();
    assert_eq!((promotion.previous, promotion.repeated), (Some(old), false));
    assert!(generations.promote(id).await.unwrap().repeated, "a promotion can be repeated");

    let token = append(&world.store, &sales(500, 200)).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.generation(), id);
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model).await);
    drop(reader);

    // The one before is kept up to date by the same worker, so going back loses nothing.
    let back = generations.roll_back(old).await.unwrap();
    assert_eq!((back.behind, back.continued, back.repeated), (0, true, false));
    assert!(generations.roll_back(old).await.unwrap().repeated);
    let token = append(&world.store, &sales(500, 200)).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.generation(), old);
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &model).await);
    drop(reader);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_fold_shows_as_exactly_the_wrong_rows() {
    let world = World::new();
    // Live was made by a fold that counts sales of one item twice. Only these two customers ever bought it.
    let wrong = model_with(1, Accounts { wrong: Some("box set") });
    let running = world.start(&wrong).await;
    append(&world.store, &sales(2_000, 150)).await;
    append(&world.store, &[sold("ann", "box set", 100), sold("c3", "box set", 7), sold("ann", "cd", 1)])
        .await;
    let token = append(&world.store, &sales(20, 2)).await;
    let live = running.handle.wait_for(token, PATIENCE).await.unwrap();
    drop(live);

    let right = model_with(2, Accounts::default());
    let generations = world.generations(&right).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    let difference = generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
    assert_eq!((difference.added, difference.removed, difference.changed), (0, 0, 2));
    let sample = |customer: &str, live: i64, candidate: i64| RowSample {
        table: "account".to_owned(),
        key: format!("customer='{customer}'"),
        live: Some(format!("cents={live}")),
        candidate: Some(format!("cents={candidate}")),
    };
    assert_eq!(difference.samples[0], sample("ann", 201, 101));
    assert_eq!(difference.samples.len(), 2);
    assert_eq!(difference.samples[1].key, "customer='c3'");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_only_one_side_has_are_found_and_the_samples_are_bounded() {
    let world = World::new();
    let model = model();
    let token = append(&world.store, &sales(3_000, 500)).await;
    let running = world.start(&model).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    running.stop().await;
    let generations = world.generations(&model).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();

    let path = world.folder.path().join(format!("generations/till/{id}.sqlite"));
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "DELETE FROM account WHERE customer IN (SELECT customer FROM account ORDER BY customer LIMIT 30)",
        "INSERT INTO account VALUES ('zz', 1, 2, NULL, 3)",
        "UPDATE account SET last_item = NULL WHERE customer = (SELECT max(customer) FROM account WHERE customer < 'z')",
        "UPDATE account SET annals_sequence = annals_sequence + 1",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let difference = generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
    assert_eq!((difference.added, difference.removed, difference.changed), (1, 30, 1));
    assert_eq!(difference.samples.len(), Difference::SAMPLES_OF_TABLE_MAX);
    assert!(difference.samples.iter().all(|sample| sample.table == "account" && sample.candidate.is_none()));
}

/// Looks at one view after the other and checks that each is of one piece. Says how many generations there were.
async fn read_until(handle: ProjectorHandle, stop: Arc<AtomicBool>, views: Arc<AtomicU64>) -> usize {
    let (mut last, mut generations) = (Sequence::ZERO, HashSet::new());
    while !stop.load(Ordering::SeqCst) {
        let mut reader = handle.reader().await.unwrap();
        assert!(reader.checkpoint() >= last, "a step back from {last} to {reader:?}");
        last = reader.checkpoint();
        generations.insert(reader.generation());
        let rows = rows(&mut reader).await;
        // Every sale is counted once in each table, so the two tables of one view agree.
        let newest = rows.items.iter().map(|item| item.2).max().unwrap();
        let last_sale = i64::try_from(last.get()).unwrap();
        assert!(newest <= last_sale && rows.sequences.iter().all(|row| row.1 <= last_sale));
        let sold: i64 = rows.items.iter().map(|item| item.1).sum();
        let applied = i64::try_from(reader.status().applied.count).unwrap();
        assert_eq!(sold, applied - applied / 50, "rows and checkpoint belong together");
        views.fetch_add(1, Ordering::SeqCst);
    }
    generations.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_no_mix_no_empty_table_and_no_step_back_at_a_promotion() {
    let world = Arc::new(World::new());
    let model = model();
    let running = world.start(&model).await;
    let token = append(&world.store, &sales(2_000, 100)).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let views = Arc::new(AtomicU64::new(0));
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(tokio::spawn(read_until(running.handle.clone(), stop.clone(), views.clone())));
    }
    let writing = tokio::spawn({
        let (world, stop, handle) = (world.clone(), stop.clone(), running.handle.clone());
        async move {
            while !stop.load(Ordering::SeqCst) {
                let token = append(&world.store, &sales(50, 100)).await;
                handle.wait_for(token, PATIENCE).await.unwrap();
            }
        }
    });

    let generations = world.generations(&model).await;
    for round in 0..4 {
        let before = views.load(Ordering::SeqCst);
        let old = generations.live().await.unwrap().generation;
        let id = GenerationId::generate();
        generations.create(id, Origin::Empty).await.unwrap();
        generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
        generations.promote(id).await.unwrap();
        if round % 2 == 1 {
            generations.roll_back(old).await.unwrap();
        }
        while views.load(Ordering::SeqCst) < before + 20 && !readers.iter().any(|reader| reader.is_finished())
        {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    for reader in readers {
        assert!(reader.await.unwrap() > 2, "the readers saw more than one generation");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_fold_goes_on_where_it_stopped() {
    let world = World::new();
    let model = model();
    world.start(&model).await.stop().await;
    append(&world.store, &sales(60_000, 500)).await;
    let generations = world.generations(&model).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let control = FoldControl::new(cancel).on_progress(move |_| stop.cancel());
    let first = generations.fold_to(id, Until::Head, control).await.unwrap();
    assert_eq!(first.stopped, FoldStopped::Cancelled);
    assert!(first.status.applied.count > 0 && first.status.applied.count < 60_000);
    assert!(generations.completeness(id).await.unwrap().is_complete(), "of what it has so far");
    let second = generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    assert_eq!((second.stopped, second.status.applied.count), (FoldStopped::Reached, 60_000));
    assert!(generations.completeness(id).await.unwrap().is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_folders_of_one_candidate_the_newer_one_goes_on() {
    let world = World::new();
    let model = model();
    world.start(&model).await.stop().await;
    append(&world.store, &sales(60_000, 500)).await;
    let generations = world.generations(&model).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let (fenced, second) = fold_by_two(&generations, id).await;
    assert!(matches!(fenced, Err(GenerationError::Fold(FoldError::Fenced { .. }))), "{fenced:?}");
    assert_eq!(second.status.applied.count, 60_000);
    assert!(generations.completeness(id).await.unwrap().is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_an_older_fold_version_says_how_far_it_is_behind() {
    let world = World::new();
    let token = append(&world.store, &sales(300, 20)).await;
    let old_program = world.start(&model_with(1, Accounts { wrong: Some("cd") })).await;
    old_program.handle.wait_for(token, PATIENCE).await.unwrap();
    old_program.stop().await;

    let new = model_with(2, Accounts::default());
    let running = world.start(&new).await;
    let generations = world.generations(&new).await;
    let old = generations.live().await.unwrap().generation;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.promote(id).await.unwrap();
    let token = append(&world.store, &sales(300, 20)).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(rows(&mut reader).await, fresh_fold(&world, &new).await);
    drop(reader);
    assert_eq!(running.handle.state().activity, Activity::Running);

    let back = generations.roll_back(old).await.unwrap();
    assert_eq!((back.generation, back.continued), (old, false));
    assert_eq!(back.behind, token.get() - back.checkpoint.get());
    assert!(back.behind > 300);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_generation_is_unusable_and_its_file_outlives_it_by_a_grace() {
    let world = World::new();
    let model = model();
    world.start(&model).await.stop().await;
    let generations = world.generations(&model).await;
    let live = generations.live().await.unwrap().generation;
    assert!(matches!(generations.retire(live).await, Err(GenerationError::InUse { .. })));

    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.retire(id).await.unwrap();
    generations.retire(id).await.unwrap();
    assert_eq!(generations.find(id).await.unwrap(), None);
    assert!(matches!(generations.promote(id).await, Err(GenerationError::Unusable { .. })));
    let file = world.folder.path().join(format!("generations/till/{id}.sqlite"));
    assert!(generations.sweep(Duration::from_secs(3_600)).await.unwrap().is_empty());
    assert!(file.exists());
    assert_eq!(generations.sweep(Duration::ZERO).await.unwrap(), [id]);
    assert!(!file.exists());
    let left = generations.list().await.unwrap();
    assert_eq!(
        left.iter().map(|entry| (entry.id, entry.state)).collect::<Vec<_>>(),
        [(live, GenerationState::Ready)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_read_models_in_one_folder_do_not_see_each_other() {
    let world = World::new();
    let (first, second) = (model(), annals_projection::ReadModel::named("../till"));
    let second = second.projection(Accounts::default()).build().unwrap();
    let head = append(&world.store, &sales(100, 9)).await;
    let (one, two) = (world.start(&first).await, world.start(&second).await);
    one.handle.wait_for(head, PATIENCE).await.unwrap();
    let mut reader = two.handle.wait_for(head, PATIENCE).await.unwrap();
    assert!(!reader.all::<Account>().await.unwrap().is_empty());
    drop(reader);
    let foreign = world.generations(&first).await.live().await.unwrap().generation;
    let generations = world.generations(&second).await;
    assert!(matches!(generations.promote(foreign).await, Err(GenerationError::Unknown { .. })));
    assert!(!world.folder.path().join("till").exists() && world.store.head().await.is_ok());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_candidate_can_be_folded_on_is_found_out_on_a_copy() {
    let (world, model) = (World::new(), model());
    let running = world.start(&model).await;
    let live = append(&world.store, &sales(100, 20)).await;
    running.handle.wait_for(live, PATIENCE).await.unwrap();
    running.stop().await;
    let fine = append(&world.store, &sales(50, 20)).await;
    let broken = append(&world.store, &[Till::Broken]).await;
    let (generations, id) = (world.generations(&model).await, GenerationId::generate());
    generations.create(id, Origin::Empty).await.unwrap();
    generations.verify(id, FoldControl::default()).await.unwrap();

    let rehearse = async |through| generations.rehearse(id, through, FoldControl::default()).await;
    assert_eq!(rehearse(fine).await.unwrap(), FoldStopped::Reached);
    let error = rehearse(broken.plus(1_000)).await.unwrap_err();
    assert!(error.to_string().contains(&format!("at sequence number {broken}")), "{error}");
    assert_eq!(generations.find(id).await.unwrap().unwrap().checkpoint, live);
    let scratch = std::fs::read_dir(world.folder.path().join("scratch")).unwrap();
    assert_eq!(scratch.count(), 0, "the copies are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_meets_a_broken_event_ends_right_before_it() {
    let (world, model) = (World::new(), model());
    world.start(&model).await.stop().await;
    append(&world.store, &sales(50, 20)).await;
    let broken = append(&world.store, &[Till::Broken]).await;
    append(&world.store, &sales(50, 20)).await;
    let (generations, id) = (world.generations(&model).await, GenerationId::generate());
    generations.create(id, Origin::Empty).await.unwrap();
    let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap_err();
    assert!(folded.to_string().contains(&format!("at sequence number {broken}")), "{folded}");
    assert_eq!(generations.status(id).await.unwrap().checkpoint, broken.previous());
    assert!(generations.completeness(id).await.unwrap().is_complete());
}
