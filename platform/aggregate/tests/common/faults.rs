use annals_event::{Append, Receipt, RequestId};
use annals_store::{AppendError, EventStore, GappedStore, Layer, ReadError, ReadStream, StreamPage};
use async_trait::async_trait;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// What happens to the next appends, one fault each; then they go through.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The append is done, and its answer is lost.
    LoseAnswer,
    /// The append is done as if the store no longer knew its request id.
    Forget,
    /// The append is not done.
    Refuse,
    /// Says that it arrived, and waits to be let through.
    Pause,
}

/// A store in memory, with faults.
pub(crate) struct FaultyStore {
    pub(crate) inner: GappedStore,
    faults: Mutex<Vec<Fault>>,
    pub(crate) arrived: Notify,
    pub(crate) go: Notify,
    pub(crate) appends: AtomicUsize,
    /// Whether reads are not answered.
    pub(crate) is_away: AtomicBool,
    pub(crate) reads: AtomicUsize,
    pub(crate) read_events: AtomicUsize,
}

impl FaultyStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: GappedStore::new(),
            faults: Mutex::default(),
            arrived: Notify::new(),
            go: Notify::new(),
            appends: AtomicUsize::new(0),
            is_away: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            read_events: AtomicUsize::new(0),
        })
    }

    pub(crate) fn next_appends(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.faults.lock().unwrap() = faults.into_iter().collect();
    }

    /// How many events were read since it was asked last.
    pub(crate) fn take_read_events(&self) -> usize {
        self.read_events.swap(0, Ordering::SeqCst)
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        (!faults.is_empty()).then(|| faults.remove(0))
    }
}

fn unavailable() -> AppendError {
    AppendError::Unavailable { reason: "the connection was cut".into() }
}

#[async_trait]
impl Layer for FaultyStore {
    fn below(&self) -> Arc<dyn EventStore> {
        Arc::new(self.inner.clone())
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        match self.next_fault() {
            None => self.inner.append(append).await,
            Some(Fault::Forget) => {
                self.inner.append(Append { request_id: RequestId::generate(), ..append }).await
            }
            Some(Fault::Refuse) => Err(unavailable()),
            Some(Fault::LoseAnswer) => self.inner.append(append).await.and(Err(unavailable())),
            Some(Fault::Pause) => {
                self.arrived.notify_one();
                self.go.notified().await;
                self.inner.append(append).await
            }
        }
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable { reason: "the connection was cut".into() });
        }
        let page = self.inner.read_stream(read).await?;
        self.read_events.fetch_add(page.events.len(), Ordering::SeqCst);
        Ok(page)
    }
}
