use super::ReaderError;
use crate::{
    Catalog, GenerationError, GenerationId, GenerationStatus, ReadModel,
    backend::{DatabaseError, Slot, Target, View},
};
use annals_event::Sequence;
use std::{any::Any, fmt};

/// One consistent view of one generation. Everything that it reads belongs together, whatever is folded or
/// promoted meanwhile. Drop it when the answer is there: an old view keeps old rows from being let go.
pub struct Reader {
    model: ReadModel,
    view: Box<dyn View>,
}

impl Reader {
    /// A view of what is live, or of one generation.
    pub(crate) async fn of(catalog: &Catalog, model: &ReadModel, what: Target) -> Result<Self, ReaderError> {
        match catalog.backend().view(&Slot::of(model), what).await {
            Ok(view) => Ok(Self { model: model.clone(), view }),
            Err(DatabaseError::NoneLive) => {
                Err(GenerationError::NoneLive { model: model.name().to_string() }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every event up to here is in the rows.
    pub fn checkpoint(&self) -> Sequence {
        self.status().checkpoint
    }
    /// The generation that is read.
    pub fn generation(&self) -> GenerationId {
        self.view.generation()
    }
    /// What the generation says of itself.
    pub fn status(&self) -> &GenerationStatus {
        self.view.status()
    }
    /// The database's own connection, for questions that nothing else answers. What it is depends on the backend, whose crate
    /// names it. It is read-only and in a transaction, which must stay open.
    pub fn native(&mut self) -> &mut (dyn Any + Send) {
        self.view.native()
    }
    pub(crate) fn view(&mut self) -> &mut dyn View {
        &mut *self.view
    }
    pub(super) fn model(&self) -> &ReadModel {
        &self.model
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({:?} at {})", self.generation(), self.checkpoint())
    }
}
