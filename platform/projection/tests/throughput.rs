//! How fast a rebuild is, and how soon an event is in the rows. Run with
//! `cargo test --release -p annals-projection --test throughput -- --ignored --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod support;

use annals_event::{CodecError, Event, Recorded};
use annals_projection::{
    Fold, FoldControl, GenerationId, Generations, Origin, ProjectorOptions, ReadModel, Until,
};
use annals_store::EventStore;
use annals_store_log::{LogStore, Options};
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use support::{Account, Accounts, PATIENCE, Running, Till, World, append, sales, sold};
use tempfile::TempDir;

const EVENTS: usize = 500_000;
const EVENTS_AT_HEAD: usize = 5_000;

fn accounts() -> ReadModel {
    ReadModel::named("till").projection(Accounts::default()).build().unwrap()
}

async fn log() -> (TempDir, Arc<dyn EventStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path(), Options::default()).await.unwrap();
    (folder, Arc::new(store))
}

/// The events of the till, each a type of its own.
macro_rules! till_event {
    ($name:ident, $stored:literal, $variant:ident { $($field:ident: $type:ty),+ }) => {
        struct $name { $($field: $type),+ }

        impl Event for $name {
            const TYPES: &'static [(&'static str, u32)] = &[($stored, 1)];

            fn event_type(&self) -> &'static str {
                $stored
            }
            fn schema_version(&self) -> u32 {
                1
            }
            fn encode(&self) -> Result<Bytes, CodecError> {
                Till::$variant { $($field: self.$field.clone()),+ }.encode()
            }
            fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
                let till = Till::decode(event_type, payload)?;
                let Some(Till::$variant { $($field),+ }) = till else { return Ok(None) };
                Ok(Some(Self { $($field),+ }))
            }
        }
    };
}

till_event!(Sold, "till.sold", Sold { customer: String, item: String, cents: i64 });
till_event!(Left, "till.left", Left { customer: String });

/// The same table, put together from a handler.
fn fold() -> Fold<Account> {
    let first =
        |e: &Recorded<Sold>| Account { customer: e.customer.clone(), sales: 0, cents: 0, last_item: None };
    let sell = |row: &mut Account, e: &Recorded<Sold>| {
        (row.sales, row.cents) = (row.sales + 1, row.cents + e.cents);
        row.last_item = Some(e.item.clone());
    };
    Fold::<Account>::new()
        .upsert(|e: &Recorded<Sold>| e.customer.clone(), first, sell)
        .delete(|e: &Recorded<Left>| e.customer.clone())
}

/// Events per second of a rebuild.
async fn rebuild(model: &ReadModel, customers: usize) -> f64 {
    let world = World::new();
    append(&world.store, &sales(EVENTS, customers)).await;
    let generations = world.generations(model).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    let begun = Instant::now();
    let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(folded.status.applied.count, u64::try_from(EVENTS).unwrap());
    500_000.0 / seconds
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn a_rebuild_is_measured_with_few_and_with_many_rows() {
    let folds = ReadModel::named("till").table(fold()).build().unwrap();
    for customers in [100, 2_357, 200_003] {
        let (by_projection, by_fold) =
            (rebuild(&accounts(), customers).await, rebuild(&folds, customers).await);
        let ratio = by_fold / by_projection;
        println!("{customers} rows: {by_projection:.0} events/s, by handlers {by_fold:.0}, ratio {ratio:.2}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn a_rebuild_from_the_embedded_log_is_measured() {
    let ((_log, store), folder, model) = (log().await, tempfile::tempdir().unwrap(), accounts());
    // Of many appends, as real ones are.
    let sales = sales(EVENTS, 2_357);
    let appends = sales.chunks(20).map(|chunk| append(&*store, chunk));
    stream::iter(appends).buffer_unordered(256).for_each(|_| std::future::ready(())).await;
    let generations =
        Generations::new(annals_projection_sqlite::open(folder.path()).await.unwrap(), model, store);
    for _ in 0..5 {
        let id = GenerationId::generate();
        generations.create(id, Origin::Empty).await.unwrap();
        let begun = Instant::now();
        generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
        println!("{EVENTS} events: {:.0} events/s", 500_000.0 / begun.elapsed().as_secs_f64());
        generations.discard(id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn the_time_from_an_appended_event_to_its_row_is_measured() {
    let ((_log, store), folder) = (log().await, tempfile::tempdir().unwrap());
    let catalog = annals_projection_sqlite::open(folder.path()).await.unwrap();
    let running = Running::start(ProjectorOptions::new(catalog, accounts(), store.clone())).await;
    let mut times = Vec::with_capacity(EVENTS_AT_HEAD);
    for at in 0..EVENTS_AT_HEAD {
        let token = append(&*store, &[sold(&format!("c{}", at % 100), "cd", 1)]).await;
        let begun = Instant::now();
        running.handle.wait_for(token, PATIENCE).await.unwrap();
        times.push(begun.elapsed());
    }
    running.stop().await;
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1_000).copied().unwrap_or(Duration::MAX);
    println!("append to row: median {:?}, 95% {:?}, 99% {:?}", at(500), at(950), at(990));
}
