//! The log as a cheap handle: a thread that drives the [`Writer`], with a bounded queue before it, and beside it a thread
//! that prepares segments and one that writes indexes and checkpoints. They are two, so that neither waits for the other:
//! under steady load the next segment is never ready for long. One more looks after the folder.
//!
//! What always holds: every append that was taken is answered exactly once, whatever becomes of the threads.

mod head;
mod threads;

pub use head::{HeadWait, HeadWatch};

use crate::care::{
    BackupError, RetainError, Retained, Retention, VerifyError, VerifyProgress, VerifyReport, When, backup,
    must_be_outside, retain, scrub_pass, verify_open,
};
use crate::disk::Environment;
use crate::error::{AppendError, Corruption, MaintenanceError, OpenError, ReadError, SubmitError};
use crate::format::Backup;
use crate::options::Options;
use crate::queue::{Job, Queue};
use crate::read::{
    Answer, ClockStatus, Hold, ReadBlock, ReadBudget, Reader, Room, ScrubStatus, Shared, StreamRead, hold,
};
use crate::state::Pending;
use crate::stats::Stats;
use crate::writer::{Writer, stats};
use annals_event::{
    Append, EventBatch, Fingerprint, LogId, MarkName, Opening, Receipt, Sequence, StreamName, Timestamp,
    Version,
};
use parking_lot::Mutex;
use std::{
    ops::ControlFlow,
    path::Path,
    sync::{Arc, mpsc},
};
use threads::Threads;

/// An open log: a cheap handle, to be cloned at will. The last one closes the log when it is dropped.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    reader: Reader,
    queue: Arc<Queue>,
    threads: Mutex<Option<Threads>>,
}

impl Log {
    /// Opens the log in `folder`, making both when they are missing.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let environment =
            Environment::real(folder).map_err(|cause| OpenError::Io { file: folder.to_owned(), cause })?;
        Self::open_on(environment, options)
    }

    /// Opens the log in `environment`.
    pub fn open_on(environment: Environment, options: Options) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(options.queue_appends_max, options.queue_bytes_max));
        let scrub = options.scrub;
        let writer = Writer::open(environment, options)?;
        let reader = writer.reader();
        let threads = Threads::spawn(writer, &queue, scrub)?;
        Ok(Self { inner: Arc::new(Inner { reader, queue, threads: Mutex::new(Some(threads)) }) })
    }

    /// Writes `append` and waits until it is durable.
    pub fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        let pending = Pending::encode(append, &self.shared().hasher)?;
        let (done, answer) = mpsc::sync_channel(1);
        let job = Job::new(pending, move |answer| {
            // The receiver waits below.
            let _ = done.send(answer);
        });
        self.inner.queue.push_waiting(job)?;
        answer.recv().map_or(Err(AppendError::Closed), Answer::get)
    }

    /// Takes `append` into the queue; `done` is called from the writer's thread, exactly once, unless this
    /// returns an error. It must be quick, the log waits for it: an answer that is to be looked up ([`Answer::LookUp`])
    /// is to be taken to another thread. The append is checked and encoded on the caller's thread.
    /// [`SubmitError::Full`] asks to wait for answers, then to submit again.
    pub fn submit(
        &self,
        append: Append,
        done: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<(), SubmitError> {
        let pending = Pending::encode(append, &self.shared().hasher).map_err(AppendError::from)?;
        self.inner.queue.push(Job::new(pending, done))
    }

    /// Events from `from` on, as many as the budget allows, at least one if there is one.
    pub fn read(&self, from: Sequence, budget: ReadBudget) -> Result<ReadBlock, ReadError> {
        self.inner.reader.read(from, budget)
    }

    /// The same as far as it can be told from memory, without waiting for the disk; `None`: ask [`Self::read`].
    pub fn read_recent(&self, from: Sequence, budget: ReadBudget) -> Result<Option<ReadBlock>, ReadError> {
        self.inner.reader.read_recent(from, budget)
    }

    /// Events of one stream.
    pub fn read_stream(&self, stream: &StreamName, read: StreamRead) -> Result<EventBatch, ReadError> {
        self.inner.reader.read_stream(stream, read)
    }

    /// Where the stream is; `ZERO`: it has no events.
    pub fn stream_version(&self, stream: &StreamName) -> Version {
        self.inner.reader.stream_version(stream)
    }

    /// Where the mark is; `None`: it was never set.
    pub fn mark(&self, mark: &MarkName) -> Option<Sequence> {
        self.inner.reader.mark(mark)
    }

    /// What tells this history of the log up to `at` from another, so that a log that was restored from a backup is
    /// noticed; `None`: the log does not reach so far.
    pub fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        self.inner.reader.fingerprint(at)
    }

    /// The same for the newest events, without waiting for the disk; `None`: ask [`Self::fingerprint`].
    pub fn recent_fingerprint(&self, at: Sequence) -> Option<Fingerprint> {
        self.inner.reader.recent_fingerprint(at)
    }

    /// The last durable event; `ZERO`: there is none.
    pub fn head(&self) -> Sequence {
        self.inner.reader.head()
    }

    /// The first event that is still there.
    pub fn first(&self) -> Sequence {
        self.inner.reader.first()
    }

    /// Which log this is.
    pub fn id(&self) -> LogId {
        self.inner.reader.id()
    }

    /// Which opening of the log this is.
    pub fn opening(&self) -> Opening {
        self.inner.reader.opening()
    }

    /// The first event recorded at or after `time`; the one after the head when there is none.
    pub fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.inner.reader.sequence_at(time)
    }

    /// Calls `wake` when the head moves, as [`HeadWatch::on_head`] says.
    pub fn on_head(&self, past: Sequence, wake: Box<dyn FnOnce(Sequence) + Send>) -> HeadWait {
        self.head_watch().on_head(past, wake)
    }

    /// What tells when the head moves, on its own: it does not keep the log from being closed.
    pub fn head_watch(&self) -> HeadWatch {
        HeadWatch { reader: self.reader(), queue: self.inner.queue.clone() }
    }

    /// Goes over all that is durable now, while appends and reads go on; takes as much memory for the streams again.
    pub fn verify(&self, progress: impl FnMut(VerifyProgress)) -> Result<VerifyReport, VerifyError> {
        verify_open(&self.inner.reader, progress)
    }

    /// Copies all that is durable now to `folder`, which must be missing or empty, and verifies the copy, while appends
    /// and reads go on. [`Backup`] says how to restore it.
    pub fn backup(&self, folder: &Path) -> Result<Backup, BackupError> {
        backup(&self.inner.reader, folder)
    }

    /// Refuses a folder for backups that is within the log's own, before there is a backup to be made.
    pub fn check_backup_folder(&self, folder: &Path) -> Result<(), BackupError> {
        must_be_outside(&self.inner.reader, folder)
    }

    /// Verifies all sealed segments once, at full speed; waits while the background does.
    pub fn scrub(&self) -> ScrubStatus {
        let _ = scrub_pass(&self.inner.reader, None, |_| ControlFlow::Continue(()));
        self.scrub_status()
    }

    /// What verifying in the background did and found since the log was opened.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.shared().scrub.status()
    }

    /// What the log did since it was opened.
    pub fn stats(&self) -> Stats {
        stats(self.shared())
    }

    /// What the log makes of the machine's clock: whether that jumped, went back or stands still.
    pub fn clock(&self) -> ClockStatus {
        self.shared().time.status()
    }

    /// The room on the log's disk, and whether appends are refused for want of it.
    pub fn room(&self) -> Room {
        self.inner.reader.room()
    }

    /// Why appends are refused for want of room, by the last one that was or by the last look at the disk, a few seconds ago
    /// at most: to be asked often, where [`Log::room`] looks at the disk. `None`: they are not. Those to `$` streams are
    /// taken for longer.
    pub fn shortage(&self) -> Option<Arc<str>> {
        self.shared().shortage.reason()
    }

    /// The reading half of the log, on its own: it does not keep the log from being closed.
    pub fn reader(&self) -> Reader {
        self.inner.reader.clone()
    }

    /// Drops the oldest segments that `retention` does not keep and nobody holds. Appends and reads go on meanwhile.
    pub fn retain(&self, retention: Retention) -> Result<Retained, RetainError> {
        retain(&self.inner.reader, retention, When::Now)
    }

    /// The same for what runs in the background: waits until what may go outweighs what must be written for it, or is an
    /// eighth of the age limit overdue, or room is short.
    pub fn retain_when_due(&self, retention: Retention) -> Result<Retained, RetainError> {
        retain(&self.inner.reader, retention, When::Due)
    }

    /// Keeps the events from `from` on, as long as the hold is there. `BelowStart`: some of them are gone.
    pub fn hold(&self, from: Sequence) -> Result<Hold, ReadError> {
        hold(self.shared(), from)
    }

    /// The damage that keeps the log from being written, if there is any.
    pub fn corruption(&self) -> Option<Corruption> {
        self.inner.reader.corruption()
    }

    /// Why nothing is written any more, and what to do; `None`: appends are taken, unless the log is damaged or closed.
    /// Reads go on.
    pub fn stopped(&self) -> Option<Arc<str>> {
        self.inner.reader.stopped()
    }

    /// Writes what is queued, a close mark and a checkpoint. Later appends get `Closed`; reads go on.
    pub fn close(&self) -> Result<(), MaintenanceError> {
        self.inner.close()
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.reader.shared
    }
}

impl Inner {
    fn close(&self) -> Result<(), MaintenanceError> {
        self.queue.close();
        let threads = self.threads.lock().take();
        threads.map_or(Ok(()), Threads::join)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the log was not closed in order; the next open takes longer");
        }
    }
}

#[cfg(test)]
mod tests;
