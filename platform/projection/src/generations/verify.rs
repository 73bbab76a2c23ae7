//! Verifying a candidate: it must have every event of the log, and its rows are compared with the live ones.

use super::{FoldControl, FoldStopped, Generations, RowSample, Until, merge::compare_table};
use crate::{GenerationError, GenerationId, Reader, ReaderError, Readers};
use annals_event::Sequence;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long one waits for the live generation to get where the candidate is.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often one looks.
const POLL: Duration = Duration::from_millis(20);

/// How the candidate's rows differ from the live generation's at the same sequence number.
///
/// Every column is compared except `annals_sequence`: which event changed a row last says how the row came about,
/// and a corrected fold may touch a row less often and yet end at the same values.
///
/// It is stored in `replay.verified`: no field is renamed, and a new one needs a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The sequence number at which both were compared; the log's end where the live generation is beyond it.
    pub sequence: Sequence,
    /// Rows that only the candidate has.
    pub added: u64,
    /// Rows that only the live generation has.
    pub removed: u64,
    /// Rows of both with other values.
    pub changed: u64,
    /// Rows of both with the same values.
    pub same: u64,
    /// Events of the read model that are in the candidate up to `sequence`, those of its snapshot among them, counted as they
    /// were folded.
    pub complete_events: u64,
    /// The same counted in the log. The two are equal, and so are sums over the events' ids.
    pub log_events: u64,
    /// Some of the rows that differ, table by table, in the order of their keys; at most [`Difference::SAMPLES_MAX`].
    pub samples: Vec<RowSample>,
}

impl Difference {
    /// How many rows that differ are given as samples.
    pub const SAMPLES_MAX: usize = 50;
    /// How many of them are of one table.
    pub const SAMPLES_OF_TABLE_MAX: usize = 10;

    /// Whether no row differs.
    pub fn is_none(&self) -> bool {
        self.added == 0 && self.removed == 0 && self.changed == 0
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, removed, changed, same, .. } = self;
        write!(f, "rows added: {added}, removed: {removed}, changed: {changed}, the same: {same}")
    }
}

impl Generations {
    /// Proves the candidate complete against the log, and compares it with the live generation at one sequence number.
    /// `None`: it was cancelled.
    pub async fn verify(
        &self,
        id: GenerationId,
        control: FoldControl,
    ) -> Result<Option<Difference>, GenerationError> {
        let cancel = control.cancel.clone();
        let verifying = async {
            let Some(mut difference) = self.compare(id, control).await? else { return Ok(None) };
            let counted = self.completeness(id).await?;
            if !counted.is_complete() {
                return Err(GenerationError::Incomplete { id: id.to_string(), reason: counted.to_string() });
            }
            (difference.complete_events, difference.log_events) =
                (counted.found.count, counted.expected.count);
            Ok(Some(difference))
        };
        // Everything but the candidate is only read, and a batch is folded into the candidate as a whole or not at all.
        cancel.run_until_cancelled(verifying).await.unwrap_or(Ok(None))
    }

    /// Holds a view of the live generation, folds the candidate exactly to its checkpoint, or to the end of the log when
    /// this was restored from a backup and ends before it, and reads both in the order of their keys, in bounded memory.
    async fn compare(
        &self,
        id: GenerationId,
        control: FoldControl,
    ) -> Result<Option<Difference>, GenerationError> {
        let mut live = self.live_at_least(id).await?;
        let sequence = self.reach(live.checkpoint()).await?;
        let folded = self.fold_to(id, Until::Sequence(sequence), control).await?;
        if folded.stopped == FoldStopped::Cancelled {
            return Ok(None);
        }
        let mut candidate = self.view(id).await?;
        let mut difference = Difference { sequence, ..Difference::default() };
        for table in self.model.schema().tables() {
            compare_table(&table.schema, live.view(), &mut *candidate, &mut difference).await?;
        }
        Ok(Some(difference))
    }

    /// A view of the live generation that contains all that the candidate contains.
    async fn live_at_least(&self, id: GenerationId) -> Result<Reader, GenerationError> {
        let readers = Readers::new(self.catalog.clone(), self.model.clone());
        let candidate = self.status(id).await?.checkpoint;
        let begun = Instant::now();
        loop {
            let reader = readers.reader().await.map_err(generation_error)?;
            let live = reader.checkpoint();
            if live >= candidate {
                return Ok(reader);
            }
            if begun.elapsed() > PATIENCE {
                return Err(GenerationError::CandidateAhead { candidate, live });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn generation_error(error: ReaderError) -> GenerationError {
    match error {
        ReaderError::Generation(error) => error,
        ReaderError::Database(error) => GenerationError::Database(error),
        other => {
            GenerationError::Damaged { file: "the live generation".to_owned(), reason: other.to_string() }
        }
    }
}
