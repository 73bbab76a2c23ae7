use super::{FoldControl, FoldStopped, Generations, Until, merge::compare_table};
use crate::{GenerationError, GenerationId, Reader, ReaderError, Readers, Value, sqlite::open_reader};
use annals_event::Sequence;
use sqlx::Connection;
use std::time::{Duration, Instant};

/// How long one waits for the live generation to get where the candidate is.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often one looks.
const POLL: Duration = Duration::from_millis(20);

/// How to compare.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompareOptions {
    /// How many differing rows of each table are given as samples.
    pub samples_max: usize,
    /// Steers the fold of the candidate up to the live generation's checkpoint.
    pub control: FoldControl,
}

impl CompareOptions {
    /// How many samples there are when nobody says otherwise.
    pub const SAMPLES_MAX_DEFAULT: usize = 10;
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { samples_max: Self::SAMPLES_MAX_DEFAULT, control: FoldControl::default() }
    }
}

/// How a candidate's rows differ from the live generation's at the same sequence number.
///
/// Every column is compared except `annals_sequence`: which event changed a row last says how the row came about,
/// and a corrected fold may touch a row less often and yet end at the same values.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The sequence number that both were at; the log's end where the live one is beyond it.
    pub at: Sequence,
    /// The generation that it was compared with.
    pub live: GenerationId,
    /// Every table.
    pub tables: Vec<TableComparison>,
}

/// How the rows of one table differ.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TableComparison {
    /// The table.
    pub table: String,
    /// Rows that only the candidate has.
    pub added: u64,
    /// Rows that only the live generation has.
    pub removed: u64,
    /// Rows of both with other values.
    pub changed: u64,
    /// Rows of both with the same values.
    pub same: u64,
    /// Some of the rows that differ, in the order of their keys.
    pub samples: Vec<RowDifference>,
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct RowDifference {
    /// The row's key: its columns and their values.
    pub key: Vec<(String, Value)>,
    /// The live row's values; of a changed row only those that differ. `None`: only the candidate has the row.
    pub live: Option<Vec<(String, Value)>>,
    /// The candidate row's values; of a changed row only those that differ. `None`: only the live generation has it.
    pub candidate: Option<Vec<(String, Value)>>,
}

impl Comparison {
    /// Whether no row differs.
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(|table| table.added + table.removed + table.changed == 0)
    }
}

impl Generations {
    /// Compares a candidate with the live generation at one sequence number, or with all of it when the log was restored
    /// from a backup and ends before: holds a view of the live one, folds the
    /// candidate exactly to its checkpoint, and reads both in the order of their keys, in bounded memory.
    /// `None`: it was cancelled.
    pub async fn compare(
        &self,
        id: GenerationId,
        options: CompareOptions,
    ) -> Result<Option<Comparison>, GenerationError> {
        let mut live = self.live_at_least(id).await?;
        let at = self.reach(live.checkpoint()).await?;
        let folded = self.fold_to(id, Until::Sequence(at), options.control.clone()).await?;
        if folded.stopped == FoldStopped::Cancelled {
            return Ok(None);
        }
        let mut connection = open_reader(&self.usable(id).await?).await?;
        let mut candidate = connection.begin().await?;
        let mut tables = Vec::new();
        for table in self.model.tables() {
            if options.control.cancel.is_cancelled() {
                return Ok(None);
            }
            let compared =
                compare_table(&table.name, live.connection(), &mut candidate, options.samples_max).await?;
            tables.push(compared);
        }
        Ok(Some(Comparison { at, live: live.generation(), tables }))
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
        ReaderError::Database(error) => error.into(),
        other => GenerationError::Damaged { reason: other.to_string() },
    }
}
