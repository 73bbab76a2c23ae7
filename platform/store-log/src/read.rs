//! Pages of the log and of streams.

use crate::{error, readers::Readers, watch::Watch};
use annals_event::{EventBatch, Fingerprint, Sequence, Timestamp, Version};
use annals_log::{Log, ReadBlock, ReadBudget, StreamRead};
use annals_store::{Direction, Filter, Follow, LogPage, ReadError, ReadLog, ReadStream, StreamPage};
use async_trait::async_trait;
use tokio::sync::oneshot;

/// Reads the log page by page.
pub(crate) struct Pages {
    log: Log,
    readers: Readers,
    watch: Watch,
}

impl Pages {
    pub(crate) fn new(log: Log) -> Self {
        let watch = Watch::new(log.head_watch());
        Self { log, readers: Readers::new(), watch }
    }

    /// A page of the log: from memory at once, otherwise from the disk.
    pub(crate) async fn of_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        let (from, budget) = asked(&read);
        let failed = move |failed| error::read(failed, from);
        if let Some(block) = self.log.read_recent(from, budget).map_err(failed)? {
            return Ok(log_page(&read, block, self.log.head()));
        }
        self.blocking(move |log| {
            let block = log.read(from, budget).map_err(failed)?;
            Ok(log_page(&read, block, log.head()))
        })
        .await
    }

    pub(crate) async fn of_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        let version = self.log.stream_version(&read.stream);
        let beyond = match read.direction {
            Direction::Forward => read.from > version,
            Direction::Backward => read.from == Version::ZERO || version == Version::ZERO,
        };
        if beyond {
            return Ok(StreamPage { events: EventBatch::empty(), version, next: None });
        }
        self.blocking(move |log| {
            let failed = |failed| error::read(failed, Sequence::ZERO);
            let events = log.read_stream(&read.stream, stream_read(&read)).map_err(failed)?;
            Ok(stream_page(read.direction, events, version))
        })
        .await
    }

    /// What tells this history of the log apart from another: from memory for the newest events, otherwise from the
    /// disk.
    pub(crate) async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        if let Some(recent) = self.log.recent_fingerprint(at) {
            return Ok(Some(recent));
        }
        self.blocking(move |log| log.fingerprint(at).map_err(|failed| error::read(failed, at))).await
    }

    pub(crate) async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        self.blocking(move |log| log.sequence_at(time).map_err(|failed| error::read(failed, Sequence::ZERO)))
            .await
    }

    /// Runs `read` on a thread that may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Log) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let log = self.log.clone();
        let read = self.readers.run(move || read(&log)).await;
        read.unwrap_or_else(|| {
            Err(ReadError::Unavailable { reason: "a read failed; see the server's log".into() })
        })
    }
}

impl Pages {
    /// Why there will be nothing more.
    fn ended(&self) -> ReadError {
        let closed = || ReadError::Unavailable { reason: "the log was closed".into() };
        error::stopped(&self.log).unwrap_or_else(closed)
    }
}

#[async_trait]
impl Follow for Pages {
    async fn page(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.of_log(read).await
    }

    async fn grown_past(&self, through: Sequence) -> Result<(), ReadError> {
        let (wake, woken) = oneshot::channel();
        let wait = self.log.on_head(
            through,
            Box::new(move |head| {
                let _ = wake.send(head);
            }),
        );
        let head = woken.await;
        drop(wait);
        match head {
            Ok(head) if head > through => Ok(()),
            // The log wakes everybody once its head will not move again.
            _ => Err(self.ended()),
        }
    }

    async fn wanted_past(&self, through: Sequence, filter: &Filter) -> Result<(), ReadError> {
        match self.watch.wait(through, filter) {
            Ok(None) => Ok(()),
            Ok(Some(wait)) => wait.woken().await.then_some(()).ok_or_else(|| self.ended()),
            Err(error) => {
                tracing::warn!(%error, "no thread could be started to watch the log; subscribers wake at every append");
                self.grown_past(through).await
            }
        }
    }
}

fn asked(read: &ReadLog) -> (Sequence, ReadBudget) {
    let budget = ReadBudget { bytes_max: read.bytes_max, events_max: read.events_max.max(1) };
    (read.from.max(Sequence::FIRST), budget)
}

/// `head` must have been read after the block, so that it is not below it. A block without events was at the log's end:
/// what has been appended since is no part of the page, which otherwise would say that there is more and not move on.
fn log_page(read: &ReadLog, block: ReadBlock, head: Sequence) -> LogPage {
    let seen = block.events.last().map_or(Sequence::ZERO, |event| event.sequence());
    let events = match read.filter.is_all() {
        true => block.events,
        false => {
            let wanted = read.filter.matcher();
            block.events.filter(|event| wanted.accepts(event))
        }
    };
    let through = seen.max(read.from.previous());
    let head = if seen == Sequence::ZERO { head.min(through) } else { head };
    LogPage { events, through, head }
}

fn stream_read(read: &ReadStream) -> StreamRead {
    let direction = match read.direction {
        Direction::Forward => annals_log::Direction::Forward,
        Direction::Backward => annals_log::Direction::Backward,
    };
    StreamRead { from: read.from.max(Version::FIRST), direction, events_max: read.events_max.max(1) }
}

/// `version` was read before the events; some of them may be newer.
fn stream_page(direction: Direction, events: EventBatch, version: Version) -> StreamPage {
    let of = |event: Option<annals_event::EventRef<'_>>| event.map_or(Version::ZERO, |event| event.version());
    let (first, last) = (of(events.first()), of(events.last()));
    let version = version.max(first).max(last);
    let next = match direction {
        Direction::Forward => (Version::ZERO < last && last < version).then(|| last.next()),
        Direction::Backward => (last > Version::FIRST).then(|| last.previous()),
    };
    StreamPage { events, version, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_from_the_end_is_the_last_although_the_log_grew_meanwhile() {
        let read = ReadLog::from(Sequence::FIRST);
        let nothing = || ReadBlock { events: EventBatch::empty(), next: Sequence::FIRST };
        let page = log_page(&read, nothing(), Sequence::new(3));
        assert!(page.is_last(), "{page:?}");
        let beyond = log_page(&ReadLog::from(Sequence::new(9)), nothing(), Sequence::new(3));
        assert_eq!((beyond.through, beyond.head), (Sequence::new(8), Sequence::new(3)));
    }
}
