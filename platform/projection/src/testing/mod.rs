//! Tests of read models: given events, then rows; run on the production code, against a real database.
//!
//! ```ignore
//! given_rows(customer_values())
//!     .at("2026-11-27T09:00Z")
//!     .events("order-o-17", [placed()])
//!     .event("payment-o-17", captured())
//!     .then([CustomerValue { .. }])
//!     .await;
//! ```
//!
//! [`given_rows`] tests one fold, [`given_model`] a read model of any tables.
//!
//! Each event is encoded and decoded on its way. The events are folded three times, each time into a generation of its own,
//! and the rows must be the same:
//!
//! * all at once;
//! * one by one;
//! * one by one, each delivered twice: it is folded and rolled back before the commit, as if the worker had been stopped there,
//!   then decoded and folded again. This shows a fold that remembers anything outside its rows. Once committed, the event is
//!   delivered again, which must change nothing.

mod history;

use crate::{
    Catalog, Fold, FoldControl, FoldError, GenerationError, GenerationId, Generations, Origin, ReadModel,
    Reader, Table, Until,
    fold::{Feed, FeedOptions, GenerationWriter},
};
use annals_aggregate::testing::difference;
use annals_event::{Event, Metadata};
use annals_store::EventStore;
use annals_telemetry::Run;
use history::{History, Time};
use std::{
    error::Error,
    fmt::Debug,
    fs,
    marker::PhantomData,
    panic::Location,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// A read model to which events happen; `S` is the row of a single table, or the [`ReadModel`] itself.
pub struct Given<S> {
    model: ReadModel,
    history: History,
    subject: PhantomData<fn() -> S>,
}

/// A fold to which nothing has happened yet.
#[must_use = "say what happens with `events`, and then what the rows should be"]
#[track_caller]
pub fn given_rows<R: Table>(fold: Fold<R>) -> Given<R> {
    let model = ReadModel::named(R::SCHEMA.name).table(fold).build();
    match model {
        Ok(model) => Given::of(model),
        Err(error) => panic!("the fold cannot be part of a read model: {error}"),
    }
}

/// A read model to which nothing has happened yet.
#[must_use = "say what happens with `events`, and then what the rows should be"]
pub fn given_model(model: &ReadModel) -> Given<ReadModel> {
    Given::of(model.clone())
}

impl<S> Given<S> {
    fn of(model: ReadModel) -> Self {
        Self { model, history: History::default(), subject: PhantomData }
    }

    /// The events that are given from here on were recorded at this time, a [`Timestamp`](annals_event::Timestamp) or a
    /// text like `2026-11-27T09:00Z`; or at that of the event before when that is later. Without it they are recorded now.
    #[track_caller]
    pub fn at(mut self, time: impl Time) -> Self {
        self.history.set_time(time);
        self
    }

    /// The events that are given from here on have this metadata. Without it they have none.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.history.set_metadata(metadata);
        self
    }

    /// This event happens on `stream`.
    #[track_caller]
    pub fn event<E: Event>(self, stream: &str, event: E) -> Self {
        self.events(stream, [event])
    }

    /// These events happen on `stream`, at once.
    #[track_caller]
    pub fn events<E: Event>(mut self, stream: &str, events: impl IntoIterator<Item = E>) -> Self {
        let events: Vec<E> = events.into_iter().collect();
        if let Err(error) = self.history.add(stream, &events) {
            panic!("a given event cannot be appended: {error}");
        }
        self
    }

    async fn check<R: Table + Debug>(self, expected: Vec<R>, caller: &Location<'_>) -> Self {
        let Folded { at_once, one_by_one, twice } = match self.fold::<R>().await {
            Ok(folded) => folded,
            Err(error) => panic!("{caller}: the events cannot be folded: {error}"),
        };
        let must_be_same = |(before, minus): (&[R], &str), (after, plus): (&[R], &str)| {
            if let Some(difference) = difference(before, after) {
                panic!("{caller}: the rows differ (- {minus}, + {plus})\n{difference}");
            }
        };
        must_be_same((&at_once, "folded all at once"), (&one_by_one, "folded one by one"));
        must_be_same((&at_once, "delivered once"), (&twice, "delivered twice"));
        must_be_same((&expected, "expected"), (&at_once, "actual"));
        self
    }

    /// Then an event cannot be applied, for a reason that has this text.
    #[track_caller]
    pub fn then_error(self, reason: &str) -> impl Future<Output = ()> {
        let (caller, reason) = (Location::caller(), reason.to_owned());
        async move {
            match self.refused().await {
                Ok(Some(found)) if found.contains(&reason) => {}
                Ok(Some(found)) => panic!("{caller}: expected {reason:?}, but the reason is {found:?}"),
                Ok(None) => panic!("{caller}: expected {reason:?}, but every event can be applied"),
                Err(error) => panic!("{caller}: the events cannot be folded: {error}"),
            }
        }
    }

    async fn refused(&self) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        let folder = Folder::new()?;
        let store: Arc<dyn EventStore> = Arc::new(self.history.store().await?);
        let generations = Generations::new(Catalog::open(&folder.0).await?, self.model.clone(), store);
        let id = GenerationId::generate();
        generations.create(id, Origin::Empty).await?;
        match generations.fold_to(id, Until::Head, FoldControl::default()).await {
            Ok(_) => Ok(None),
            Err(GenerationError::Fold(FoldError::Event(error))) => Ok(Some(error.reason)),
            Err(error) => Err(error.into()),
        }
    }

    async fn fold<R: Table>(&self) -> Result<Folded<R>, Box<dyn Error + Send + Sync>> {
        let folder = Folder::new()?;
        let catalog = Catalog::open(&folder.0).await?;
        let store: Arc<dyn EventStore> = Arc::new(self.history.store().await?);
        let sequences = history::sequences(&*store).await?;
        let generations = Generations::new(catalog.clone(), self.model.clone(), store.clone());
        let [first, second, third] = [(); 3].map(|()| GenerationId::generate());
        let path = |id| catalog.generation_path(self.model.name(), id);
        let rows = async |id| Reader::of_file(id, &path(id), &self.model).await?.all::<R>().await;

        generations.create(first, Origin::Empty).await?;
        generations.fold_to(first, Until::Head, FoldControl::default()).await?;
        let at_once = rows(first).await?;

        generations.create(second, Origin::Empty).await?;
        for sequence in &sequences {
            let until = Until::Sequence(*sequence);
            generations.fold_to(second, until, FoldControl::default()).await?;
        }
        let one_by_one = rows(second).await?;

        generations.create(third, Origin::Empty).await?;
        self.deliver_twice(third, &path(third), &store).await?;
        Ok(Folded { at_once, one_by_one, twice: rows(third).await? })
    }

    /// Delivers every event twice: once in vain, and once more when it is committed.
    async fn deliver_twice(
        &self,
        id: GenerationId,
        path: &Path,
        store: &Arc<dyn EventStore>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut writer = GenerationWriter::claim(id, path, &self.model, &**store).await?;
        for until in history::sequences(&**store).await? {
            let (model, store) = (self.model.clone(), store.clone());
            let mut feed = Feed::start(FeedOptions { model, store, place: writer.place(), until });
            while let Some(batch) = feed.next().await {
                let batch = batch?;
                writer.apply_in_vain(&batch, Run::Replay).await?;
                let again = batch.again(&self.model)?;
                writer.apply(&again, Run::Replay).await?;
                let committed = writer.status().clone();
                let rows = writer.apply(&again, Run::Replay).await?;
                assert!(
                    rows == 0 && *writer.status() == committed,
                    "an event was folded below the checkpoint"
                );
            }
        }
        Ok(writer.close().await?)
    }
}

impl<R: Table + Debug> Given<R> {
    /// Then these are the rows, in the order of their keys.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = R>) -> impl Future<Output = Self> {
        // A future is polled by the runtime, so the caller's line is told in words.
        let (caller, expected) = (Location::caller(), expected.into_iter().collect());
        async move { self.check(expected, caller).await }
    }
}

impl Given<ReadModel> {
    /// Then these are the rows of `R`'s table, in the order of their keys.
    #[track_caller]
    pub fn then_rows<R: Table + Debug>(
        self,
        expected: impl IntoIterator<Item = R>,
    ) -> impl Future<Output = Self> {
        let (caller, expected) = (Location::caller(), expected.into_iter().collect());
        async move { self.check(expected, caller).await }
    }
}

struct Folded<R> {
    at_once: Vec<R>,
    one_by_one: Vec<R>,
    twice: Vec<R>,
}

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("annals-{}", Uuid::now_v7()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder of a test that cannot be removed is the system's to clean.
        let _ = fs::remove_dir_all(&self.0);
    }
}
