//! Tests of read models: given events, then rows; run on the production code, against a real database.
//!
//! Each database's crate has these functions without the first argument: it is the database that the test needs.
//!
//! [`given_rows`] tests one fold, [`given_model`] a read model of any tables.
//!
//! Each event is encoded and decoded on its way. The events are folded three times, each time into a generation of its own,
//! and the rows must be the same, or the event that cannot be applied and the reason:
//!
//! * all at once;
//! * one by one;
//! * one by one, each delivered twice: it is folded and rolled back before the commit, as if the worker had been stopped there,
//!   then decoded and folded again. This shows a fold that remembers anything outside its rows. Once committed, the event is
//!   delivered again, which must change nothing.

mod history;
mod ways;

use crate::{Catalog, EventError, Fold, ReadModel, Table};
use annals_aggregate::testing::difference;
use annals_event::{Event, Metadata};
use async_trait::async_trait;
use history::{History, Time};
use std::{any::Any, error::Error, fmt::Debug, marker::PhantomData, panic::Location, sync::Arc};
use ways::{Bench, Way};

/// Where a test folds.
#[async_trait]
pub trait TestDatabase: Send + Sync + 'static {
    /// An empty catalog, and what is to be kept for as long as it is used.
    async fn catalog(&self) -> Result<(Catalog, Box<dyn Any + Send + Sync>), Box<dyn Error + Send + Sync>>;
}

/// A read model to which events happen; `S` is the row of a single table, or the [`ReadModel`] itself.
pub struct Given<S> {
    model: ReadModel,
    database: Arc<dyn TestDatabase>,
    history: History,
    subject: PhantomData<fn() -> S>,
}

/// A fold to which nothing has happened yet.
#[must_use = "say what happens with `events`, and then what the rows should be"]
#[track_caller]
pub fn given_rows<R: Table>(database: impl TestDatabase, fold: Fold<R>) -> Given<R> {
    let model = ReadModel::named(R::SCHEMA.name).table(fold).build();
    match model {
        Ok(model) => Given::of(database, model),
        Err(error) => panic!("the fold cannot be part of a read model: {error}"),
    }
}

/// A read model to which nothing has happened yet.
#[must_use = "say what happens with `events`, and then what the rows should be"]
pub fn given_model(database: impl TestDatabase, model: &ReadModel) -> Given<ReadModel> {
    Given::of(database, model.clone())
}

impl<S> Given<S> {
    fn of(database: impl TestDatabase, model: ReadModel) -> Self {
        let database = Arc::new(database);
        Self { model, database, history: History::default(), subject: PhantomData }
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
        let [at_once, others @ ..] = match self.rows::<R>().await {
            Ok(rows) => rows,
            Err(error) => panic!("{caller}: the events cannot be folded: {error}"),
        };
        let must_be_same = |before: (&[R], &str), after: &(Way, Vec<R>)| {
            if let Some(difference) = difference(before.0, &after.1) {
                panic!("{caller}: the rows differ (- {}, + {})\n{difference}", before.1, after.0.told());
            }
        };
        others.iter().for_each(|other| must_be_same((&at_once.1, at_once.0.told()), other));
        if let Some(difference) = difference(&expected, &at_once.1) {
            panic!("{caller}: the rows differ (- expected, + actual)\n{difference}");
        }
        self
    }

    /// Then an event cannot be applied, for a reason that has this text; however the events are folded, it is the same event
    /// and the same reason.
    #[track_caller]
    pub fn then_error(self, reason: &str) -> impl Future<Output = ()> {
        let (caller, reason) = (Location::caller(), reason.to_owned());
        async move {
            let [(first, at_once), others @ ..] = match self.refusals().await {
                Ok(refusals) => refusals,
                Err(error) => panic!("{caller}: the events cannot be folded: {error}"),
            };
            for (way, other) in others {
                let told = |refusal: &Option<EventError>| match refusal {
                    Some(error) => error.to_string(),
                    None => "every event can be applied".to_owned(),
                };
                let (before, after) = (told(&at_once), told(&other));
                assert!(before == after, "{caller}: {}, {before}; {}, {after}", first.told(), way.told());
            }
            match at_once.map(|error| error.reason) {
                Some(found) if found.contains(&reason) => {}
                Some(found) => panic!("{caller}: expected {reason:?}, but the reason is {found:?}"),
                None => panic!("{caller}: expected {reason:?}, but every event can be applied"),
            }
        }
    }

    async fn rows<R: Table>(&self) -> Result<[(Way, Vec<R>); 3], Box<dyn Error + Send + Sync>> {
        let bench = self.bench().await?;
        let mut rows = Way::ALL.map(|way| (way, Vec::new()));
        for (way, rows) in &mut rows {
            *rows = bench.rows(*way).await?;
        }
        Ok(rows)
    }

    async fn bench(&self) -> Result<Bench, Box<dyn Error + Send + Sync>> {
        Bench::new(&self.model, Arc::new(self.history.store().await?), &*self.database).await
    }

    async fn refusals(&self) -> Result<[(Way, Option<EventError>); 3], Box<dyn Error + Send + Sync>> {
        let bench = self.bench().await?;
        let mut refusals = Way::ALL.map(|way| (way, None));
        for (way, refusal) in &mut refusals {
            *refusal = bench.refusal(*way).await?;
        }
        Ok(refusals)
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
