//! Views of what is live, as soon as they contain what is waited for.

use super::{Reader, ReaderError, WaitError};
use crate::{Catalog, ReadModel, backend::Target};
use annals_event::Token;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How often one looks whether another process has folded further.
const POLL: Duration = Duration::from_millis(20);

/// Makes readers of one read model. Cloning it gives another handle.
#[derive(Clone)]
pub struct Readers {
    catalog: Catalog,
    model: ReadModel,
}

impl Readers {
    /// Readers of `model` in `catalog`. It need not be folded by this process.
    pub fn new(catalog: Catalog, model: ReadModel) -> Self {
        Self { catalog, model }
    }

    /// A view of what is live now.
    pub async fn reader(&self) -> Result<Reader, ReaderError> {
        Reader::of(&self.catalog, &self.model, Target::Live).await
    }

    /// A view that contains the event at `token`, as soon as there is one.
    pub async fn wait_for(&self, token: impl Into<Token>, timeout: Duration) -> Result<Reader, WaitError> {
        let token = token.into().sequence();
        let begun = Instant::now();
        loop {
            let reader = self.reader().await?;
            let checkpoint = reader.checkpoint();
            if checkpoint >= token {
                return Ok(reader);
            }
            drop(reader);
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let by = token.get() - checkpoint.get();
                return Err(WaitError::Behind { token, checkpoint, by });
            }
            tokio::time::sleep(left.min(POLL)).await;
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readers({:?})", self.model)
    }
}
