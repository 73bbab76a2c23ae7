use crate::{append, error, error::CloseError, read::Pages};
use annals_event::{Append, Fingerprint, MarkName, Receipt, Sequence, Timestamp};
use annals_log::{
    Backup, BackupError, ClockStatus, Hold, Log, OpenError, Options, RetainError, Retained, Retention, Room,
    ScrubStatus, Stats,
};
use annals_store::{
    AppendError, Capabilities, Damage, EventStore, Head, LogPage, ReadError, ReadLog, ReadStream, StreamPage,
    Subscribe, Subscription,
};
use async_trait::async_trait;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The embedded log as an [`EventStore`]. Cloning it gives another handle to the same log.
///
/// [`LogStore::close`] closes it cleanly. Without that, dropping the last handle closes the log, which blocks the
/// thread that drops it.
#[derive(Clone)]
pub struct LogStore {
    log: Log,
    room: Arc<append::Room>,
    pages: Arc<Pages>,
}

impl LogStore {
    /// Opens the log in `folder`, creating both if they are missing, and recovers it if it was not closed.
    pub async fn open(folder: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let (folder, settings) = (folder.into(), options.clone());
        let opening = tokio::task::spawn_blocking(move || Log::open(&folder, settings));
        let log = opening.await.map_err(|died| OpenError::Thread(died.into()))??;
        Ok(Self::from_log(log, &options))
    }

    /// The store over a log that is already open, with the options that it was opened with.
    pub fn from_log(log: Log, options: &Options) -> Self {
        let (room, pages) = (Arc::new(append::Room::of(options)), Arc::new(Pages::new(log.clone())));
        Self { log, room, pages }
    }

    /// What the log did since it was opened.
    pub fn stats(&self) -> Stats {
        self.log.stats()
    }

    /// How the log judges the machine's clock: whether it jumped, went back or stands still.
    pub fn clock(&self) -> ClockStatus {
        self.log.clock()
    }

    /// The room on the log's disk, and whether appends are refused for lack of it.
    pub async fn room(&self) -> Room {
        let log = self.log.clone();
        let looking = tokio::task::spawn_blocking(move || log.room());
        looking.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
    }

    /// Why nothing is written any more, and what to do; `None`: appends are accepted, unless the log is damaged.
    /// Reads go on.
    pub fn stopped(&self) -> Option<String> {
        self.log.stopped().map(|reason| reason.to_string())
    }

    /// The damage because of which the log accepts no writes; `None`: it is sound as far as it was read.
    pub fn damage(&self) -> Option<Damage> {
        self.log.corruption().map(error::damage)
    }

    /// Drops the oldest parts of the log that `retention` does not keep and nobody holds.
    pub async fn retain(&self, retention: Retention) -> Result<Retained, RetainError> {
        let log = self.log.clone();
        let retaining = tokio::task::spawn_blocking(move || log.retain(retention));
        retaining.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
    }

    /// The same for background use: waits until it is worth it.
    pub async fn retain_when_due(&self, retention: Retention) -> Result<Retained, RetainError> {
        let log = self.log.clone();
        let retaining = tokio::task::spawn_blocking(move || log.retain_when_due(retention));
        retaining.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
    }

    /// Copies everything that is durable now to `folder`, which must be missing or empty, and verifies the copy.
    pub async fn backup(&self, folder: impl Into<PathBuf>) -> Result<Backup, BackupError> {
        let (log, folder) = (self.log.clone(), folder.into());
        let copying = tokio::task::spawn_blocking(move || log.backup(&folder));
        copying.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
    }

    /// Refuses a folder for backups that is inside the log's own, before any backup is made.
    pub fn check_backup_folder(&self, folder: &Path) -> Result<(), BackupError> {
        self.log.check_backup_folder(folder)
    }

    /// What background verification has done and found since the log was opened.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.log.scrub_status()
    }

    /// Keeps the events from `from` on for as long as the hold exists.
    pub fn hold(&self, from: Sequence) -> Result<Hold, ReadError> {
        self.log.hold(from).map_err(|failed| error::read(failed, from))
    }

    /// Writes what is waiting, and what makes the next opening fast. Later appends are refused and subscriptions at
    /// the head end; other reads go on as long as a handle exists.
    pub async fn close(&self) -> Result<(), CloseError> {
        let log = self.log.clone();
        let closing = tokio::task::spawn_blocking(move || log.close());
        Ok(closing.await.map_err(CloseError::died)??)
    }
}

#[async_trait]
impl EventStore for LogStore {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::of("embedded log");
        capabilities.durable = true;
        capabilities.dense = true;
        capabilities
    }

    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.room.append(&self.log, append).await
    }

    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.pages.of_stream(read).await
    }

    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.pages.of_log(read).await
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        Ok(Subscription::following(self.pages.clone(), subscribe))
    }

    async fn ready(&self) -> Result<(), ReadError> {
        if let Some(damage) = self.damage() {
            return Err(ReadError::Corrupted(damage));
        }
        error::stopped(&self.log).or_else(|| error::without_room(&self.log)).map_or(Ok(()), Err)
    }

    /// What background verification found.
    fn damages(&self) -> Vec<Damage> {
        self.log.scrub_status().damages.into_iter().map(error::damage).collect()
    }

    /// How the log judges the machine's clock.
    fn warnings(&self) -> Vec<String> {
        self.log.clock().warning.iter().map(ToString::to_string).collect()
    }

    async fn head(&self) -> Result<Head, ReadError> {
        let last = self.log.head();
        Ok(Head { log_id: self.log.id(), first: self.log.first(), last, opening: self.log.opening() })
    }

    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        Ok(self.log.mark(mark))
    }

    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        self.pages.fingerprint(at).await
    }

    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.pages.sequence_at(time).await
    }
}
