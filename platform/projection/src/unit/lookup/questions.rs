//! What the events of a batch ask a lookup.

use crate::{error::FoldError, table::TableKey, unit::Write};
use annals_event::Sequence;
use async_trait::async_trait;
use std::{any::Any, marker::PhantomData};

/// The questions to one lookup whose values are `V`.
#[async_trait]
pub(in crate::unit) trait Questions<V>: Any + Send + Sync {
    /// The answers, in the order of the questions.
    async fn answers(&self, write: &mut Write<'_>) -> Result<Vec<V>, Unanswered>;
}

/// Why there are no answers.
pub(in crate::unit) enum Unanswered {
    /// The lookup cannot answer the event at `sequence`.
    Unknown {
        sequence: Sequence,
        reason: String,
    },
    Database(FoldError),
}

/// The same of one lookup of known keys.
pub(in crate::unit) struct QuestionsOf<K, V> {
    lookup: &'static str,
    asked: Vec<(Sequence, K)>,
    values: PhantomData<fn() -> V>,
}

impl<K, V> QuestionsOf<K, V> {
    pub(super) fn of(lookup: &'static str) -> Self {
        Self { lookup, asked: Vec::new(), values: PhantomData }
    }

    /// The event at `sequence` asks for this key; says which question that is.
    pub(in crate::unit) fn ask(&mut self, sequence: Sequence, key: K) -> usize {
        self.asked.push((sequence, key));
        self.asked.len() - 1
    }
}

#[async_trait]
impl<K: TableKey, V: TableKey> Questions<V> for QuestionsOf<K, V> {
    async fn answers(&self, write: &mut Write<'_>) -> Result<Vec<V>, Unanswered> {
        let unknown = |(sequence, reason)| Unanswered::Unknown { sequence, reason };
        let mut cache = write.lookups.take::<K, V>(self.lookup);
        let keys = self.asked.iter().map(|(sequence, key)| (*sequence, key));
        let loaded = cache.load(keys, write.tx).await.map_err(Unanswered::Database)?;
        loaded.map_err(|(sequence, error)| unknown((sequence, error.to_string())))?;
        let answer = |(sequence, key): &(Sequence, K)| {
            cache.get(key, *sequence).map_err(|reason| unknown((*sequence, reason)))
        };
        let answers = self.asked.iter().map(answer).collect::<Result<_, _>>()?;
        write.lookups.put(cache);
        Ok(answers)
    }
}
