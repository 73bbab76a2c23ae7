//! What a batch's events do to rows, one by one.

use crate::unit::lookup::Questions;
use annals_event::Sequence;

/// One event changes one row by one handler.
pub(super) struct Step<K> {
    pub(super) sequence: Sequence,
    /// Which column its event stands in, and where there.
    pub(super) column: usize,
    pub(super) at: usize,
    /// The handler, among those of the column.
    pub(super) handler: usize,
    /// The handler's place among all of the fold.
    pub(super) place: usize,
    pub(super) key: RowKey<K>,
}

/// Which row a step changes.
pub(super) enum RowKey<K> {
    Known(K),
    /// What a lookup answers to a question.
    Asked {
        lookup: usize,
        question: usize,
    },
}

/// The keys that handlers found.
pub(super) struct Found<K> {
    /// Those of the handler that runs.
    pub(super) keys: Vec<RowKey<K>>,
    /// What is asked of each lookup of the fold.
    pub(super) questions: Vec<Box<dyn Questions<K>>>,
}
