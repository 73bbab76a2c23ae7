//! Readers of what is live, while others exchange it.

use super::{
    Catalog,
    fixture::{
        Handle, after, at_once, candidate, checkpoint_of, claim, first_live, fold, live_view, open,
        patient_claim, patient_fence, patient_view, pointing,
    },
    tables::schema,
};
use crate::{GenerationId, backend::Live};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// How often another generation is made live: in the end it is not the first one.
const FLIPS: usize = 51;
/// How many look meanwhile.
const READERS: usize = 4;

/// Exchanges two generations again and again, as replays do: what is live is folded on and fenced, the other one is folded up to
/// it at least, and takes its place. The one that was replaced is kept up to date, and is ahead of what is live then.
struct Exchange {
    on: Handle,
    live: Live,
    other: GenerationId,
    reached: u64,
    /// What is live contains no more than this.
    most: Arc<AtomicU64>,
}

impl Exchange {
    async fn begin(on: Handle) -> Self {
        let live = first_live(&on).await;
        let other = candidate(&on).await;
        Self { on, live, other, reached: 0, most: Arc::default() }
    }

    async fn fold(&self, id: GenerationId, through: u64) {
        let mut writer = patient_claim(&self.on, id).await;
        fold(&mut writer, through).await.unwrap();
    }

    async fn flip(&mut self) {
        let (old, next) = (self.live.generation, self.other);
        self.most.store(self.reached + 1, Ordering::Release);
        self.fold(old, self.reached + 1).await;
        let fence = patient_fence(&self.on, old).await;
        let mut writer = claim(&self.on, next).await;
        let ahead = writer.status().checkpoint.get();
        self.reached = ahead.max(self.reached + 1);
        if ahead < self.reached {
            fold(&mut writer, self.reached).await.unwrap();
        }
        writer.finish(&schema()).await.unwrap();
        let flipped = after(self.live, next);
        self.most.store(self.reached, Ordering::Release);
        fence.flip(&pointing(Some(self.live), flipped)).await.unwrap();
        (self.live, self.other) = (flipped, old);
        self.fold(old, self.reached + 2).await;
    }
}

pub async fn a_view_of_what_is_live_never_steps_back(catalog: Catalog) {
    let mut exchange = Exchange::begin(open(&catalog).await).await;
    let done = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(AtomicU64::new(0));
    let readers = {
        let handles = [open(&catalog).await, open(&catalog).await];
        let (done, most) = (done.clone(), exchange.most.clone());
        at_once(READERS, move |index| {
            let on = handles[index % handles.len()].clone();
            let (done, newest, most) = (done.clone(), newest.clone(), most.clone());
            async move {
                while !done.load(Ordering::Acquire) {
                    let before = newest.load(Ordering::Acquire);
                    let mut view = patient_view(&on).await;
                    let now = checkpoint_of(&mut view).await;
                    assert!(now >= before, "somebody saw {before}, and a view begun after that sees {now}");
                    let most = most.load(Ordering::Acquire);
                    assert!(now <= most, "a view sees {now}, and what is live contains at most {most}");
                    newest.fetch_max(now, Ordering::AcqRel);
                }
            }
        })
    };
    let readers = tokio::spawn(readers);
    for _ in 0..FLIPS {
        exchange.flip().await;
    }
    done.store(true, Ordering::Release);
    readers.await.unwrap();
    assert_eq!(checkpoint_of(&mut live_view(&exchange.on).await).await, exchange.reached);
}
