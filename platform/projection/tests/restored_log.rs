//! A log that is restored from a backup and goes on differently is noticed, whatever was made of it before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::{Fingerprint, Sequence};
use annals_projection::{
    FoldControl, FoldError, GenerationError, GenerationId, GenerationStatus, Generations, Origin,
    ProjectorOptions, SnapshotError, SnapshotPolicy, Until, WaitError,
};
use annals_store::{
    Activity, EventStore, Layer, LogMismatch, ReadError, Rerouted, Subscribe, Subscription, chain_at,
};
use annals_store_log::{LogStore, Options};
use async_trait::async_trait;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{
    Accounts, PATIENCE, Rows, Running, Till, append, fresh_fold_of, model, model_with, rows, sales, sold,
};
use tempfile::TempDir;

/// What the backup has.
const BACKED_UP: usize = 60;
/// What the read model has seen.
const SEEN: usize = 100;

/// A data folder, and a log with a backup.
struct Deployment {
    folder: TempDir,
    log: Arc<LogStore>,
}

impl Deployment {
    /// A read model at event 100 of a log that was backed up at event 60.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let this = Self { log: open(&folder, "log").await, folder };
        append(&*this.log, &sales(BACKED_UP, 7)).await;
        this.fold().await;
        this.log.backup(this.folder.path().join("backup")).await.unwrap();
        append(&*this.log, &sales(SEEN - BACKED_UP, 7)).await;
        this.fold().await;
        this
    }

    async fn options(&self) -> ProjectorOptions {
        let catalog = annals_projection_sqlite::open(self.folder.path().join("views")).await.unwrap();
        ProjectorOptions::new(catalog, model(), self.log.clone())
    }

    async fn start(&self) -> Running {
        Running::start(self.options().await).await
    }

    async fn generations(&self) -> Generations {
        self.options().await.generations()
    }

    /// A projector folds what there is, and is stopped.
    async fn fold(&self) {
        let running = self.start().await;
        let head = self.log.head().await.unwrap().last;
        running.handle.wait_for(head, PATIENCE).await.unwrap();
        running.stop().await;
    }

    async fn live(&self) -> GenerationStatus {
        let generations = self.generations().await;
        generations.status(generations.live().await.unwrap().generation).await.unwrap()
    }

    /// The process ends, and begins again on the backup, to which `others` is appended.
    async fn restore(&mut self, others: usize) {
        self.log = open(&self.folder, "backup").await;
        let others: Vec<Till> = (0..others).map(|at| sold(&format!("other{}", at % 5), "lp", 3)).collect();
        append(&*self.log, &others).await;
    }

    async fn fresh_rows(&self) -> Rows {
        fresh_fold_of(self.log.clone(), &model()).await
    }

    /// Builds a candidate, compares and promotes it, as a replay does.
    async fn replay(&self, origin: Origin) -> GenerationId {
        let (generations, id) = (self.generations().await, GenerationId::generate());
        generations.create(id, origin).await.unwrap();
        let until = Until::Sequence(generations.live_reach().await.unwrap());
        generations.fold_to(id, until, FoldControl::default()).await.unwrap();
        let difference = generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
        assert!(!difference.is_none(), "what the backup did not have shows");
        generations.promote(id).await.unwrap();
        id
    }
}

async fn open(folder: &TempDir, name: &str) -> Arc<LogStore> {
    Arc::new(LogStore::open(folder.path().join(name), Options::default()).await.unwrap())
}

fn at(sequence: usize) -> Sequence {
    Sequence::new(u64::try_from(sequence).unwrap())
}

/// The reason for which the projector does not fold the live generation.
fn other_history(running: &Running) -> String {
    let activity = running.handle.state().activity;
    let Activity::OtherHistory { reason } = activity else { panic!("{activity:?}") };
    reason
}

fn assert_diverged(error: &GenerationError) {
    assert_eq!(error.log_mismatch(), Some(&LogMismatch::Diverged { seen: at(SEEN) }), "{error}");
}

/// Checks that nothing is folded while `mismatch` says why, and that a replay from the start mends it.
async fn refuse_then_rebuild(deployment: &Deployment, mismatch: &str) {
    let before = deployment.live().await;
    let running = deployment.start().await;
    let mut reader = running.handle.reader().await.unwrap();
    let served = rows(&mut reader).await;
    drop(reader);
    let reason = other_history(&running);
    assert!(reason.contains(mismatch) && reason.contains("a replay from the beginning"), "{reason}");

    let token = append(&*deployment.log, &sales(5, 7)).await;
    for token in [at(1), token] {
        let waited = running.handle.wait_for(token, PATIENCE).await;
        assert!(matches!(waited, Err(WaitError::OtherHistory { .. })), "its event is not in these rows");
    }
    assert_eq!(deployment.live().await, before, "not even the epoch");
    assert_eq!(rows(&mut running.handle.reader().await.unwrap()).await, served);

    let rebuilt = deployment.replay(Origin::Empty).await;
    let mut reader = running.handle.wait_for(token, PATIENCE).await.unwrap();
    assert_eq!(reader.generation(), rebuilt);
    assert_eq!(rows(&mut reader).await, deployment.fresh_rows().await);
    drop(reader);
    // Whoever was faster than the projector looked at the promoted generation itself.
    let token = append(&*deployment.log, &sales(5, 7)).await;
    running.handle.wait_for(token, PATIENCE).await.unwrap();
    let refused = deployment.generations().await.roll_back(before_id(deployment).await).await.unwrap_err();
    assert!(refused.log_mismatch().is_some(), "there is no way back to it: {refused}");
    running.stop().await;
    deployment.fold().await;
}

async fn before_id(deployment: &Deployment) -> GenerationId {
    deployment.generations().await.live().await.unwrap().previous.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_of_a_diverged_log_is_not_written_until_it_is_rebuilt() {
    let mut deployment = Deployment::new().await;
    deployment.restore(SEEN - BACKED_UP + 20).await;
    refuse_then_rebuild(&deployment, "up to sequence number 100 it has seen other events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_ahead_of_the_log_is_not_written_until_it_is_rebuilt() {
    let mut deployment = Deployment::new().await;
    deployment.restore(10).await;
    refuse_then_rebuild(&deployment, "it has seen sequence number 100, but the log ends at 70").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_log_is_still_refused_once_it_grows_past_the_checkpoint() {
    let mut deployment = Deployment::new().await;
    deployment.restore(10).await;
    let running = deployment.start().await;
    append(&*deployment.log, &sales(2 * SEEN, 7)).await;
    other_history(&running);
    running.stop().await;
    let running = deployment.start().await;
    assert!(other_history(&running).contains("other events"));
    running.stop().await;
}

/// Its server goes away while it is asked for the chain value at a place, and comes back with another log.
struct RestoredWhenAsked {
    way: Rerouted<LogStore>,
    restored: Mutex<Option<(Sequence, LogStore)>>,
}

#[async_trait]
impl Layer for RestoredWhenAsked {
    fn below(&self) -> Arc<dyn EventStore> {
        self.way.below()
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        Layer::subscribe(&self.way, subscribe).await
    }
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        if let Some((_, restored)) = self.restored.lock().unwrap().take_if(|(when, _)| *when == at) {
            self.way.lead_to(restored);
        }
        self.below().fingerprint(at).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_written_beside_the_chain_value_of_another_history() {
    for others in [0, 2 * SEEN] {
        let mut deployment = Deployment::new().await;
        let way = Rerouted::to(LogStore::clone(&deployment.log));
        let store = Arc::new(RestoredWhenAsked { way, restored: Mutex::default() });
        let mut options = deployment.options().await;
        options.store = store.clone();
        let running = Running::start(options).await;
        running.handle.wait_for(at(SEEN), PATIENCE).await.unwrap();
        let before = deployment.log.clone();
        deployment.restore(others).await;
        *store.restored.lock().unwrap() = Some((at(SEEN + 5), LogStore::clone(&deployment.log)));
        let token = append(&*before, &sales(5, 7)).await;
        let waited = running.handle.wait_for(token, PATIENCE).await;
        assert!(matches!(waited, Err(WaitError::OtherHistory { .. })), "{waited:?}");
        running.stop().await;

        append(&*deployment.log, &sales(2 * SEEN, 7)).await;
        let running = deployment.start().await;
        assert!(other_history(&running).contains("other events"));
        assert_eq!(deployment.live().await.checkpoint, at(SEEN));
        running.stop().await;
    }
}

/// An event at 121 cannot be applied, and the log is reopened before those below it are written.
async fn reopened_before_a_broken_event(deployment: &mut Deployment, reopened: &str) -> Running {
    let mut events = sales(20, 7);
    events.push(Till::Broken);
    append(&*deployment.log, &events).await;
    deployment.log.backup(deployment.folder.path().join("later")).await.unwrap();
    let mut options = deployment.options().await;
    let way = Rerouted::to(LogStore::clone(&deployment.log));
    deployment.log = open(&deployment.folder, reopened).await;
    let restored = Mutex::new(Some((at(SEEN + 20), LogStore::clone(&deployment.log))));
    options.store = Arc::new(RestoredWhenAsked { way, restored });
    Running::start(options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_applied_is_read_again_of_a_reopened_log() {
    let mut deployment = Deployment::new().await;
    let stopped = reopened_before_a_broken_event(&mut deployment, "later").await.ended().await;
    let Some(FoldError::Event(event)) = stopped.fold_error() else { panic!("{stopped}") };
    assert_eq!(event.sequence, at(SEEN + 21));
    assert_eq!(deployment.live().await.checkpoint, at(SEEN + 20));

    let mut deployment = Deployment::new().await;
    let running = reopened_before_a_broken_event(&mut deployment, "backup").await;
    let waited = running.handle.wait_for(at(SEEN + 20), PATIENCE).await;
    assert!(matches!(waited, Err(WaitError::OtherHistory { .. })), "{waited:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_that_has_all_that_was_seen_is_gone_on_with() {
    let mut deployment = Deployment::new().await;
    deployment.log.backup(deployment.folder.path().join("later")).await.unwrap();
    deployment.log = open(&deployment.folder, "later").await;
    append(&*deployment.log, &sales(50, 7)).await;
    deployment.fold().await;
    assert_eq!(deployment.live().await.checkpoint, at(SEEN + 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_value_of_each_checkpoint_is_the_logs_also_after_a_restart() {
    let deployment = Deployment::new().await;
    for _ in 0..3 {
        append(&*deployment.log, &sales(40, 7)).await;
        deployment.fold().await;
        let live = deployment.live().await;
        assert!(live.chain.is_some());
        assert_eq!(live.chain, chain_at(&*deployment.log, live.checkpoint).await.unwrap());
    }
    let path = deployment.folder.path().join("log");
    let (folder, log) = (deployment.folder, Arc::try_unwrap(deployment.log).ok().unwrap());
    log.close().await.unwrap();
    assert!(path.exists());
    let deployment = Deployment { log: open(&folder, "log").await, folder };
    append(&*deployment.log, &sales(40, 7)).await;
    deployment.fold().await;
    assert_eq!(deployment.live().await.checkpoint, at(SEEN + 160));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_stopped_by_an_event_resumes_with_the_chain_value_before_it() {
    let deployment = Deployment::new().await;
    let mut events = sales(20, 7);
    events.push(Till::Broken);
    append(&*deployment.log, &events).await;
    for _ in 0..2 {
        let stopped = deployment.start().await.ended().await;
        assert!(matches!(stopped.fold_error(), Some(FoldError::Event(_))), "{stopped}");
        let live = deployment.live().await;
        assert_eq!(live.checkpoint, at(SEEN + 20));
        assert_eq!(live.chain, chain_at(&*deployment.log, live.checkpoint).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_history_is_refused_and_an_older_sound_one_used() {
    let mut deployment = Deployment::new().await;
    let good = deployment.generations().await.take_snapshot().await.unwrap();
    assert_eq!(good.checkpoint(), at(SEEN));
    deployment.log.backup(deployment.folder.path().join("later")).await.unwrap();
    append(&*deployment.log, &sales(30, 7)).await;
    deployment.fold().await;
    let bad = deployment.generations().await.take_snapshot().await.unwrap();

    deployment.log = open(&deployment.folder, "later").await;
    append(&*deployment.log, &[sold("other", "lp", 3)]).await;
    let generations = deployment.generations().await;
    let refusal = async || generations.plan(Sequence::MAX).await.unwrap().passed_over.remove(0).reason;
    assert!(refusal().await.contains("the log ends at 101"), "{}", refusal().await);

    append(&*deployment.log, &sales(60, 5)).await;
    let plan = generations.plan(Sequence::MAX).await.unwrap();
    assert_eq!(plan.snapshot.as_ref().map(|snapshot| snapshot.name), Some(good.name));
    assert_eq!(plan.passed_over[0].name, bad.name);
    assert!(plan.passed_over[0].reason.contains("another history"), "{}", plan.passed_over[0].reason);

    let id = GenerationId::generate();
    let forced = generations.create(id, Origin::Snapshot(bad.name)).await.unwrap_err();
    let GenerationError::Snapshot(SnapshotError::Refused { name, reason }) = forced else {
        panic!("{forced}")
    };
    assert_eq!(name, bad.name.to_string());
    assert!(reason.contains("another history"), "{reason}");

    deployment.replay(Origin::Snapshot(good.name)).await;
    deployment.fold().await;
    let (served, _) = generations.as_of(Sequence::new(161), FoldControl::default()).await.unwrap();
    assert_eq!(rows(&mut served.reader().await.unwrap()).await, deployment.fresh_rows().await);
    assert_eq!(
        rows(&mut deployment.start().await.handle.reader().await.unwrap()).await,
        deployment.fresh_rows().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_of_another_history_do_not_push_out_new_ones() {
    let mut deployment = Deployment::new().await;
    let generations = deployment.generations().await;
    for _ in 0..2 {
        generations.take_snapshot().await.unwrap();
    }
    deployment.restore(10).await;
    deployment.replay(Origin::Empty).await;
    let mut options = deployment.options().await;
    options.snapshots = Some(SnapshotPolicy::every(1).growth_percent(0).keep(2));
    let running = Running::start(options).await;
    let kept = async || {
        let token = append(&*deployment.log, &sales(1, 7)).await;
        running.handle.wait_for(token, PATIENCE).await.unwrap();
        let names = deployment.generations().await.snapshots().list().unwrap();
        names.iter().all(|name| name.sequence() < at(SEEN)) && names.len() == 2
    };
    let taking = async { while !kept().await {} };
    tokio::time::timeout(Duration::from_secs(20), taking).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_of_another_history_is_neither_folded_nor_promoted() {
    let mut deployment = Deployment::new().await;
    let id = GenerationId::generate();
    let generations = deployment.generations().await;
    generations.create(id, Origin::Empty).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    let before = generations.status(id).await.unwrap();

    deployment.restore(SEEN).await;
    let generations = deployment.generations().await;
    let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await;
    assert_diverged(&folded.unwrap_err());
    assert_diverged(&generations.promote(id).await.unwrap_err());
    assert_eq!(generations.status(id).await.unwrap(), before);
    assert_ne!(generations.live().await.unwrap().generation, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rollback_to_a_generation_of_another_fold_and_another_history() {
    let mut deployment = Deployment::new().await;
    deployment.restore(SEEN).await;
    let options = deployment.options().await;
    let next = model_with(2, Accounts::default());
    let generations = Generations::new(options.catalog, next, deployment.log.clone());
    let (previous, id) = (generations.live().await.unwrap().generation, GenerationId::generate());
    generations.create(id, Origin::Empty).await.unwrap();
    generations.promote(id).await.unwrap();
    assert_diverged(&generations.roll_back(previous).await.unwrap_err());
    assert_eq!(generations.live().await.unwrap().generation, id);
}
