//! A store that makes trouble: at one chosen call, or at many, it kills its caller, fails, or loses the answer; or it holds a
//! caller back until it is let go. The log below it is a real one.

use annals_event::{Append, Receipt};
use annals_store::{AppendError, EventStore, Layer, Scene, Staged, Trouble as Staging};
use async_trait::async_trait;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

pub use annals_store::Call;

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

impl Trouble {
    const fn scene(self) -> Scene {
        match self {
            Self::KillBefore => Scene::before(Staging::Silence),
            Self::KillAfter => Scene::after(Staging::Silence),
            Self::Fail => Scene::before(Staging::Failure),
            Self::OtherLog => Scene::before(Staging::OtherLog),
            Self::LoseAnswer => Scene::after(Staging::Failure),
            Self::Hold => Scene::before(Staging::Hold),
            Self::HoldAndLoseAnswer => Scene::before(Staging::Hold).and_after(Staging::Failure),
        }
    }
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

/// What a reactor asks of its store for its work, and what is counted.
fn is_counted(call: Call) -> bool {
    matches!(call, Call::Append | Call::ReadStream | Call::Mark | Call::Subscribe | Call::Next)
}

#[derive(Clone)]
pub struct Troubled {
    staged: Staged,
    appends: Arc<Mutex<Vec<Append>>>,
}

impl Troubled {
    fn on(inner: Arc<dyn EventStore>, when: When) -> Self {
        let made = AtomicUsize::new(0);
        let staged = Staged::over(inner, move |call, _| {
            let trouble = is_counted(call).then(|| when.trouble(made.fetch_add(1, Ordering::SeqCst)));
            trouble.flatten().map_or(Scene::PASS, Trouble::scene)
        });
        Self { staged, appends: Arc::default() }
    }
    /// Makes no trouble, only counts.
    pub fn not(inner: Arc<dyn EventStore>) -> Self {
        Self::on(inner, When::Never)
    }
    /// Loses the first answer to each append, and asks for it again by itself, as an adapter does.
    pub fn repeating(inner: Arc<dyn EventStore>) -> Self {
        Self::not(Arc::new(Repeating(inner)))
    }
    /// Makes `trouble` at the call with this number, from 0.
    pub fn at(inner: Arc<dyn EventStore>, call: usize, trouble: Trouble) -> Self {
        Self::on(inner, When::At(call, trouble))
    }
    /// Makes trouble of every kind now and then; the same seed, the same calls.
    pub fn often(inner: Arc<dyn EventStore>, seed: u64) -> Self {
        Self::on(inner, When::Often { seed })
    }
    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.clone())
    }
    pub fn calls(&self) -> Vec<Call> {
        self.staged.calls().into_iter().filter(|call| is_counted(*call)).collect()
    }
    /// The appends that were asked for.
    pub fn appends(&self) -> Vec<Append> {
        self.appends.lock().unwrap().clone()
    }
    /// Waits until the caller is dead or held back.
    pub async fn hit(&self) {
        self.staged.arrived().await;
    }
    /// Lets a held call go on.
    pub fn release(&self) {
        self.staged.release(1);
    }
}

#[async_trait]
impl Layer for Troubled {
    fn below(&self) -> Arc<dyn EventStore> {
        self.staged.store()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        self.appends.lock().unwrap().push(append.clone());
        EventStore::append(&self.staged, append).await
    }
}

/// Each append is done twice.
struct Repeating(Arc<dyn EventStore>);

#[async_trait]
impl Layer for Repeating {
    fn below(&self) -> Arc<dyn EventStore> {
        self.0.clone()
    }
    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        let _ = self.0.append(append.clone()).await;
        self.0.append(append).await
    }
}
