//! The fold of a table projection: load the touched rows in one query, fold in memory, write back in bulk.
//!
//! Rows are cached from batch to batch, so that a rebuild with few keys reads each row once. The cache is right as long as
//! this writer is the only one, which the epoch guarantees. After a batch that was not committed the cache is emptied.

use super::{Decoded, TableDefinition, Unit, UnitWriter, Write, decode_known, guarded};
use crate::{
    ApplyError, TableProjection,
    error::{EventError, FoldError, ModelError},
    identifier::check_identifier,
    sqlite::{TableStatements, read_cells},
    table::{SEQUENCE_COLUMN, Table, TableError, TableKey, TableSchema, cell},
    value::Value,
};
use annals_event::{Event, EventBatch, Recorded, Sequence};
use annals_telemetry::process_span;
use async_trait::async_trait;
use sqlx::SqliteConnection;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

/// How many rows of a table are remembered between batches.
const ROWS_REMEMBERED_MAX: usize = 65_536;

type Row<P> = <P as TableProjection>::Row;
type Key<P> = <Row<P> as Table>::Key;

/// A table projection with its types erased.
pub(crate) struct TableUnit<P> {
    projection: P,
}

/// A batch as a table projection sees it: its events, and the keys of each.
struct Work<P: TableProjection>(Vec<Keyed<P>>);

type Keyed<P> = (Recorded<<P as TableProjection>::Event>, Vec<Key<P>>);

impl<P: TableProjection> TableUnit<P> {
    pub(crate) fn new(projection: P) -> Self {
        Self { projection }
    }

    fn keyed(&self, event: Recorded<P::Event>) -> Result<Keyed<P>, EventError> {
        let keys = guarded(|| self.projection.keys(&event));
        let keys = keys.map_err(|reason| EventError::of(&event, reason))?;
        // Nearly always one key: a set would cost more than it saves.
        let keys = if keys.len() > 1 { without_repeats(keys) } else { keys };
        Ok((event, keys))
    }
}

/// Each key where it stands first.
fn without_repeats<K: Eq + Hash>(mut keys: Vec<K>) -> Vec<K> {
    let mut seen = HashSet::with_capacity(keys.len());
    let is_first: Vec<bool> = keys.iter().map(|key| seen.insert(key)).collect();
    let mut is_first = is_first.into_iter();
    keys.retain(|_| is_first.next().unwrap_or(false));
    keys
}

impl<P: TableProjection> Unit for TableUnit<P> {
    fn tables(&self) -> Result<Vec<TableDefinition>, ModelError> {
        let schema = Row::<P>::SCHEMA;
        check_schema(&schema)?;
        let ddl = TableStatements::new(&schema).create().to_owned();
        Ok(vec![TableDefinition { name: schema.name.into(), ddl }])
    }

    fn event_types(&self) -> Vec<&'static str> {
        P::Event::TYPES.iter().map(|(name, _)| *name).collect()
    }

    fn decode(&self, events: &[EventBatch]) -> Result<Decoded, EventError> {
        let events = decode_known::<P::Event>(events)?;
        let keyed = events.into_iter().map(|event| self.keyed(event)).collect::<Result<_, _>>()?;
        Ok(Box::new(Work::<P>(keyed)))
    }

    fn writer(self: Arc<Self>) -> Box<dyn UnitWriter> {
        let statements = TableStatements::new(&Row::<P>::SCHEMA);
        Box::new(TableWriter { unit: self, statements, rows: HashMap::new() })
    }
}

fn check_schema(schema: &TableSchema) -> Result<(), ModelError> {
    let table = || schema.name.to_owned();
    check_identifier("table", schema.name)?;
    let mut names = BTreeSet::new();
    for column in schema.columns {
        check_identifier("column", column.name)?;
        if !names.insert(column.name.to_ascii_lowercase()) {
            return Err(ModelError::RepeatedColumn { table: table(), column: column.name.to_owned() });
        }
        if column.key && column.nullable {
            return Err(ModelError::NullableKey { table: table(), column: column.name.to_owned() });
        }
    }
    if !schema.columns.iter().any(|column| column.key) {
        return Err(ModelError::NoKey(table()));
    }
    match schema.indexes.iter().find(|index| !schema.columns.iter().any(|column| column.name == **index)) {
        Some(index) => Err(ModelError::UnknownIndex { table: table(), column: (*index).to_owned() }),
        None => Ok(()),
    }
}

/// A row in memory.
struct Slot<R> {
    row: Option<R>,
    /// The event that last changed it; `None`: it is as the database has it.
    changed_by: Option<Sequence>,
}

struct TableWriter<P: TableProjection> {
    unit: Arc<TableUnit<P>>,
    statements: TableStatements,
    rows: HashMap<Key<P>, Slot<Row<P>>>,
}

#[async_trait]
impl<P: TableProjection> UnitWriter for TableWriter<P> {
    async fn apply(&mut self, decoded: &Decoded, write: &mut Write<'_>) -> Result<usize, FoldError> {
        let Some(Work(events)) = decoded.downcast_ref::<Work<P>>() else {
            return Ok(0);
        };
        if self.rows.len() > ROWS_REMEMBERED_MAX {
            self.rows.clear();
        }
        self.load(events, write.connection).await?;
        let mut changed = Vec::new();
        for (event, keys) in events {
            let _handling = process_span(write.consumer, event, write.run).entered();
            for key in keys {
                self.fold(event, key, &mut changed)?;
            }
        }
        self.store(&changed, events, write.connection).await?;
        Ok(changed.len())
    }

    fn reset(&mut self) {
        self.rows.clear();
    }
}

impl<P: TableProjection> TableWriter<P> {
    /// Reads the rows that the events touch and that are not remembered.
    async fn load(
        &mut self,
        events: &[Keyed<P>],
        connection: &mut SqliteConnection,
    ) -> Result<(), FoldError> {
        let mut wanted = Vec::new();
        for (event, keys) in events {
            for key in keys {
                if self.rows.contains_key(key) {
                    continue;
                }
                wanted.push(key_cells(key).map_err(|error| unfit(event, &error.to_string()))?);
                self.rows.insert(key.clone(), Slot { row: None, changed_by: None });
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        for row in self.statements.select(connection, wanted).await? {
            let row = read_row::<Row<P>>(&row)?;
            self.rows.insert(row.key(), Slot { row: Some(row), changed_by: None });
        }
        Ok(())
    }

    /// Lets one event change one row.
    fn fold(
        &mut self,
        event: &Recorded<P::Event>,
        key: &Key<P>,
        changed: &mut Vec<Key<P>>,
    ) -> Result<(), FoldError> {
        let Some(slot) = self.rows.get_mut(key) else {
            return Ok(());
        };
        let before = slot.row.clone();
        let folded = guarded(|| self.unit.projection.fold(&mut slot.row, key, event));
        let folded = folded.unwrap_or_else(|panic| Err(ApplyError::new(panic)));
        folded.map_err(|error| EventError::from_apply(event, error))?;
        if slot.row.as_ref().is_some_and(|row| row.key() != *key) {
            return Err(unfit(
                event,
                "the fold changed the row's key; delete the row and create the other one",
            ));
        }
        if slot.row != before && slot.changed_by.replace(event.sequence).is_none() {
            changed.push(key.clone());
        }
        Ok(())
    }

    /// Writes the changed rows.
    async fn store(
        &mut self,
        changed: &[Key<P>],
        events: &[Keyed<P>],
        connection: &mut SqliteConnection,
    ) -> Result<(), FoldError> {
        let (mut upserts, mut deletes) = (Vec::new(), Vec::new());
        for key in changed {
            let Some(slot) = self.rows.get_mut(key) else { continue };
            let Some(sequence) = slot.changed_by.take() else { continue };
            match &slot.row {
                Some(row) => upserts.push(cells(row, sequence).map_err(|e| misfit(events, sequence, &e))?),
                None => deletes.push(key_cells(key).map_err(|e| misfit(events, sequence, &e))?),
            }
        }
        self.statements.upsert(connection, upserts).await?;
        self.statements.delete(connection, deletes).await?;
        Ok(())
    }
}

/// A row's cells and its sequence number.
fn cells<R: Table>(row: &R, sequence: Sequence) -> Result<Vec<Value>, TableError> {
    let mut cells = row.to_values()?;
    cells.push(cell(SEQUENCE_COLUMN, &sequence)?);
    Ok(cells)
}

fn key_cells<K: TableKey>(key: &K) -> Result<Vec<Value>, TableError> {
    key.to_values().map_err(|reason| TableError::Cell { column: "the key".to_owned(), reason })
}

fn unfit<E>(event: &Recorded<E>, reason: &str) -> FoldError {
    EventError::of(event, reason.to_owned()).into()
}

/// The row that the event at `sequence` made cannot be stored.
fn misfit<E, K>(events: &[(Recorded<E>, K)], sequence: Sequence, error: &TableError) -> FoldError {
    match events.iter().find(|(event, _)| event.sequence == sequence) {
        Some((event, _)) => unfit(event, &error.to_string()),
        None => sqlx::Error::Encode(error.to_string().into()).into(),
    }
}

/// The row that a query by the schema's columns found.
fn read_row<R: Table>(row: &sqlx::sqlite::SqliteRow) -> Result<R, sqlx::Error> {
    let cells = read_cells(row, R::SCHEMA.columns.len())?;
    R::from_values(cells).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        hash::Hasher,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// A key that counts how often one is compared with another.
    #[derive(Clone)]
    struct Counted<'a>(usize, &'a AtomicUsize);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0 == other.0
        }
    }
    impl Eq for Counted<'_> {}
    impl Hash for Counted<'_> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    #[test]
    fn of_80_000_keys_each_is_kept_once_with_no_more_comparisons_than_keys() {
        const KEYS: usize = 80_000;
        let compared = AtomicUsize::new(0);
        let keys = (0..KEYS).map(|at| Counted(at * 7 % (KEYS / 2), &compared)).collect();
        let kept: Vec<usize> = without_repeats(keys).into_iter().map(|key| key.0).collect();
        assert_eq!(kept, (0..KEYS / 2).map(|at| at * 7 % (KEYS / 2)).collect::<Vec<_>>());
        let compared = compared.into_inner();
        assert!(compared <= 2 * KEYS, "{compared} comparisons of {KEYS} keys");
    }
}
