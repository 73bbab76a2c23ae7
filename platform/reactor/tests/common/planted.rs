//! Wrong workers, as the store sees them: a sound one whose calls are changed on the way.

use annals_event::{Append, MarkName, Receipt, Sequence};
use annals_store::{AppendError, EventStore, Layer, ReadError};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bug {
    /// The mark is set by an append of its own, after the one with the outputs.
    MarkOutsideAppend,
    /// The mark is taken to be where this copy left it, and set wherever it is.
    MarkNotCompared,
}

pub struct Planted {
    store: Arc<dyn EventStore>,
    bug: Bug,
    /// Where this copy left the mark.
    left: Mutex<Option<Sequence>>,
}

impl Planted {
    pub fn over(store: Arc<dyn EventStore>, bug: Bug) -> Arc<dyn EventStore> {
        Arc::new(Self { store, bug, left: Mutex::default() })
    }
}

#[async_trait]
impl Layer for Planted {
    fn below(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        match self.bug {
            Bug::MarkOutsideAppend => self.store.mark(mark).await,
            Bug::MarkNotCompared => Ok(*self.left.lock().unwrap()),
        }
    }
    async fn append(&self, mut append: Append) -> Result<Receipt, AppendError> {
        match self.bug {
            Bug::MarkOutsideAppend if append.writes.is_empty() => self.store.append(append).await,
            Bug::MarkOutsideAppend => {
                let marks = std::mem::take(&mut append.marks);
                self.store.append(append).await?;
                self.store.append(Append { marks, ..Append::new() }).await
            }
            Bug::MarkNotCompared => {
                for update in &mut append.marks {
                    update.expected = self.store.mark(&update.mark).await.unwrap();
                }
                let set = append.marks.last().map(|update| update.value);
                let receipt = self.store.append(append).await?;
                *self.left.lock().unwrap() = set;
                Ok(receipt)
            }
        }
    }
}
