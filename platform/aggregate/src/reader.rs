//! Reading a stream into a state: from a snapshot that the log confirms, or from the beginning.

use crate::{Aggregate, LoadError, Loaded, snapshot::SnapshotCache};
use annals_event::{EventBatch, EventId, EventRef, LogId, Sequence, StreamName, Version};
use annals_store::{EventStore, ReadError, ReadStream, StreamPage};
use std::sync::Arc;
use tokio::sync::OnceCell;

pub(crate) struct Reader<A> {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) snapshots: Option<SnapshotCache<A>>,
    /// Asked for once: a store's log never changes.
    pub(crate) log_id: Arc<OnceCell<LogId>>,
}

impl<A: Aggregate> Clone for Reader<A> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), snapshots: self.snapshots.clone(), log_id: self.log_id.clone() }
    }
}

/// A loaded state, and the version of the snapshot that it was loaded from (`ZERO`: none).
pub(crate) struct Current<A> {
    pub(crate) loaded: Loaded<A>,
    pub(crate) base: Version,
    /// Whether the event that was looked for is among those that were read after the snapshot.
    pub(crate) met: bool,
}

/// What is done with the events that are read, beside folding them.
pub(crate) type Watch<'a> = dyn FnMut(&EventBatch) -> Result<(), LoadError> + Send + 'a;

/// Which state is wanted.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Now,
    /// As it was before this place in the log.
    Before(Sequence),
}

impl At {
    fn includes(self, sequence: Sequence) -> bool {
        match self {
            Self::Now => true,
            Self::Before(end) => sequence < end,
        }
    }
}

impl<A: Aggregate> Current<A> {
    fn fold(&mut self, events: &EventBatch, at: At, watch: &mut Watch<'_>) -> Result<(), LoadError> {
        watch(events)?;
        match at {
            At::Now => self.loaded.fold(events)?,
            At::Before(_) => self.loaded.fold(&events.filter(|event| at.includes(event.sequence())))?,
        }
        Ok(())
    }
}

impl<A: Aggregate> Reader<A> {
    /// The state as it is, looking for an event on the way.
    pub(crate) async fn load(
        &self,
        stream: &StreamName,
        sought: Option<EventId>,
    ) -> Result<Current<A>, LoadError> {
        let mut met = false;
        let mut watch = |events: &EventBatch| {
            met = met || sought.is_some_and(|sought| events.iter().any(|event| event.id() == sought));
            Ok(())
        };
        let current = self.load_watching(stream, At::Now, &mut watch).await?;
        Ok(Current { met, ..current })
    }

    /// The state without the event that `is_first` finds, a request's first one when it was executed earlier, and without all that
    /// came after it. Of the events that a snapshot covers only the newest page is looked at: a repeat follows soon.
    pub(crate) async fn load_without(
        &self,
        stream: &StreamName,
        is_first: impl Fn(&EventRef<'_>) -> bool + Sync,
    ) -> Result<Loaded<A>, LoadError> {
        let place =
            |events: &EventBatch| events.iter().find(|event| is_first(event)).map(|event| event.sequence());
        let mut first = None;
        let mut watch = |events: &EventBatch| {
            first = first.or_else(|| place(events));
            Ok(())
        };
        let current = self.load_watching(stream, At::Now, &mut watch).await?;
        if first.is_none() && current.base > Version::ZERO {
            let covered = ReadStream::backward(stream.clone()).from(current.base);
            first = place(&self.page(covered).await?.events);
        }
        let Some(first) = first else { return Ok(current.loaded) };
        Ok(self.load_watching(stream, At::Before(first), &mut |_| Ok(())).await?.loaded)
    }

    /// The state `at` a moment. `watch` gets every event of the stream that comes after the snapshot.
    pub(crate) async fn load_watching(
        &self,
        stream: &StreamName,
        at: At,
        watch: &mut Watch<'_>,
    ) -> Result<Current<A>, LoadError> {
        if let Some(current) = self.load_from_snapshot(stream, at, watch).await? {
            return Ok(current);
        }
        let mut current = Current { loaded: Loaded::new(), base: Version::ZERO, met: false };
        self.fold_rest(stream, &mut current, Some(Version::FIRST), at, watch).await?;
        Ok(current)
    }

    /// The state as it was at `version`, folded from the beginning.
    pub(crate) async fn load_at(
        &self,
        stream: &StreamName,
        version: Version,
    ) -> Result<Loaded<A>, LoadError> {
        let mut loaded = Loaded::new();
        while loaded.version < version {
            let page = self.page(ReadStream::forward(stream.clone()).from(loaded.version.next())).await?;
            let wanted = page.events.filter(|event| event.version() <= version);
            if wanted.is_empty() {
                break;
            }
            loaded.fold(&wanted)?;
        }
        Ok(loaded)
    }

    /// Keeps a snapshot when one is due.
    pub(crate) async fn keep(&self, stream: &StreamName, current: &Current<A>) {
        let Some(snapshots) = &self.snapshots else { return };
        match self.log_id(stream).await {
            Ok(log_id) => snapshots.save_if_due(log_id, stream, current.base, &current.loaded).await,
            Err(error) => tracing::warn!(%stream, %error, "snapshot not kept"),
        }
    }

    pub(crate) async fn page(&self, read: ReadStream) -> Result<StreamPage, LoadError> {
        let stream = read.stream.clone();
        self.store.read_stream(read).await.map_err(|cause| LoadError::Read { stream, cause })
    }

    async fn load_from_snapshot(
        &self,
        stream: &StreamName,
        at: At,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Current<A>>, LoadError> {
        let Some(snapshots) = &self.snapshots else { return Ok(None) };
        let loaded = snapshots.load(self.log_id(stream).await?, stream).await;
        let Some(loaded) = loaded.filter(|loaded| at.includes(loaded.token.sequence())) else {
            return Ok(None);
        };
        let base = loaded.version;
        let page = self.page_after(stream, base).await?;
        let Some(tail) = tail_of(&page, &loaded) else {
            tracing::warn!(%stream, version = base.get(), "the log has another event where the snapshot was made; the whole stream is folded");
            return Ok(None);
        };
        let mut current = Current { loaded, base, met: false };
        current.fold(&tail, at, watch)?;
        self.fold_rest(stream, &mut current, page.next, at, watch).await?;
        Ok(Some(current))
    }

    /// The stream from `base` on, or from the version after it where retention dropped the event at `base` itself.
    async fn page_after(&self, stream: &StreamName, base: Version) -> Result<StreamPage, LoadError> {
        let read = ReadStream::forward(stream.clone());
        match self.page(read.clone().from(base)).await {
            Err(LoadError::Read { cause: ReadError::BelowStart { .. }, .. }) => {
                self.page(read.from(base.next())).await
            }
            other => other,
        }
    }

    async fn fold_rest(
        &self,
        stream: &StreamName,
        current: &mut Current<A>,
        mut next: Option<Version>,
        at: At,
        watch: &mut Watch<'_>,
    ) -> Result<(), LoadError> {
        while let Some(from) = next {
            let page = self.page(ReadStream::forward(stream.clone()).from(from)).await?;
            current.fold(&page.events, at, watch)?;
            next = page.next;
        }
        Ok(())
    }

    async fn log_id(&self, stream: &StreamName) -> Result<LogId, LoadError> {
        let ask = || async { self.store.head().await.map(|head| head.log_id) };
        let known = self.log_id.get_or_try_init(ask).await;
        known.copied().map_err(|cause| LoadError::Read { stream: stream.clone(), cause })
    }
}

/// The events of the page after the snapshot; `None`: the log is not the one that the snapshot was made from.
fn tail_of<A>(page: &StreamPage, snapshot: &Loaded<A>) -> Option<EventBatch> {
    if page.version < snapshot.version {
        return None;
    }
    match page.events.first() {
        Some(event) if event.version() == snapshot.version => {
            let same = Some(event.id()) == snapshot.last_id && snapshot.token == event.sequence().into();
            same.then(|| page.events.slice(1..page.events.len()))
        }
        _ => Some(page.events.clone()),
    }
}
