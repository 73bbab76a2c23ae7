//! How far a line has come, reported from time to time on standard error while it is judged.

use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const SAY_EVERY: Duration = Duration::from_secs(15);

/// What the line that is being judged last reported.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<String>>);

impl Progress {
    /// Sets how far the line has come.
    pub(crate) fn set(&self, far: impl Into<String>) {
        *self.0.lock() = far.into();
    }

    /// Reports how far line `number` has come, for as long as it is polled.
    pub(crate) async fn keep_saying<T>(&self, number: u8) -> T {
        self.set("");
        let begun = Instant::now();
        loop {
            sleep(SAY_EVERY).await;
            let far = self.0.lock().clone();
            let separator = if far.is_empty() { "" } else { ", " };
            eprintln!("line {number}: {} s{separator}{far}", begun.elapsed().as_secs());
        }
    }
}
