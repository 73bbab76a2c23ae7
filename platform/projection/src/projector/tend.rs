//! Keeps one generation up to date.

use super::{progress::Board, snapshots::SnapshotTaker};
use crate::{
    FoldError, GenerationError, GenerationId, ModelName, ProjectorOptions,
    feed::{Feed, FeedOptions},
    fold::DecodedBatch,
    generation::GenerationWriter,
};
use annals_event::Sequence;
use annals_store::Backoff;
use annals_telemetry::Run;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Tends one generation.
pub(super) struct Tender {
    pub(super) id: GenerationId,
    pub(super) options: ProjectorOptions,
    /// Where to write the progress, if this is the live generation.
    pub(super) board: Option<Arc<Board>>,
    /// Takes snapshots, if this is the live generation.
    pub(super) snapshots: Option<SnapshotTaker>,
}

impl Tender {
    /// Folds until cancelled, or until something happens that does not pass by itself.
    pub(super) async fn run(mut self, cancel: CancellationToken) -> Result<(), GenerationError> {
        tokio::select! {
            ended = self.fold() => ended,
            () = cancel.cancelled() => Ok(()),
        }
    }

    async fn fold(&mut self) -> Result<(), GenerationError> {
        let mut retry = Retry::new(&self.options, self.board.clone());
        let mut writer = loop {
            match self.claim().await {
                Ok(writer) => break writer,
                Err(error) if error.is_transient() => retry.pause(&error).await,
                Err(error) => return Err(error),
            }
        };
        loop {
            let error = match self.follow(&mut writer, &mut retry).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            if !error.is_transient() {
                return Err(error.into());
            }
            retry.pause(&error.into()).await;
        }
    }

    async fn claim(&self) -> Result<GenerationWriter, GenerationError> {
        let ProjectorOptions { catalog, model, store, .. } = &self.options;
        let path = catalog.generation_path(model.name(), self.id);
        GenerationWriter::claim(self.id, &path, model, &**store).await
    }

    /// Folds what a new feed brings. Ends with the error that ended it.
    async fn follow(&mut self, writer: &mut GenerationWriter, retry: &mut Retry) -> Result<(), FoldError> {
        let mut feed = Feed::start(FeedOptions {
            model: self.options.model.clone(),
            store: self.options.store.clone(),
            place: writer.place(),
            until: Sequence::MAX,
        });
        while let Some(batch) = feed.next().await {
            self.apply(writer, batch?, retry).await?;
        }
        Ok(())
    }

    /// Writes one batch, however long it takes.
    async fn apply(
        &mut self,
        writer: &mut GenerationWriter,
        batch: DecodedBatch,
        retry: &mut Retry,
    ) -> Result<(), FoldError> {
        loop {
            match writer.apply_traced(&batch, Run::Live).await {
                Ok(()) => break,
                Err(FoldError::Event(event)) => {
                    // OnError::Stop: what comes before the event is applied, so that the checkpoint stands at it.
                    let ProjectorOptions { model, store, .. } = &self.options;
                    let before = batch.before(model, &**store, event.sequence).await?;
                    writer.apply(&before, Run::Live).await?;
                    return Err(event.into());
                }
                Err(error) if error.is_transient() => retry.pause(&error.into()).await,
                Err(error) => return Err(error),
            }
        }
        retry.reset();
        if let Some(board) = &self.board {
            board.heard(batch.head);
            board.moved(writer.checkpoint());
        }
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.consider(writer.status()).await;
        }
        Ok(())
    }
}

/// Waits longer after each failure in a row, and says so once.
pub(super) struct Retry {
    read_model: ModelName,
    backoff: Backoff,
    board: Option<Arc<Board>>,
}

impl Retry {
    pub(super) fn new(options: &ProjectorOptions, board: Option<Arc<Board>>) -> Self {
        Self { read_model: options.model.name().clone(), backoff: Backoff::outage(), board }
    }

    pub(super) async fn pause(&mut self, error: &GenerationError) {
        if !self.backoff.has_begun() {
            warn!(read_model = %self.read_model, %error, "the read model is not folded now; trying again");
        }
        if let Some(board) = &self.board {
            board.set(error.waiting());
        }
        self.backoff.wait().await;
    }

    pub(super) fn reset(&mut self) {
        self.backoff = Backoff::outage();
    }
}
