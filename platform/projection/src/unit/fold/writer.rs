//! Writes what a fold does: load the touched rows in one query, fold in memory, write back in bulk.
//!
//! Rows are cached from batch to batch, so that a rebuild with few keys reads each row once. The cache is right as long as
//! this writer is the only one, which the epoch guarantees. After a batch that was not committed the cache is emptied.
//!
//! An event is refused for what it does to the rows and those before it did, never for how the log is cut into batches: each
//! change is asked whether its row can be stored, though only the last of a batch is written.

use super::{
    handlers::Column,
    step::Step,
    work::{Answers, Work},
};
use crate::{
    backend::{Batch, DatabaseError, Tx},
    error::FoldError,
    table::{SEQUENCE_COLUMN, Table, TableError, TableKey, cell, key_cells, key_text},
    unit::{Decoded, ROWS_REMEMBERED_MAX, UnitWriter, Write},
    value::Value,
};
use annals_event::Sequence;
use async_trait::async_trait;
use std::collections::HashMap;
use tracing::Span;

/// A row in memory.
struct Slot<R> {
    row: Option<R>,
    /// The event that last changed it; `None`: it is as the database has it.
    changed_by: Option<Sequence>,
}

pub(super) struct RowWriter<R: Table> {
    slots: Vec<Slot<R>>,
    /// In which slot the row with a key is.
    places: HashMap<R::Key, usize>,
}

/// A step whose row is in memory.
struct Touch<'w, K> {
    step: &'w Step<K>,
    key: &'w K,
    /// The row's slot.
    place: usize,
}

#[async_trait]
impl<R: Table> UnitWriter for RowWriter<R> {
    async fn apply(&mut self, decoded: &Decoded, write: &mut Write<'_>) -> Result<usize, FoldError> {
        let Some(work) = decoded.downcast_ref::<Work<R>>() else {
            return Ok(0);
        };
        if self.slots.len() > ROWS_REMEMBERED_MAX {
            self.reset();
        }
        let answers = work.answers(write).await?;
        let touches = self.load(work, &answers, write.tx).await?;
        let changed = self.fold(work, &touches, write)?;
        self.store(&changed, work, write.tx).await?;
        Ok(changed.len())
    }

    fn reset(&mut self) {
        self.slots.clear();
        self.places.clear();
    }
}

impl<R: Table> RowWriter<R> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), places: HashMap::new() }
    }

    /// Reads the rows that the events touch and that are not remembered; gives each step with its row's slot.
    async fn load<'w>(
        &mut self,
        work: &'w Work<R>,
        answers: &'w Answers<R::Key>,
        tx: &mut dyn Tx,
    ) -> Result<Vec<Touch<'w, R::Key>>, FoldError> {
        let mut touches = Vec::with_capacity(work.steps().len());
        let mut wanted = Batch::with_capacity(R::Key::KINDS.len(), 0);
        for step in work.steps() {
            let Some(key) = answers.key(step) else { continue };
            let place = match self.places.get(key) {
                Some(place) => *place,
                None => {
                    let cells = key_cells(key);
                    wanted.push(cells.map_err(|error| work.unfit(step.sequence, &error.to_string()))?);
                    self.remember(key.clone())
                }
            };
            touches.push(Touch { step, key, place });
        }
        if wanted.is_empty() {
            return Ok(touches);
        }
        for row in tx.load(&R::SCHEMA, wanted).await?.into_rows() {
            let row = R::from_values(row).map_err(|error| DatabaseError::damaged(R::SCHEMA.name, error))?;
            let place = self.places.get(&row.key());
            if let Some(slot) = place.and_then(|place| self.slots.get_mut(*place)) {
                slot.row = Some(row);
            }
        }
        Ok(touches)
    }

    /// Makes a slot for the row with this key, which is not there as far as one knows.
    fn remember(&mut self, key: R::Key) -> usize {
        let place = self.slots.len();
        self.slots.push(Slot { row: None, changed_by: None });
        self.places.insert(key, place);
        place
    }

    /// Lets every event change its rows; gives one step for each row that is another one now.
    fn fold<'t, 'w>(
        &mut self,
        work: &Work<R>,
        touches: &'t [Touch<'w, R::Key>],
        write: &Write<'_>,
    ) -> Result<Vec<&'t Touch<'w, R::Key>>, FoldError> {
        let mut changed = Vec::new();
        let mut handled = Sequence::ZERO;
        let mut span = Span::none().entered();
        for touch in touches {
            let Some(column) = work.column(touch.step) else { continue };
            if touch.step.sequence != handled {
                drop(span);
                handled = touch.step.sequence;
                span = column.span(touch.step, write.consumer, write.run).entered();
            }
            if self.change(work, column, touch)? {
                changed.push(touch);
            }
        }
        drop(span);
        Ok(changed)
    }

    /// Lets one event change one row; says whether the batch had left it as it was until now.
    fn change(
        &mut self,
        work: &Work<R>,
        column: &dyn Column<R>,
        Touch { step, key, place }: &Touch<'_, R::Key>,
    ) -> Result<bool, FoldError> {
        let Some(slot) = self.slots.get_mut(*place) else { return Ok(false) };
        let before = slot.row.clone();
        column.change(step, &mut slot.row, key)?;
        if let Some(row) = slot.row.as_ref().filter(|row| !row.has_key(key)) {
            let (is, was) = (key_text::<R>(&row.key()), key_text::<R>(key));
            let reason =
                format!("the fold makes {is} of {was}; a row keeps its key: delete it and create the other");
            return Err(work.unfit(step.sequence, &reason));
        }
        if slot.row == before {
            return Ok(false);
        }
        let checked = slot.row.as_ref().map_or(Ok(()), R::check);
        checked.map_err(|error| work.unfit(step.sequence, &error.to_string()))?;
        Ok(slot.changed_by.replace(step.sequence).is_none())
    }

    /// Writes the changed rows.
    async fn store(
        &mut self,
        changed: &[&Touch<'_, R::Key>],
        work: &Work<R>,
        tx: &mut dyn Tx,
    ) -> Result<(), FoldError> {
        let mut upserts = Batch::with_capacity(R::SCHEMA.columns.len() + 1, changed.len());
        let mut deletes = Batch::with_capacity(R::Key::KINDS.len(), 0);
        for Touch { key, place, .. } in changed {
            let Some(slot) = self.slots.get_mut(*place) else { continue };
            let Some(sequence) = slot.changed_by.take() else { continue };
            let misfit = |error: TableError| work.unfit(sequence, &error.to_string());
            match &slot.row {
                Some(row) => upserts.push(cells(row, sequence).map_err(misfit)?),
                None => deletes.push(key_cells(*key).map_err(misfit)?),
            }
        }
        Ok(tx.write(&R::SCHEMA, deletes, upserts).await?)
    }
}

/// A row's cells and its sequence number.
fn cells<R: Table>(row: &R, sequence: Sequence) -> Result<Vec<Value>, TableError> {
    let mut cells = row.to_values()?;
    cells.push(cell(SEQUENCE_COLUMN, &sequence)?);
    Ok(cells)
}
