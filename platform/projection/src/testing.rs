//! Tests of projections: given events, then rows; run on the production code, against a real database.
//!
//! ```ignore
//! given(&model).events("order-1", [Placed { .. }, Paid { .. }]).await.then_rows([CustomerValue { .. }]).await;
//! ```
//!
//! Each event is encoded and decoded on its way. The events are folded three times, each time into a generation of its own,
//! and the rows must be the same:
//!
//! * all at once;
//! * one by one;
//! * one by one, each delivered twice: it is folded and rolled back before the commit, as if the worker had been stopped there,
//!   then decoded and folded again. This shows a fold that remembers anything outside its rows. Once committed, the event is
//!   delivered again, which must change nothing.

use crate::{
    Catalog, FoldControl, GenerationId, Generations, Origin, ReadModel, Reader, Table, Until,
    fold::{Feed, FeedOptions, GenerationWriter},
};
use annals_aggregate::{encode, testing::difference};
use annals_event::{Append, Event, EventId, ExpectedVersion, Metadata, Sequence, StreamName, Timestamp};
use annals_store::{EventStore, GappedStore, ReadLog};
use annals_telemetry::Run;
use std::{
    error::Error,
    fmt::Debug,
    fs,
    panic::Location,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// A read model to which these events happen. Add some with [`events`](Self::events).
pub struct Given {
    model: ReadModel,
    store: GappedStore,
}

/// A read model to which nothing has happened yet.
#[must_use = "say what happens with `events` and what the rows should be with `then_rows`"]
pub fn given(model: &ReadModel) -> Given {
    Given { model: model.clone(), store: GappedStore::new() }
}

impl Given {
    /// The events that are given from here on were recorded at this time, or at that of the event before when that is later.
    /// Without it they are recorded now.
    pub fn at(self, time: Timestamp) -> Self {
        self.store.set_clock(time);
        self
    }

    /// These events happen on `stream`.
    #[track_caller]
    pub fn events<E: Event>(
        self,
        stream: &str,
        events: impl IntoIterator<Item = E>,
    ) -> impl Future<Output = Self> {
        let (caller, events) = (Location::caller(), events.into_iter().collect::<Vec<E>>());
        async move {
            match self.append(stream, &events).await {
                Ok(()) => self,
                Err(error) => panic!("{caller}: a given event cannot be appended: {error}"),
            }
        }
    }

    async fn append<E: Event>(&self, stream: &str, events: &[E]) -> Result<(), Box<dyn Error>> {
        let events = encode(events, &Metadata::default(), |_| EventId::generate())?;
        let append = Append::to(StreamName::new(stream)?, ExpectedVersion::Any, events);
        self.store.append(append).await?;
        Ok(())
    }

    /// Then these are the rows of `R`'s table, in the order of their keys.
    #[track_caller]
    pub fn then_rows<R: Table + Debug>(
        self,
        expected: impl IntoIterator<Item = R>,
    ) -> impl Future<Output = Self> {
        // A future is polled by the runtime, so the caller's line is told in words.
        let (caller, expected) = (Location::caller(), expected.into_iter().collect::<Vec<R>>());
        async move {
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
    }

    async fn fold<R: Table>(&self) -> Result<Folded<R>, Box<dyn Error>> {
        let folder = Folder::new()?;
        let catalog = Catalog::open(&folder.0).await?;
        let store: Arc<dyn EventStore> = Arc::new(self.store.clone());
        let generations = Generations::new(catalog.clone(), self.model.clone(), store.clone());
        let [first, second, third] = [(); 3].map(|()| GenerationId::generate());
        let path = |id| catalog.generation_path(self.model.name(), id);
        let rows = async |id| Reader::of_file(id, &path(id), &self.model).await?.all::<R>().await;

        generations.create(first, Origin::Empty).await?;
        generations.fold_to(first, Until::Head, FoldControl::default()).await?;
        let at_once = rows(first).await?;

        generations.create(second, Origin::Empty).await?;
        let page = store.read_log(ReadLog::from(Sequence::FIRST)).await?;
        for event in page.events.iter() {
            let until = Until::Sequence(event.sequence());
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
    ) -> Result<(), Box<dyn Error>> {
        let mut writer = GenerationWriter::claim(id, path, &self.model, &**store).await?;
        let page = store.read_log(ReadLog::from(Sequence::FIRST)).await?;
        for until in page.events.iter().map(|event| event.sequence()) {
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
