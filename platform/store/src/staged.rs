//! A store on which a test sets the scene: at calls that it chooses, the store is silent, fails, loses an answer, or holds its
//! caller until the test lets it go.
//!
//! What always holds: a call that is not chosen is passed on as it is; what comes before a call happens with nothing done, what
//! comes after it with all of it done and nobody told.

use crate::{
    AppendError, Damage, EventStore, Head, Layer, LogPage, ReadError, ReadLog, ReadStream, StreamPage,
    Subscribe, Subscription,
};
use annals_event::{Append, Fingerprint, LogId, MarkName, Receipt, Sequence};
use async_trait::async_trait;
use futures::stream;
use parking_lot::Mutex;
use std::{
    fmt,
    future::{Future, pending},
    sync::Arc,
};
use tokio::sync::{Notify, Semaphore};

/// What is asked of a store. The rest of what can be asked is passed on and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they stand at the methods of EventStore")]
pub enum Call {
    Append,
    ReadStream,
    ReadLog,
    Subscribe,
    /// The next delivery of a subscription.
    Next,
    Head,
    Mark,
    Fingerprint,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is never an answer, as for a caller that dies.
    Silence,
    /// The store is unavailable.
    Failure,
    /// The store holds another log.
    OtherLog,
    /// The log is damaged.
    Damage,
    /// The caller is held until [`Staged::release`].
    Hold,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    before: Option<Trouble>,
    after: Option<Trouble>,
}

impl Scene {
    /// The call is passed on.
    pub const PASS: Self = Self { before: None, after: None };

    /// Before anything is done.
    pub const fn before(trouble: Trouble) -> Self {
        Self { before: Some(trouble), after: None }
    }
    /// When it is done, and before the caller hears of it.
    pub const fn after(trouble: Trouble) -> Self {
        Self { before: None, after: Some(trouble) }
    }
    /// The same, besides what comes before.
    #[must_use]
    pub const fn and_after(self, trouble: Trouble) -> Self {
        Self { after: Some(trouble), ..self }
    }
}

/// The store over which a [`Scene`] is set. Cloning it gives another handle.
#[derive(Clone)]
pub struct Staged(Arc<Stage>);

struct Stage {
    below: Arc<dyn EventStore>,
    script: Box<dyn Fn(Call, usize) -> Scene + Send + Sync>,
    calls: Mutex<Vec<Call>>,
    arrived: Notify,
    released: Semaphore,
}

impl Staged {
    /// Asks `script` at each call what happens: of which kind it is, and how many of that kind there were before.
    pub fn over(
        below: Arc<dyn EventStore>,
        script: impl Fn(Call, usize) -> Scene + Send + Sync + 'static,
    ) -> Self {
        let (calls, arrived, released) = (Mutex::default(), Notify::new(), Semaphore::new(0));
        Self(Arc::new(Stage { below, script: Box::new(script), calls, arrived, released }))
    }

    /// The layer as an [`EventStore`].
    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.clone())
    }

    /// What was asked until now.
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().clone()
    }

    /// Waits until a caller is held, or is left without an answer.
    pub async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    /// Lets so many callers go that are held, now or later.
    pub fn release(&self, callers: usize) {
        self.0.released.add_permits(callers);
    }

    async fn call<T, E: Refusal>(
        &self,
        call: Call,
        done: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let before = {
            let mut calls = self.0.calls.lock();
            let before = calls.iter().filter(|made| **made == call).count();
            calls.push(call);
            before
        };
        let scene = (self.0.script)(call, before);
        self.play(scene.before, "not done").await?;
        let answer = done.await;
        self.play(scene.after, "the answer was lost").await?;
        answer
    }

    async fn play<E: Refusal>(&self, trouble: Option<Trouble>, reason: &str) -> Result<(), E> {
        match trouble {
            None => Ok(()),
            Some(Trouble::Failure) => Err(E::unavailable(reason)),
            Some(Trouble::OtherLog) => Err(E::other_log()),
            Some(Trouble::Damage) => Err(E::damaged()),
            Some(Trouble::Hold) => {
                self.0.arrived.notify_one();
                if let Ok(permit) = self.0.released.acquire().await {
                    permit.forget();
                }
                Ok(())
            }
            Some(Trouble::Silence) => {
                self.0.arrived.notify_one();
                pending().await
            }
        }
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Staged({:?})", self.0.calls.lock())
    }
}

/// How a call fails.
trait Refusal {
    fn unavailable(reason: &str) -> Self;
    fn other_log() -> Self;
    fn damaged() -> Self;
}

fn damage() -> Damage {
    Damage { place: "segment 1".into(), offset: None, reason: "it is gone".into() }
}

const WANTED: LogId = LogId::from_bytes([1; 16]);
const FOUND: LogId = LogId::from_bytes([2; 16]);

impl Refusal for ReadError {
    fn unavailable(reason: &str) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
    fn other_log() -> Self {
        Self::OtherLog { wanted: WANTED, found: FOUND }
    }
    fn damaged() -> Self {
        Self::Corrupted(damage())
    }
}

impl Refusal for AppendError {
    fn unavailable(reason: &str) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
    fn other_log() -> Self {
        Self::OtherLog { wanted: WANTED, found: FOUND }
    }
    fn damaged() -> Self {
        Self::Corrupted(damage())
    }
}

#[async_trait]
impl Layer for Staged {
    fn below(&self) -> Arc<dyn EventStore> {
        self.0.below.clone()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.call(Call::Append, self.0.below.append(append)).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.call(Call::ReadStream, self.0.below.read_stream(read)).await
    }
    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.call(Call::ReadLog, self.0.below.read_log(read)).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let below = self.call(Call::Subscribe, self.0.below.subscribe(subscribe)).await?;
        Ok(Subscription::new(stream::unfold(Some((self.clone(), below)), async |state| {
            let (staged, mut below) = state?;
            match staged.call(Call::Next, below.next()).await {
                Ok(delivery) => Some((Ok(delivery), Some((staged, below)))),
                Err(error) => Some((Err(error), None)),
            }
        })))
    }
    async fn head(&self) -> Result<Head, ReadError> {
        self.call(Call::Head, self.0.below.head()).await
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        self.call(Call::Mark, self.0.below.mark(mark)).await
    }
    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        self.call(Call::Fingerprint, self.0.below.fingerprint(at)).await
    }
}
