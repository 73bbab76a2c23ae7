//! Threads on which reads wait for the disk.
//!
//! What always holds:
//!
//! * The number of threads is bounded, however many reads wait; a read takes memory only while a thread runs it.
//! * A waiting read needs nobody to poll it. A subscriber that stalls does not poll, and must not keep a place that
//!   others wait for.

use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};
use tokio::sync::oneshot;

/// The least number of threads; there are more on a machine with many cores.
const THREADS_MIN: usize = 4;
const THREADS_A_CORE: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// Runs reads, as many at once as there are threads. Dropping it ends the threads once all waiting reads are done.
pub(crate) struct Readers {
    queue: Arc<Queue>,
    threads_max: usize,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    ended: bool,
}

impl Readers {
    /// As many threads as this machine has use for.
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::at_most(THREADS_MIN.max(cores.saturating_mul(THREADS_A_CORE)))
    }

    pub(crate) fn at_most(threads_max: usize) -> Self {
        Self { queue: Arc::default(), threads_max }
    }

    /// What `read` returns; `None`: it panicked, or no thread could be started. Reads begin in order of arrival;
    /// those for which nobody waits any more are skipped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.push(Box::new(move || {
            if !answer.is_closed() {
                // Nobody listens if the caller gave up in the meantime.
                let _ = answer.send(read());
            }
        }));
        answered.await.ok()
    }

    fn push(&self, job: Job) {
        let mut waiting = self.queue.waiting.lock();
        waiting.jobs.push_back(job);
        if waiting.idle >= waiting.jobs.len() || waiting.threads >= self.threads_max {
            self.queue.changed.notify_one();
            return;
        }
        let queue = Arc::clone(&self.queue);
        let spawned = thread::Builder::new().name("annals-log-read".into()).spawn(move || queue.work());
        match spawned {
            Ok(_) => waiting.threads += 1,
            Err(error) if waiting.threads == 0 => {
                tracing::warn!(%error, "no thread could be started to read the log");
                waiting.jobs.clear();
            }
            // The other threads will get to it.
            Err(_) => {}
        }
    }
}

impl Queue {
    fn work(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a read of the log panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.ended {
                return None;
            }
            waiting.idle += 1;
            self.changed.wait(&mut waiting);
            waiting.idle -= 1;
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.waiting.lock().ended = true;
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::{collections::HashSet, time::Duration};

    #[tokio::test]
    async fn reads_share_a_bounded_number_of_threads() {
        let readers = Readers::at_most(3);
        let reads = (0..50).map(|_| {
            readers.run(|| {
                thread::sleep(Duration::from_millis(1));
                thread::current().id()
            })
        });
        let threads: HashSet<_> = futures::future::join_all(reads).await.into_iter().flatten().collect();
        assert!(threads.len() <= 3, "{threads:?}");
    }

    #[tokio::test]
    async fn a_read_that_nobody_polls_keeps_nobody_waiting() {
        let readers = Readers::at_most(1);
        let mut dormant: Vec<_> = (0..10).map(|number| Box::pin(readers.run(move || number))).collect();
        for read in &mut dormant {
            // Polled once, and not again.
            let _ = read.as_mut().now_or_never();
        }
        assert_eq!(readers.run(|| 10).await, Some(10));
    }

    #[tokio::test]
    async fn a_read_that_panics_is_that_reads_end_only() {
        let readers = Readers::at_most(1);
        assert_eq!(readers.run(|| panic!("as planned")).await, None::<u8>);
        assert_eq!(readers.run(|| 1).await, Some(1));
    }

    #[tokio::test]
    async fn the_threads_end_with_the_readers() {
        let readers = Readers::at_most(2);
        assert_eq!(readers.run(|| 1).await, Some(1));
        let queue = Arc::clone(&readers.queue);
        drop(readers);
        while Arc::strong_count(&queue) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
