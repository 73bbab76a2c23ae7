//! A store that makes trouble: at one chosen call, or at many, it kills its caller, fails, or loses the answer; or it holds a
//! caller back until it is let go. The log below it is a real one.

use annals_event::{Append, LogId, MarkName, Receipt, Sequence};
use annals_store::{
    AppendError, EventStore, Layer, ReadError, ReadStream, StreamPage, Subscribe, Subscription,
};
use async_trait::async_trait;
use futures::stream;
use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// The caller dies before the call is done.
    KillBefore,
    /// The caller dies when the call is done and before it hears of it.
    KillAfter,
    /// The call is not done, and fails.
    Fail,
    /// The call is not done, since the store holds another log.
    OtherLog,
    /// The call is done, and fails.
    LoseAnswer,
    /// The call is held back until it is let go.
    Hold,
    /// The same, and then its answer is lost.
    HoldAndLoseAnswer,
}

impl Trouble {
    pub const CRASHES: [Self; 4] = [Self::KillBefore, Self::KillAfter, Self::Fail, Self::LoseAnswer];
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call {
    Append,
    ReadStream,
    Mark,
    Subscribe,
    Next,
}

#[derive(Clone)]
pub struct Troubled {
    inner: Arc<dyn EventStore>,
    /// Whether it repeats each append by itself, as an adapter does that lost the first answer.
    repeats: bool,
    when: When,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy)]
enum When {
    Never,
    At(usize, Trouble),
    Often { seed: u64 },
}

impl When {
    fn trouble(self, call: usize) -> Option<Trouble> {
        match self {
            Self::Never => None,
            Self::At(at, trouble) => (at == call).then_some(trouble),
            Self::Often { seed } => {
                let seed = seed.wrapping_add(u64::try_from(call).unwrap());
                let trouble = fastrand::Rng::with_seed(seed).usize(..4 * CALLS_PER_TROUBLE);
                Trouble::CRASHES.get(trouble).copied()
            }
        }
    }
}

/// How many calls go well for one that does not, of each kind of crash.
const CALLS_PER_TROUBLE: usize = 6;

#[derive(Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    appends: Mutex<Vec<Append>>,
    hit: Notify,
    release: Notify,
}

impl Troubled {
    /// Makes no trouble, only counts.
    pub fn not(inner: Arc<dyn EventStore>) -> Self {
        Self { inner, repeats: false, when: When::Never, shared: Arc::default() }
    }
    /// Loses the first answer to each append, and asks for it again by itself.
    pub fn repeating(inner: Arc<dyn EventStore>) -> Self {
        Self { repeats: true, ..Self::not(inner) }
    }
    /// Makes `trouble` at the call with this number, from 0.
    pub fn at(inner: Arc<dyn EventStore>, call: usize, trouble: Trouble) -> Self {
        Self { when: When::At(call, trouble), ..Self::not(inner) }
    }
    /// Makes trouble of every kind now and then; the same seed, the same calls.
    pub fn often(inner: Arc<dyn EventStore>, seed: u64) -> Self {
        Self { when: When::Often { seed }, ..Self::not(inner) }
    }
    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.clone())
    }
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }
    /// The appends that were asked for.
    pub fn appends(&self) -> Vec<Append> {
        self.shared.appends.lock().unwrap().clone()
    }
    /// Waits until the caller is dead or held back.
    pub async fn hit(&self) {
        self.shared.hit.notified().await;
    }
    /// Lets a held call go on.
    pub fn release(&self) {
        self.shared.release.notify_one();
    }

    async fn call<T, E: Failure>(
        &self,
        call: Call,
        done: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let number = {
            let mut calls = self.shared.calls.lock().unwrap();
            calls.push(call);
            calls.len() - 1
        };
        match self.when.trouble(number) {
            None => done.await,
            Some(Trouble::KillBefore) => self.kill().await,
            Some(Trouble::KillAfter) => {
                let _ = done.await;
                self.kill().await
            }
            Some(Trouble::Fail) => Err(E::unavailable("not done")),
            Some(Trouble::OtherLog) => Err(E::other_log()),
            Some(Trouble::LoseAnswer) => {
                let _ = done.await;
                Err(E::unavailable("the answer was lost"))
            }
            Some(Trouble::Hold) => {
                self.hold().await;
                done.await
            }
            Some(Trouble::HoldAndLoseAnswer) => {
                self.hold().await;
                let _ = done.await;
                Err(E::unavailable("the answer was lost"))
            }
        }
    }

    async fn hold(&self) {
        self.shared.hit.notify_one();
        self.shared.release.notified().await;
    }

    async fn kill<T>(&self) -> T {
        self.shared.hit.notify_one();
        pending().await
    }
}

/// How a call fails.
trait Failure {
    fn unavailable(reason: &str) -> Self;
    fn other_log() -> Self;
}

const WANTED: LogId = LogId::from_bytes([1; 16]);
const FOUND: LogId = LogId::from_bytes([2; 16]);

impl Failure for ReadError {
    fn unavailable(reason: &str) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
    fn other_log() -> Self {
        Self::OtherLog { wanted: WANTED, found: FOUND }
    }
}

impl Failure for AppendError {
    fn unavailable(reason: &str) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
    fn other_log() -> Self {
        Self::OtherLog { wanted: WANTED, found: FOUND }
    }
}

#[async_trait]
impl Layer for Troubled {
    fn below(&self) -> Arc<dyn EventStore> {
        self.inner.clone()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.shared.appends.lock().unwrap().push(append.clone());
        let done = async {
            if self.repeats {
                let _ = self.inner.append(append.clone()).await;
            }
            self.inner.append(append).await
        };
        self.call(Call::Append, done).await
    }
    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.call(Call::ReadStream, self.inner.read_stream(read)).await
    }
    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let inner = self.call(Call::Subscribe, self.inner.subscribe(subscribe)).await?;
        Ok(Subscription::new(stream::unfold(Some((self.clone(), inner)), async |state| {
            let (store, mut inner) = state?;
            match store.call(Call::Next, inner.next()).await {
                Ok(delivery) => Some((Ok(delivery), Some((store, inner)))),
                Err(error) => Some((Err(error), None)),
            }
        })))
    }
    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        self.call(Call::Mark, self.inner.mark(mark)).await
    }
}
