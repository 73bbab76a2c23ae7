//! The log as a cheap handle.

use crate::{
    AppendError, Corruption, Environment, MaintenanceError, OpenError, Options, ReadBlock, ReadBudget,
    ReadError, Stats, StreamRead, SubmitError,
};
use annals_event::{Append, EventBatch, LogId, MarkName, Receipt, Sequence, StreamName, Timestamp, Version};
use std::path::Path;

/// An open log: a cheap handle, to be cloned at will. The last one closes the log when it is dropped.
#[derive(Clone)]
pub struct Log {}

/// Deregisters the wait when it is dropped.
#[must_use = "dropping it ends the wait"]
pub struct HeadWait {}

impl Log {
    /// Opens the log in `folder`, making both when they are missing.
    pub fn open(_folder: &Path, _options: Options) -> Result<Self, OpenError> {
        todo!()
    }
    /// Opens the log in `environment`.
    pub fn open_on(_environment: Environment, _options: Options) -> Result<Self, OpenError> {
        todo!()
    }
    /// Writes `append` and waits until it is durable.
    pub fn append(&self, _append: Append) -> Result<Receipt, AppendError> {
        todo!()
    }
    /// Takes `append` into the queue; `done` is called from the writer's thread, exactly once, unless this
    /// returns an error.
    pub fn submit(
        &self,
        _append: Append,
        _done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) -> Result<(), SubmitError> {
        todo!()
    }
    /// Events from `from` on, as many as the budget allows, at least one if there is one.
    pub fn read(&self, _from: Sequence, _budget: ReadBudget) -> Result<ReadBlock, ReadError> {
        todo!()
    }
    /// Events of one stream.
    pub fn read_stream(&self, _stream: &StreamName, _read: StreamRead) -> Result<EventBatch, ReadError> {
        todo!()
    }
    /// Where the stream is; `ZERO`: it has no events.
    pub fn stream_version(&self, _stream: &StreamName) -> Version {
        todo!()
    }
    /// Where the mark is; `None`: it was never set.
    pub fn mark(&self, _mark: &MarkName) -> Option<Sequence> {
        todo!()
    }
    /// The last durable event; `ZERO`: there is none.
    pub fn head(&self) -> Sequence {
        todo!()
    }
    /// The first event that is still there.
    pub fn first(&self) -> Sequence {
        todo!()
    }
    /// Which log this is.
    pub fn id(&self) -> LogId {
        todo!()
    }
    /// The first event recorded at or after `time`; the one after the head when there is none.
    pub fn sequence_at(&self, _time: Timestamp) -> Result<Sequence, ReadError> {
        todo!()
    }
    /// Calls `wake` with the head as soon as that is past `past`; at once if it already is.
    pub fn on_head(&self, _past: Sequence, _wake: Box<dyn FnOnce(Sequence) + Send>) -> HeadWait {
        todo!()
    }
    /// What the log did since it was opened.
    pub fn stats(&self) -> Stats {
        todo!()
    }
    /// The damage that keeps the log from being written, if there is any.
    pub fn corruption(&self) -> Option<Corruption> {
        todo!()
    }
    /// Writes what is queued, a close mark and a checkpoint. Later appends get `Closed`; reads go on.
    pub fn close(&self) -> Result<(), MaintenanceError> {
        todo!()
    }
}
