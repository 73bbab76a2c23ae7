//! A batch as a fold sees it: its events by type, and what they do to rows, step by step in the order of the log.

use super::{
    handlers::Column,
    step::{Found, RowKey, Step},
};
use crate::{
    backend::DatabaseError,
    error::{EventError, FoldError},
    table::Table,
    unit::{Write, lookup::Unanswered},
};
use annals_event::{EventRef, Sequence};

pub(super) struct Work<R: Table> {
    columns: Vec<Box<dyn Column<R>>>,
    found: Found<R::Key>,
    steps: Vec<Step<R::Key>>,
}

impl<R: Table> Work<R> {
    pub(super) fn new(columns: Vec<Box<dyn Column<R>>>, found: Found<R::Key>, events: usize) -> Self {
        Self { columns, found, steps: Vec::with_capacity(events) }
    }

    /// Adds what the event does by the handlers of these columns.
    pub(super) fn push(
        &mut self,
        event: &EventRef<'_>,
        columns: impl Iterator<Item = usize>,
    ) -> Result<(), EventError> {
        let (begun, mut types) = (self.steps.len(), 0);
        for column in columns {
            if let Some(events) = self.columns.get_mut(column) {
                events.push(event, column, &mut self.found, &mut self.steps)?;
                types += 1;
            }
        }
        // Two Rust types of one event: handlers run in the order in which they were added, whatever they take.
        if types > 1
            && let Some(steps) = self.steps.get_mut(begun..)
        {
            steps.sort_by_key(|step| step.place);
        }
        Ok(())
    }

    pub(super) fn steps(&self) -> &[Step<R::Key>] {
        &self.steps
    }

    pub(super) fn column(&self, step: &Step<R::Key>) -> Option<&dyn Column<R>> {
        self.columns.get(step.column).map(|column| &**column)
    }

    /// The answers of each lookup.
    pub(super) async fn answers(&self, write: &mut Write<'_>) -> Result<Answers<R::Key>, FoldError> {
        let mut answers = Vec::with_capacity(self.found.questions.len());
        for questions in &self.found.questions {
            let answered = questions.answers(write).await;
            answers.push(answered.map_err(|unanswered| match unanswered {
                Unanswered::Unknown { sequence, reason } => self.unfit(sequence, &reason),
                Unanswered::Database(error) => error,
            })?);
        }
        Ok(Answers(answers))
    }

    /// What is wrong with the event at `sequence`.
    pub(super) fn unfit(&self, sequence: Sequence, reason: &str) -> FoldError {
        let step = self.steps.iter().find(|step| step.sequence == sequence);
        let error = step.and_then(|step| self.column(step)?.unfit(step, reason.to_owned()));
        error.map_or_else(|| DatabaseError::denied(reason).into(), FoldError::Event)
    }
}

/// What the lookups of a fold answered.
pub(super) struct Answers<K>(Vec<Vec<K>>);

impl<K> Answers<K> {
    /// Which row the step changes.
    pub(super) fn key<'k>(&'k self, step: &'k Step<K>) -> Option<&'k K> {
        match &step.key {
            RowKey::Known(key) => Some(key),
            RowKey::Asked { lookup, question } => self.0.get(*lookup)?.get(*question),
        }
    }
}
