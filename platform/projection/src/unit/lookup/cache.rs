//! What the lookups of a generation have, as far as it is in memory.

use super::{Columns, text};
use crate::{
    backend::{Batch, DatabaseError, Tx},
    error::FoldError,
    table::{Cells, SEQUENCE_COLUMN, TableError, TableKey, cell, key_cells},
    unit::ROWS_REMEMBERED_MAX,
    value::Value,
};
use annals_event::Sequence;
use std::{any::Any, collections::HashMap};

/// The lookups that a generation's writer has asked, by name. What is taken out and not put back is read anew.
#[derive(Default)]
pub(crate) struct Lookups(HashMap<&'static str, Box<dyn Any + Send>>);

/// One lookup.
pub(super) struct Cache<K, V> {
    name: &'static str,
    known: HashMap<K, Known<V>>,
}

struct Known<V> {
    value: V,
    /// The event that made it known; `Sequence::ZERO`: one of an earlier batch.
    since: Sequence,
}

impl Lookups {
    pub(super) fn take<K: TableKey, V: TableKey>(&mut self, name: &'static str) -> Box<Cache<K, V>> {
        let cache = self.0.remove(name).and_then(|cache| cache.downcast().ok());
        cache.unwrap_or_else(|| Box::new(Cache::new(name)))
    }

    pub(super) fn put<K: TableKey, V: TableKey>(&mut self, cache: Box<Cache<K, V>>) {
        self.0.insert(cache.name, cache);
    }

    /// The transaction was not committed: what is remembered may be wrong.
    pub(crate) fn reset(&mut self) {
        self.0.clear();
    }
}

impl<K: TableKey, V: TableKey> Cache<K, V> {
    fn new(name: &'static str) -> Self {
        Self { name, known: HashMap::new() }
    }

    /// Makes room, between two batches.
    pub(super) fn make_room(&mut self) {
        if self.known.len() > ROWS_REMEMBERED_MAX {
            self.known.clear();
        }
    }

    /// Reads those of these keys that are not in memory; says whose key cannot be a column's value.
    pub(super) async fn load<'k, W>(
        &mut self,
        keys: impl Iterator<Item = (W, &'k K)>,
        tx: &mut dyn Tx,
    ) -> Result<Result<(), (W, TableError)>, FoldError> {
        let mut wanted = HashMap::new();
        for (whose, key) in keys {
            if self.known.contains_key(key) || wanted.contains_key(key) {
                continue;
            }
            match key_cells(key) {
                Ok(cells) => wanted.insert(key, cells),
                Err(error) => return Ok(Err((whose, error))),
            };
        }
        if wanted.is_empty() {
            return Ok(Ok(()));
        }
        let wanted = Batch::of(K::KINDS.len(), wanted.into_values().collect());
        for row in tx.load(&Columns::<K, V>::schema(self.name), wanted).await?.into_rows() {
            let (key, value) = read_pair(row).map_err(|error| DatabaseError::damaged(self.name, error))?;
            self.known.insert(key, Known { value, since: Sequence::ZERO });
        }
        Ok(Ok(()))
    }

    /// What an event at `sequence` is answered.
    pub(super) fn get(&self, key: &K, sequence: Sequence) -> Result<V, String> {
        match self.known.get(key).filter(|known| known.since <= sequence) {
            Some(known) => Ok(known.value.clone()),
            None => Err(format!("lookup {:?} has nothing for {}", self.name, text(key))),
        }
    }

    /// Remembers a pair of the event at `sequence`; says whether it is new.
    pub(super) fn remember(&mut self, key: &K, value: &V, since: Sequence) -> Result<bool, String> {
        match self.known.get(key) {
            None => {
                self.known.insert(key.clone(), Known { value: value.clone(), since });
                Ok(true)
            }
            Some(known) if known.value == *value => Ok(false),
            Some(known) => Err(format!(
                "lookup {:?} has {} for {} and keeps it; the event says {}",
                self.name,
                text(&known.value),
                text(key),
                text(value)
            )),
        }
    }

    /// Writes these rows.
    pub(super) async fn store(&self, rows: Vec<Vec<Value>>, tx: &mut dyn Tx) -> Result<(), FoldError> {
        let schema = Columns::<K, V>::schema(self.name);
        let rows = Batch::of(schema.columns.len() + 1, rows);
        Ok(tx.write(&schema, Batch::default(), rows).await?)
    }
}

/// The cells of a pair and of the event that it is from.
pub(super) fn pair_cells<K: TableKey, V: TableKey>(
    key: &K,
    value: &V,
    sequence: Sequence,
) -> Result<Vec<Value>, TableError> {
    let sequence = cell(SEQUENCE_COLUMN, &sequence)?;
    Ok(key_cells(key)?.into_iter().chain(key_cells(value)?).chain([sequence]).collect())
}

fn read_pair<K: TableKey, V: TableKey>(row: Vec<Value>) -> Result<(K, V), TableError> {
    let mut cells = Cells::new(row);
    Ok((K::take(&mut cells)?, V::take(&mut cells)?))
}
