//! A projection that panics on an event is stopped at that event, and takes nothing else with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use annals_event::{Recorded, Sequence};
use annals_projection::{
    ApplyError, EventError, FoldControl, FoldError, GenerationError, GenerationId, Origin, ReadModel,
    SqlProjection, SqlTable, TableProjection, Until,
};
use annals_projection_sqlite::{SqlError, Sqlite};
use async_trait::async_trait;
use sqlx::SqliteConnection;
use support::{Account, Accounts, Items, PATIENCE, Till, World, append, sales};

/// Where the author's code panics on [`Till::Broken`].
#[derive(Clone, Copy, Debug)]
enum Place {
    Keys,
    Fold,
    Sql,
}

const PLACES: [Place; 3] = [Place::Keys, Place::Fold, Place::Sql];

struct PanickingTable(Place);

impl TableProjection for PanickingTable {
    type Event = Till;
    type Row = Account;

    fn keys(&self, event: &Recorded<Till>) -> Vec<String> {
        match (self.0, &event.event) {
            (Place::Keys, Till::Broken) => panic!("no key"),
            _ => Accounts::default().keys(event),
        }
    }

    fn fold(
        &self,
        row: &mut Option<Account>,
        key: &String,
        event: &Recorded<Till>,
    ) -> Result<(), ApplyError> {
        match (self.0, &event.event) {
            (Place::Fold, Till::Broken) => panic!("no fold"),
            (_, Till::Broken) => Ok(()),
            _ => Accounts::default().fold(row, key, event),
        }
    }
}

struct PanickingSql(Place);

#[async_trait]
impl SqlProjection for PanickingSql {
    type Event = Till;
    type Database = Sqlite;

    fn tables(&self) -> Vec<SqlTable> {
        Items.tables()
    }

    async fn apply(&self, event: &Recorded<Till>, connection: &mut SqliteConnection) -> Result<(), SqlError> {
        match (self.0, &event.event) {
            (Place::Sql, Till::Broken) => panic!("no SQL"),
            _ => Items.apply(event, connection).await,
        }
    }
}

fn panicking(place: Place) -> ReadModel {
    let builder = ReadModel::named("till");
    builder.projection(PanickingTable(place)).sql(PanickingSql(place)).build().unwrap()
}

/// Events, one that a projection panics on, and more events.
async fn broken_log(world: &World, events: usize) -> Sequence {
    append(&world.store, &sales(events, 7)).await;
    let broken = append(&world.store, &[Till::Broken]).await;
    append(&world.store, &sales(events, 7)).await;
    broken
}

fn check(error: Option<&FoldError>, broken: Sequence) {
    match error {
        Some(FoldError::Event(EventError { sequence, reason, .. })) => {
            assert_eq!(*sequence, broken);
            assert!(reason.contains("panicked: no "), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_stops_right_before_the_event_that_its_projection_panics_on() {
    // Few events are decoded where they are read, many on another thread.
    for (place, events) in PLACES.into_iter().flat_map(|place| [(place, 3), (place, 200)]) {
        let world = World::new();
        let broken = broken_log(&world, events).await;
        let running = world.start(&panicking(place)).await;
        let handle = running.handle.clone();
        check(running.ended().await.fold_error(), broken);
        let reader = handle.wait_for(broken.previous(), PATIENCE).await.unwrap();
        assert_eq!(reader.checkpoint(), broken.previous(), "{place:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_panics_fails_and_never_says_that_it_is_done() {
    for place in PLACES {
        let world = World::new();
        let broken = broken_log(&world, 200).await;
        let generations = world.generations(&panicking(place)).await;
        let id = GenerationId::generate();
        generations.create(id, Origin::Empty).await.unwrap();
        let folded = generations.fold_to(id, Until::Head, FoldControl::default()).await;
        match folded {
            Err(GenerationError::Fold(error)) => check(Some(&error), broken),
            other => panic!("{place:?}: {other:?}"),
        }
    }
}
