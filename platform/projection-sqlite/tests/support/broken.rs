//! A backend with one bug: what is around the database may be wrong, too.

use annals_projection::{
    ColumnKind, DatabaseError, GenerationId, GenerationStatus, Lease, ModelName, TableSchema, Value,
    backend::{
        Advance, Backend, Batch, Build, Change, Fence, GenerationEntry, GenerationSpec, Instance, Live,
        Schema, Slot, Target, Tx, View, Writer,
    },
};
use async_trait::async_trait;
use std::{
    any::Any,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bug {
    MovesAnyPointer,
    RetiresNothing,
    FlipsWithoutFence,
    FlipsWithoutStates,
    KeepsThePointer,
    ViewsWhatIsNew,
    LeasesToAll,
    RemovesNothing,
    LosesTheSnapshotsName,
    LosesTheChain,
    DeletesNothing,
    MakesNoIndexes,
    RoundsReals,
    TrimsText,
    ReadsAllRows,
    IgnoresParameters,
    SortsNothing,
}

#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) inner: Arc<dyn Backend>,
    pub(crate) bug: Bug,
    pub(crate) seen: Mutex<Option<GenerationId>>,
}

impl Broken {
    fn change_of(&self, change: &Change, now: Option<Live>) -> Change {
        let mut change = change.clone();
        if self.bug == Bug::MovesAnyPointer {
            change.expect = now;
        }
        if self.bug == Bug::RetiresNothing {
            change.retire.clear();
        }
        change
    }
}

#[async_trait]
impl Backend for Broken {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn live(&self, of: &Slot) -> Result<Option<Live>, DatabaseError> {
        self.inner.live(of).await
    }
    async fn generations(&self, of: &Slot) -> Result<Vec<GenerationEntry>, DatabaseError> {
        self.inner.generations(of).await
    }
    async fn change(&self, change: &Change) -> Result<(), DatabaseError> {
        let now = self.inner.live(&change.slot).await?;
        self.inner.change(&self.change_of(change, now)).await
    }
    async fn create(&self, spec: &GenerationSpec) -> Result<Option<Box<dyn Build>>, DatabaseError> {
        let mut spec = spec.clone();
        if self.bug == Bug::LosesTheSnapshotsName {
            spec.snapshot = None;
        }
        let build = self.inner.create(&spec).await?;
        Ok(build.map(|inner| Box::new(BrokenBuild { inner, bug: self.bug }) as Box<dyn Build>))
    }
    async fn fence(&self, of: &Slot, id: GenerationId) -> Result<Box<dyn Fence>, DatabaseError> {
        let inner = self.inner.fence(of, id).await?;
        Ok(Box::new(BrokenFence { inner, backend: self.inner.clone(), bug: self.bug }))
    }
    async fn view(&self, of: &Slot, what: Target) -> Result<Box<dyn View>, DatabaseError> {
        let mut what = what;
        if self.bug == Bug::KeepsThePointer && what == Target::Live {
            let now = self.inner.live(of).await?.ok_or(DatabaseError::NoneLive)?;
            what = Target::Generation(*self.seen.lock().unwrap().get_or_insert(now.generation));
        }
        let inner = self.inner.view(of, what).await?;
        Ok(Box::new(BrokenView { inner, backend: self.inner.clone(), slot: of.clone(), bug: self.bug }))
    }
    async fn remove(&self, of: &Slot, id: GenerationId) -> Result<(), DatabaseError> {
        if self.bug == Bug::RemovesNothing { Ok(()) } else { self.inner.remove(of, id).await }
    }
    async fn instance(&self, of: &Slot, id: GenerationId) -> Result<Option<Instance>, DatabaseError> {
        self.inner.instance(of, id).await
    }
    async fn size_bytes(&self, of: &Slot, id: GenerationId) -> Result<u64, DatabaseError> {
        self.inner.size_bytes(of, id).await
    }
    async fn free_bytes(&self) -> Result<Option<u64>, DatabaseError> {
        self.inner.free_bytes().await
    }
    async fn try_lease(&self, model: &ModelName) -> Result<Option<Lease>, DatabaseError> {
        let lease = self.inner.try_lease(model).await?;
        Ok(lease.or_else(|| (self.bug == Bug::LeasesToAll).then(|| Lease::new(()))))
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
}

fn broken(bug: Bug, rows: Batch, columns: usize) -> Batch {
    let broken = |cell| match (bug, cell) {
        #[expect(clippy::cast_possible_truncation, reason = "that is the bug")]
        (Bug::RoundsReals, Value::Real(real)) => Value::Real(f64::from(real as f32)),
        (Bug::TrimsText, Value::Text(text)) => Value::Text(text.trim_end().to_owned()),
        (_, cell) => cell,
    };
    Batch::of(columns, rows.into_rows().map(|row| row.into_iter().map(broken).collect()).collect())
}

struct BrokenBuild {
    inner: Box<dyn Build>,
    bug: Bug,
}

#[async_trait]
impl Build for BrokenBuild {
    async fn write(&mut self, table: &TableSchema, rows: Batch) -> Result<(), DatabaseError> {
        self.inner.write(table, broken(self.bug, rows, table.columns.len() + 1)).await
    }
    async fn finish(self: Box<Self>) -> Result<(), DatabaseError> {
        self.inner.finish().await
    }
}

struct BrokenFence {
    inner: Box<dyn Fence>,
    backend: Arc<dyn Backend>,
    bug: Bug,
}

#[async_trait]
impl Fence for BrokenFence {
    fn status(&self) -> &GenerationStatus {
        self.inner.status()
    }
    async fn claim(self: Box<Self>) -> Result<Box<dyn Writer>, DatabaseError> {
        Ok(Box::new(BrokenWriter { inner: self.inner.claim().await?, bug: self.bug }))
    }
    async fn flip(self: Box<Self>, change: &Change) -> Result<(), DatabaseError> {
        match self.bug {
            Bug::FlipsWithoutFence => self.backend.change(change).await,
            Bug::FlipsWithoutStates => {
                self.inner.flip(&Change { retire: Vec::new(), ..change.clone() }).await
            }
            _ => self.inner.flip(change).await,
        }
    }
}

struct BrokenWriter {
    inner: Box<dyn Writer>,
    bug: Bug,
}

#[async_trait]
impl Writer for BrokenWriter {
    fn status(&self) -> &GenerationStatus {
        self.inner.status()
    }
    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, DatabaseError> {
        Ok(Box::new(BrokenTx { inner: self.inner.begin().await?, bug: self.bug }))
    }
    async fn finish(&mut self, schema: &Schema) -> Result<(), DatabaseError> {
        if self.bug == Bug::MakesNoIndexes { Ok(()) } else { self.inner.finish(schema).await }
    }
    async fn close(self: Box<Self>) -> Result<(), DatabaseError> {
        self.inner.close().await
    }
}

struct BrokenTx<'w> {
    inner: Box<dyn Tx + 'w>,
    bug: Bug,
}

#[async_trait]
impl Tx for BrokenTx<'_> {
    fn status(&self) -> &GenerationStatus {
        self.inner.status()
    }
    async fn load(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError> {
        self.inner.load(table, keys).await
    }
    async fn write(
        &mut self,
        table: &TableSchema,
        deletes: Batch,
        upserts: Batch,
    ) -> Result<(), DatabaseError> {
        let deletes = if self.bug == Bug::DeletesNothing { Batch::default() } else { deletes };
        self.inner.write(table, deletes, broken(self.bug, upserts, table.columns.len() + 1)).await
    }
    fn native(&mut self) -> &mut (dyn Any + Send) {
        self.inner.native()
    }
    async fn commit(self: Box<Self>, advance: Advance) -> Result<(), DatabaseError> {
        let chain = advance.chain.filter(|_| self.bug != Bug::LosesTheChain);
        self.inner.commit(Advance { chain, ..advance }).await
    }
    async fn roll_back(self: Box<Self>) -> Result<(), DatabaseError> {
        self.inner.roll_back().await
    }
}

struct BrokenView {
    inner: Box<dyn View>,
    backend: Arc<dyn Backend>,
    slot: Slot,
    bug: Bug,
}

#[async_trait]
impl View for BrokenView {
    fn generation(&self) -> GenerationId {
        self.inner.generation()
    }
    fn status(&self) -> &GenerationStatus {
        self.inner.status()
    }
    async fn get(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError> {
        self.inner.get(table, keys).await
    }
    async fn query(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        wanted: &[ColumnKind],
        rows_max: usize,
    ) -> Result<Batch, DatabaseError> {
        if self.bug == Bug::ViewsWhatIsNew {
            let again = Target::Generation(self.inner.generation());
            self.inner = self.backend.view(&self.slot, again).await?;
        }
        let rows_max = if self.bug == Bug::ReadsAllRows { usize::MAX } else { rows_max };
        let values = match self.bug {
            Bug::IgnoresParameters => values.iter().map(|_| Value::Null).collect(),
            _ => values,
        };
        let sql = match self.bug {
            Bug::SortsNothing => sql.replace("ORDER BY cell", "ORDER BY lower(cell)"),
            _ => sql.to_owned(),
        };
        self.inner.query(&sql, values, wanted, rows_max).await
    }
    fn native(&mut self) -> &mut (dyn Any + Send) {
        self.inner.native()
    }
}
