//! The engine, without threads: what it does depends on its calls and its environment alone.

use crate::{AppendError, Corruption, Environment, MaintenanceError, OpenError, Options, Reader};
use annals_event::{Append, Receipt};

/// The only one that writes. Driven by one thread; [`Log`](crate::Log) is a shell around it.
pub struct Writer {}

/// How far the next segment's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// There is more to do.
    Working,
    /// It is ready to be used.
    Ready,
}

impl Writer {
    /// Opens the log in `environment`, making it when it is missing, and recovers what a crash left.
    pub fn open(_environment: Environment, _options: Options) -> Result<Self, OpenError> {
        todo!()
    }
    /// Writes a group of appends: each is checked against all before it, all are synced together, and only then
    /// is anything answered or visible. The results stand in the order of the appends.
    pub fn commit(&mut self, _group: Vec<Append>) -> Vec<Result<Receipt, AppendError>> {
        todo!()
    }
    /// A reader of what is durable.
    pub fn reader(&self) -> Reader {
        todo!()
    }
    /// Does one step (at most 1 MiB, synced) of preparing the next segment's file.
    pub fn prepare_step(&self) -> Result<Prepared, MaintenanceError> {
        todo!()
    }
    /// Writes the index files of sealed segments that have none yet.
    pub fn write_indexes(&self) -> Result<(), MaintenanceError> {
        todo!()
    }
    /// Writes a checkpoint.
    pub fn checkpoint(&self) -> Result<(), MaintenanceError> {
        todo!()
    }
    /// The damage that keeps the log from being written, if there is any.
    pub fn corruption(&self) -> Option<&Corruption> {
        todo!()
    }
    /// Writes a close mark and a checkpoint.
    pub fn close(self) -> Result<(), MaintenanceError> {
        todo!()
    }
}
