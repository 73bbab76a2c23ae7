//! What the cases share: short ways to make, write, read and exchange generations.

use super::{
    Catalog,
    tables::{ITEM, Row, schema, schema_hash},
};
use crate::{
    ColumnKind, FoldVersion, GenerationId, ModelName, TableSchema, Tally, Value,
    backend::{
        Advance, Backend, Batch, Change, DatabaseError, Fence, GenerationSpec, GenerationStatus, Live,
        Purpose, Slot, Target, View, Writer,
    },
};
use annals_event::{LogId, Sequence};
use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{sync::Barrier, task::JoinSet};

/// A handle to the catalog.
pub(super) type Handle = Arc<dyn Backend>;

/// More rows than any case writes.
pub(super) const ALL: usize = 1 << 20;
/// Whoever waits longer than this for a lock waits without a bound.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long something that is locked out is watched.
pub(super) const LOCKED_OUT: Duration = Duration::from_millis(300);
/// How long somebody rests who tries again.
const PAUSE: Duration = Duration::from_millis(10);
/// More steps than this nothing has that a case drops halfway.
pub(super) const STEPS_MAX: usize = 10_000;

/// A handle of its own, as another process has it.
pub(super) async fn open(catalog: &Catalog) -> Handle {
    catalog.open().await.unwrap()
}

pub(super) fn model(name: &str) -> ModelName {
    ModelName::new(name).unwrap()
}

/// The slot of most cases.
pub(super) fn slot() -> Slot {
    Slot { model: model("conformance"), schema: schema_hash() }
}

/// A generation of [`slot`] that is to be made, without rows.
pub(super) fn spec(purpose: Purpose) -> GenerationSpec {
    spec_in(slot(), purpose)
}

/// The same in another slot with the same tables.
pub(super) fn spec_in(slot: Slot, purpose: Purpose) -> GenerationSpec {
    let status = GenerationStatus {
        model: slot.model.to_string(),
        schema_hash: slot.schema.clone(),
        fold_version: FoldVersion::new(3),
        filter_hash: "00112233445566778899aabbccddeeff".to_owned(),
        log_id: LogId::generate(),
        base: Sequence::ZERO,
        checkpoint: Sequence::ZERO,
        chain: None,
        epoch: 0,
        applied: Tally::NONE,
        parked: Tally::NONE,
    };
    let id = GenerationId::generate();
    GenerationSpec { id, slot, schema: schema(), status, snapshot: None, purpose }
}

/// Makes a generation with these rows of [`ITEM`], which carry the sequence number 1.
pub(super) async fn make(on: &Handle, spec: &GenerationSpec, rows: Vec<Row>) -> GenerationId {
    let mut build = on.create(spec).await.unwrap().unwrap();
    if !rows.is_empty() {
        build.write(&ITEM, stamped(&ITEM, rows, 1)).await.unwrap();
    }
    build.finish().await.unwrap();
    spec.id
}

/// Makes a candidate without rows.
pub(super) async fn candidate(on: &Handle) -> GenerationId {
    make(on, &spec(Purpose::Candidate), Vec::new()).await
}

/// Makes a generation without rows, and makes it live. Nothing was live before.
pub(super) async fn first_live(on: &Handle) -> Live {
    let generation = make(on, &spec(Purpose::Live), Vec::new()).await;
    let live = Live { generation, previous: None, epoch: 1 };
    on.change(&pointing(None, live)).await.unwrap();
    live
}

/// The change that makes `to` of `from`.
pub(super) fn pointing(from: Option<Live>, to: Live) -> Change {
    Change { slot: slot(), expect: from, set: Some(to), retire: Vec::new() }
}

/// What is live once `to` has been put in the place of what is.
pub(super) fn after(live: Live, to: GenerationId) -> Live {
    Live { generation: to, previous: Some(live.generation), epoch: live.epoch + 1 }
}

/// The change that retires these and leaves the pointer at `live`.
pub(super) fn retiring(live: Option<Live>, retire: &[GenerationId]) -> Change {
    Change { slot: slot(), expect: live, set: None, retire: retire.to_vec() }
}

/// Takes a generation over.
pub(super) async fn claim(on: &Handle, id: GenerationId) -> Box<dyn Writer> {
    on.fence(&slot(), id).await.unwrap().claim().await.unwrap()
}

/// A row of [`ITEM`].
pub(super) fn item(id: i64, amount: i64) -> Row {
    vec![Value::Integer(id), Value::Integer(amount), Value::Null]
}

/// Rows with the sequence number that they carry.
pub(super) fn stamped(table: &TableSchema, rows: Vec<Row>, sequence: i64) -> Batch {
    let stamp = |mut row: Row| {
        row.push(Value::Integer(sequence));
        row
    };
    Batch::of(table.columns.len() + 1, rows.into_iter().map(stamp).collect())
}

/// Keys of a table.
pub(super) fn keys(table: &TableSchema, keys: Vec<Row>) -> Batch {
    Batch::of(table.columns.iter().filter(|column| column.key).count(), keys)
}

/// Keys of [`ITEM`].
pub(super) fn ids(ids: impl IntoIterator<Item = i64>) -> Batch {
    keys(&ITEM, ids.into_iter().map(|id| vec![Value::Integer(id)]).collect())
}

/// What a fold says that has come to `through`: whatever is beside the checkpoint follows from it.
pub(super) fn said(through: u64) -> Advance {
    let many = u128::from(through).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Advance {
        through: Sequence::new(through),
        chain: Some(many.to_be_bytes()),
        applied: Tally { count: through, sum: many.rotate_left(64) },
    }
}

/// Checks that checkpoint, chain and counts are of one commit. Gives the checkpoint.
#[track_caller]
pub(super) fn fitting(status: &GenerationStatus) -> u64 {
    let through = status.checkpoint.get();
    if through > 0 {
        let found = Advance { through: status.checkpoint, chain: status.chain, applied: status.applied };
        assert_eq!(found, said(through), "checkpoint, chain and counts are not of one commit");
    }
    through
}

/// Writes rows of [`ITEM`] and moves the checkpoint.
pub(super) async fn commit(
    writer: &mut Box<dyn Writer>,
    through: u64,
    rows: Vec<Row>,
) -> Result<(), DatabaseError> {
    let mut tx = writer.begin().await?;
    let sequence = i64::try_from(through).unwrap();
    tx.write(&ITEM, ids([]), stamped(&ITEM, rows, sequence)).await?;
    tx.commit(said(through)).await
}

/// Writes one row for each sequence number above the checkpoint, up to `through`: with [`checkpoint_of`] this shows whether
/// rows and checkpoint fit each other.
pub(super) async fn fold(writer: &mut Box<dyn Writer>, through: u64) -> Result<(), DatabaseError> {
    let mut tx = writer.begin().await?;
    let from = tx.status().checkpoint.get();
    let rows = (from + 1..=through).map(|at| item(i64::try_from(at).unwrap(), 1)).collect();
    tx.write(&ITEM, ids([]), stamped(&ITEM, rows, i64::try_from(through).unwrap())).await?;
    tx.commit(said(through)).await
}

/// The checkpoint of a generation that only [`fold`] writes, which its rows have to fit.
pub(super) async fn checkpoint_of(view: &mut Box<dyn View>) -> u64 {
    let through = fitting(view.status());
    let found = ask(view, "SELECT count(*), coalesce(max(id), 0) FROM item", &[INTEGER; 2]).await;
    let wanted = Value::Integer(i64::try_from(through).unwrap());
    assert_eq!(found, [[wanted.clone(), wanted]], "rows and checkpoint are not of one commit");
    through
}

pub(super) const INTEGER: ColumnKind = ColumnKind::Integer;
pub(super) const TEXT: ColumnKind = ColumnKind::Text;

/// All that a question without parameters finds.
pub(super) async fn ask(view: &mut Box<dyn View>, sql: &str, wanted: &[ColumnKind]) -> Vec<Row> {
    view.query(sql, Vec::new(), wanted, ALL).await.unwrap().into_rows().collect()
}

/// A view of a generation.
pub(super) async fn view(on: &Handle, id: GenerationId) -> Box<dyn View> {
    on.view(&slot(), Target::Generation(id)).await.unwrap()
}

/// A view of what is live.
pub(super) async fn live_view(on: &Handle) -> Box<dyn View> {
    on.view(&slot(), Target::Live).await.unwrap()
}

/// What a generation says of itself.
pub(super) async fn status(on: &Handle, id: GenerationId) -> GenerationStatus {
    view(on, id).await.status().clone()
}

/// The rows of [`ITEM`] by their keys, with their sequence numbers.
pub(super) async fn items(on: &Handle, id: GenerationId) -> Vec<Row> {
    let all = "SELECT id, amount, note, annals_sequence FROM item ORDER BY id";
    ask(&mut view(on, id).await, all, &[INTEGER, INTEGER, TEXT, INTEGER]).await
}

/// The same without `NULL`s and sequence numbers.
pub(super) async fn amounts(on: &Handle, id: GenerationId) -> Vec<(i64, i64)> {
    items(on, id).await.iter().map(|row| (number(&row[0]), number(&row[1]))).collect()
}

#[track_caller]
pub(super) fn number(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        other => panic!("{other:?} is no integer"),
    }
}

/// The rows in the order of their first cells.
pub(super) fn sorted(batch: Batch) -> Vec<Row> {
    let mut rows: Vec<_> = batch.into_rows().collect();
    rows.sort_by(|a, b| super::tables::compare(&a[0], &b[0]));
    rows
}

/// Whether what failed may be tried again, once somebody has rested.
fn may_try_again<T>(begun: Instant, done: &Result<T, DatabaseError>) -> impl Future<Output = bool> + use<T> {
    let passes = done.as_ref().is_err_and(DatabaseError::is_transient) && begun.elapsed() < WAIT_MAX;
    async move {
        if passes {
            tokio::time::sleep(PAUSE).await;
        }
        passes
    }
}

/// A view of what is live, although somebody may be busy.
pub(super) async fn patient_view(on: &Handle) -> Box<dyn View> {
    let (begun, slot) = (Instant::now(), slot());
    loop {
        let viewed = on.view(&slot, Target::Live).await;
        if !may_try_again(begun, &viewed).await {
            return viewed.unwrap();
        }
    }
}

/// A fence, although somebody may be letting go of one.
pub(super) async fn patient_fence(on: &Handle, id: GenerationId) -> Box<dyn Fence> {
    let (begun, slot) = (Instant::now(), slot());
    loop {
        let fenced = on.fence(&slot, id).await;
        if !may_try_again(begun, &fenced).await {
            return fenced.unwrap();
        }
    }
}

/// Takes a generation over, although somebody may be busy.
pub(super) async fn patient_claim(on: &Handle, id: GenerationId) -> Box<dyn Writer> {
    let begun = Instant::now();
    loop {
        let claimed = patient_fence(on, id).await.claim().await;
        if !may_try_again(begun, &claimed).await {
            return claimed.unwrap();
        }
    }
}

/// Folds, although somebody may be letting go of a fence. An error is not one that passes.
pub(super) async fn patient_fold(writer: &mut Box<dyn Writer>, through: u64) -> Result<(), DatabaseError> {
    let begun = Instant::now();
    loop {
        let folded = fold(writer, through).await;
        if !may_try_again(begun, &folded).await {
            return folded;
        }
    }
}

/// Waits until `work` gives something.
pub(super) async fn until<T>(what: &str, work: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(done) = work().await {
            return done;
        }
        assert!(begun.elapsed() < WAIT_MAX, "{what} within {WAIT_MAX:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Fails unless somebody who waits for a lock is told within a bound that it is held.
pub(super) async fn is_busy<T>(work: impl Future<Output = Result<T, DatabaseError>>) {
    let ended = tokio::time::timeout(WAIT_MAX, work).await;
    let Ok(ended) = ended else { panic!("the lock is waited for without a bound") };
    let error = ended.err();
    assert!(
        matches!(error, Some(DatabaseError::Busy { .. })),
        "the lock is held, and the answer is {error:?}"
    );
}

/// Lets `work` be woken so often, and drops it then. Gives what it ended with if it was done by then.
pub(super) async fn dropped_after<T>(wakes: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = wakes;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// What `work` returns for each index of `0..count` when all begin at the same moment.
pub(super) async fn at_once<T, W>(count: usize, work: impl Fn(usize) -> W) -> Vec<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for index in 0..count {
        let (start, work) = (start.clone(), work(index));
        tasks.spawn(async move {
            start.wait().await;
            (index, work.await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
