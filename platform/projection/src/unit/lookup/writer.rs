//! Writes what events make a lookup remember.

use super::cache::pair_cells;
use crate::{
    error::{EventError, EventFault, FoldError},
    table::TableKey,
    unit::{Decoded, UnitWriter, Write},
};
use annals_event::{EventId, Recorded, Sequence, StreamName};
use async_trait::async_trait;
use std::marker::PhantomData;

/// What one event makes the lookup remember.
pub(super) struct Entry<K, V> {
    sequence: Sequence,
    id: EventId,
    stream: StreamName,
    key: K,
    value: V,
}

pub(super) struct LookupWriter<K, V> {
    name: &'static str,
    pairs: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Entry<K, V> {
    pub(super) fn new<E>(event: &Recorded<E>, key: K, value: V) -> Self {
        Self { sequence: event.sequence, id: event.id, stream: event.stream.clone(), key, value }
    }

    fn unfit(&self, reason: String) -> EventError {
        let (stream, fault) = (self.stream.to_string(), EventFault::Unfit);
        EventError { sequence: self.sequence, id: self.id, stream, fault, reason }
    }
}

impl<K, V> LookupWriter<K, V> {
    pub(super) fn of(name: &'static str) -> Self {
        Self { name, pairs: PhantomData }
    }
}

#[async_trait]
impl<K: TableKey, V: TableKey> UnitWriter for LookupWriter<K, V> {
    async fn apply(&mut self, decoded: &Decoded, write: &mut Write<'_>) -> Result<usize, FoldError> {
        let Some(entries) = decoded.downcast_ref::<Vec<Entry<K, V>>>() else {
            return Ok(0);
        };
        let mut cache = write.lookups.take::<K, V>(self.name);
        cache.make_room();
        let keys = entries.iter().map(|entry| (entry, &entry.key));
        let loaded = cache.load(keys, write.tx).await?;
        loaded.map_err(|(entry, error)| entry.unfit(error.to_string()))?;
        let mut rows = Vec::new();
        for entry in entries {
            let Entry { sequence, key, value, .. } = entry;
            if cache.remember(key, value, *sequence).map_err(|reason| entry.unfit(reason))? {
                let cells = pair_cells(key, value, *sequence);
                rows.push(cells.map_err(|error| entry.unfit(error.to_string()))?);
            }
        }
        let written = rows.len();
        cache.store(rows, write.tx).await?;
        write.lookups.put(cache);
        Ok(written)
    }

    fn reset(&mut self) {}
}
