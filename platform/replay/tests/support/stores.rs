//! Stores that do to a replay what real ones do now and then: be slow, be away, have lost their beginning, or take
//! the process with them in the middle of an append.

use annals_event::{Append, Receipt, Sequence, StreamName};
use annals_store::{
    AppendError, EventStore, Follow, Head, Layer, LogPage, ReadError, ReadLog, ReadStream, StreamPage,
    Subscribe, Subscription,
};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Notify, Semaphore};

/// How many events a page of a [`Stage`]d store has.
pub const PAGE_EVENTS: usize = 100;

/// A store under a director.
#[derive(Clone)]
pub struct Stage(Arc<Directed>);

struct Directed {
    inner: Arc<dyn EventStore>,
    /// Pages that may still be read.
    pages: Semaphore,
    /// Readers that wait for a page, now.
    waiting: AtomicUsize,
    /// What everybody is told who asks.
    away: Mutex<Option<ReadError>>,
    /// How often somebody was told so.
    refused: AtomicUsize,
    /// The first sequence number that is still there.
    first: Mutex<Option<Sequence>>,
    /// How often each stream was read.
    stream_reads: Mutex<HashMap<StreamName, usize>>,
    /// Streams whose first events retention dropped.
    dropped: Mutex<Vec<StreamName>>,
    trap: Mutex<Option<Trap>>,
    /// An append is in the trap.
    trapped: Notify,
    /// The append in the trap may go on.
    released: Notify,
}

/// Where the next append of an event of this type stops until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    Before(&'static str),
    After(&'static str),
}

impl Stage {
    /// Does nothing to `inner` yet, but that subscriptions come in small pages.
    pub fn on(inner: Arc<dyn EventStore>) -> Self {
        Self(Arc::new(Directed {
            inner,
            pages: Semaphore::new(Semaphore::MAX_PERMITS / 2),
            waiting: AtomicUsize::new(0),
            away: Mutex::new(None),
            refused: AtomicUsize::new(0),
            first: Mutex::new(None),
            stream_reads: Mutex::default(),
            dropped: Mutex::default(),
            trap: Mutex::new(None),
            trapped: Notify::new(),
            released: Notify::new(),
        }))
    }

    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.clone())
    }

    /// Lets subscribers read so many pages more, and no other.
    pub fn only(&self, pages: usize) {
        self.0.pages.forget_permits(Semaphore::MAX_PERMITS);
        self.0.pages.add_permits(pages);
    }

    pub fn let_read(&self, pages: usize) {
        self.0.pages.add_permits(pages);
    }

    pub fn open(&self) {
        self.only(Semaphore::MAX_PERMITS / 2);
    }

    /// Whether a reader waits for a page.
    pub fn has_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::SeqCst) > 0
    }

    /// From now on everybody is told this, until [`Stage::come_back`].
    pub fn leave(&self, error: &ReadError) {
        *self.0.away.lock().unwrap() = Some(error.clone());
    }

    pub fn come_back(&self) {
        *self.0.away.lock().unwrap() = None;
    }

    pub fn refused(&self) -> usize {
        self.0.refused.load(Ordering::SeqCst)
    }

    /// Retention has dropped everything below.
    pub fn begin_at(&self, first: Sequence) {
        *self.0.first.lock().unwrap() = Some(first);
    }

    pub fn stream_reads(&self, stream: &StreamName) -> usize {
        self.0.stream_reads.lock().unwrap().get(stream).copied().unwrap_or_default()
    }

    /// Retention has dropped the stream's first events.
    pub fn drop_stream(&self, stream: StreamName) {
        self.0.dropped.lock().unwrap().push(stream);
    }

    pub fn set_trap(&self, trap: Trap) {
        *self.0.trap.lock().unwrap() = Some(trap);
    }

    /// Waits until an append is in the trap.
    pub async fn trapped(&self) {
        super::world::within(self.0.trapped.notified()).await;
    }

    /// Lets the append in the trap go on.
    pub fn release(&self) {
        self.0.released.notify_one();
    }
}

impl Directed {
    fn check(&self) -> Result<(), ReadError> {
        let Some(error) = self.away.lock().unwrap().clone() else { return Ok(()) };
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err(error)
    }

    fn check_start(&self, requested: Sequence) -> Result<(), ReadError> {
        match *self.first.lock().unwrap() {
            Some(first) if requested < first => Err(ReadError::BelowStart { requested, first }),
            _ => Ok(()),
        }
    }

    /// Waits in the trap if it is set for this append.
    async fn fall_into(&self, trap: fn(&'static str) -> Trap, append: &Append) {
        let writes = |wanted: &str| {
            let mut events = append.writes.iter().flat_map(|write| &write.events);
            events.any(|event| event.event_type.as_str() == wanted)
        };
        let falls = {
            let mut set = self.trap.lock().unwrap();
            let falls = matches!(*set, Some(there @ (Trap::Before(wanted) | Trap::After(wanted)))
                if there == trap(wanted) && writes(wanted));
            if falls { set.take().is_some() } else { false }
        };
        if falls {
            self.trapped.notify_one();
            self.released.notified().await;
        }
    }
}

#[async_trait]
impl Layer for Stage {
    fn below(&self) -> Arc<dyn EventStore> {
        self.0.inner.clone()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.0.check().map_err(|error| match error {
            ReadError::OtherLog { wanted, found } => AppendError::OtherLog { wanted, found },
            error => AppendError::Unavailable { reason: error.to_string() },
        })?;
        self.0.fall_into(Trap::Before, &append).await;
        let receipt = self.0.inner.append(append.clone()).await;
        self.0.fall_into(Trap::After, &append).await;
        receipt
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.0.check()?;
        *self.0.stream_reads.lock().unwrap().entry(read.stream.clone()).or_default() += 1;
        if self.0.dropped.lock().unwrap().contains(&read.stream) {
            let first = self.0.inner.head().await?.last;
            return Err(ReadError::BelowStart { requested: Sequence::ZERO, first });
        }
        self.0.inner.read_stream(read).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.0.check()?;
        self.0.check_start(read.from)?;
        self.0.inner.read_log(read).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        self.0.check()?;
        self.0.check_start(subscribe.from)?;
        Ok(Subscription::following(self.0.clone(), subscribe))
    }
    async fn head(&self) -> Result<Head, ReadError> {
        self.0.check()?;
        let head = self.0.inner.head().await?;
        let first = self.0.first.lock().unwrap().unwrap_or(head.first);
        Ok(Head { first, ..head })
    }
}

#[async_trait]
impl Follow for Directed {
    async fn page(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        if let Ok(page) = self.pages.try_acquire() {
            page.forget();
        } else {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _left = Leaves(&self.waiting);
            self.pages.acquire().await.unwrap().forget();
        }
        self.check()?;
        self.check_start(read.from)?;
        let page = self.inner.read_log(ReadLog { events_max: PAGE_EVENTS, ..read }).await?;
        // To whoever reads, the log ends with the page: so each page is a batch of its own.
        Ok(LogPage { head: page.through, ..page })
    }

    async fn grown_past(&self, through: Sequence) -> Result<(), ReadError> {
        let all = annals_store::Filter::all();
        let mut subscription = self.inner.subscribe(Subscribe::after(through, all)).await?;
        while subscription.next().await?.through <= through {}
        Ok(())
    }
}

/// One less waits, also when it was dropped meanwhile.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
