//! The bounded queue before the writer.
//!
//! What always holds: a job that was taken in is answered exactly once; one that is dropped unanswered, because its
//! thread died, answers `Closed` by itself.

use crate::error::{AppendError, SubmitError};
use crate::format::GROUP_BYTES_MAX;
use crate::read::Answer;
use crate::state::Pending;
use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

type Done = Box<dyn FnOnce(Answer) + Send>;

/// An append that waits for the writer, and who waits for it.
pub(crate) struct Job {
    pending: Pending,
    answer: JobAnswer,
}

/// Whom to answer.
pub(crate) struct JobAnswer {
    done: Option<Done>,
}

impl Job {
    pub(crate) fn new(pending: Pending, done: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self { pending, answer: JobAnswer { done: Some(Box::new(done)) } }
    }

    pub(crate) fn split(self) -> (Pending, JobAnswer) {
        (self.pending, self.answer)
    }

    /// Gives up: nobody is answered.
    fn forget(mut self) {
        self.answer.done = None;
    }
}

impl JobAnswer {
    pub(crate) fn give(mut self, answer: Answer) {
        if let Some(done) = self.done.take() {
            done(answer);
        }
    }
}

impl Drop for JobAnswer {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Answer::Ready(Err(AppendError::Closed)));
        }
    }
}

/// How long the writer looks for another append before it sleeps. A client that waits for each answer sends its next
/// append within that time, and waking a thread takes as long.
const LOOK_AGAIN: Duration = Duration::from_micros(40);

pub(crate) struct Queue {
    appends_max: usize,
    bytes_max: usize,
    /// How many jobs wait; also read without the lock.
    count: AtomicUsize,
    waiting: Mutex<Waiting>,
    filled: Condvar,
    emptied: Condvar,
    closing: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// No more jobs are taken in; those that wait are done.
    Closing,
    /// The writer is gone.
    Done,
}

impl Queue {
    pub(crate) fn new(appends_max: usize, bytes_max: usize) -> Self {
        Self {
            appends_max: appends_max.max(1),
            bytes_max,
            count: AtomicUsize::new(0),
            waiting: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            closing: Condvar::new(),
        }
    }

    /// Takes the job in, if there is room.
    pub(crate) fn push(&self, job: Job) -> Result<(), SubmitError> {
        let mut waiting = self.waiting.lock();
        if waiting.stage != Stage::Open {
            job.forget();
            return Err(AppendError::Closed.into());
        }
        if !self.has_room(&waiting, &job) {
            job.forget();
            return Err(SubmitError::Full);
        }
        self.put(&mut waiting, job);
        Ok(())
    }

    /// Takes the job in as soon as there is room.
    pub(crate) fn push_waiting(&self, job: Job) -> Result<(), AppendError> {
        let mut waiting = self.waiting.lock();
        while waiting.stage == Stage::Open && !self.has_room(&waiting, &job) {
            self.emptied.wait(&mut waiting);
        }
        if waiting.stage != Stage::Open {
            job.forget();
            return Err(AppendError::Closed);
        }
        self.put(&mut waiting, job);
        Ok(())
    }

    /// The jobs that wait, oldest first, about as many as one group may hold, once there is one; `None`: the queue
    /// is closed and empty.
    pub(crate) fn take(&self) -> Option<Vec<Job>> {
        self.look_again();
        let mut waiting = self.waiting.lock();
        while waiting.jobs.is_empty() {
            if waiting.stage != Stage::Open {
                return None;
            }
            self.filled.wait(&mut waiting);
        }
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.pending.weight_bytes();
            bytes <= GROUP_BYTES_MAX
        };
        let count = waiting.jobs.iter().take_while(fits).count().max(1);
        let jobs: Vec<Job> = waiting.jobs.drain(..count).collect();
        self.count.store(waiting.jobs.len(), Ordering::Relaxed);
        let taken: usize = jobs.iter().map(|job| job.pending.weight_bytes()).sum();
        waiting.bytes = waiting.bytes.saturating_sub(taken);
        self.emptied.notify_all();
        Some(jobs)
    }

    /// Gives whoever was just answered a moment to come back.
    fn look_again(&self) {
        let begun = Instant::now();
        while self.count.load(Ordering::Relaxed) == 0 && begun.elapsed() < LOOK_AGAIN {
            thread::yield_now();
        }
    }

    /// Takes no more jobs in.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock();
        if waiting.stage == Stage::Open {
            waiting.stage = Stage::Closing;
        }
        drop(waiting);
        self.wake_all();
    }

    /// The writer is gone: whoever still waits gets `Closed`.
    pub(crate) fn finish(&self) {
        let mut waiting = self.waiting.lock();
        waiting.stage = Stage::Done;
        let left = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        drop(left);
        self.wake_all();
    }

    pub(crate) fn is_done(&self) -> bool {
        self.waiting.lock().stage == Stage::Done
    }

    /// Pauses for `time`, or until the queue is closed; whether it is.
    pub(crate) fn wait_closing(&self, time: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.stage == Stage::Open {
            self.closing.wait_for(&mut waiting, time);
        }
        waiting.stage != Stage::Open
    }

    fn has_room(&self, waiting: &Waiting, job: &Job) -> bool {
        let room = waiting.bytes.saturating_add(job.pending.weight_bytes()) <= self.bytes_max;
        waiting.jobs.len() < self.appends_max && (room || waiting.jobs.is_empty())
    }

    fn put(&self, waiting: &mut Waiting, job: Job) {
        waiting.bytes += job.pending.weight_bytes();
        waiting.jobs.push_back(job);
        self.count.store(waiting.jobs.len(), Ordering::Relaxed);
        self.filled.notify_one();
    }

    fn wake_all(&self) {
        self.filled.notify_all();
        self.emptied.notify_all();
        self.closing.notify_all();
    }
}
