//! The threads of an open log: the writer's, and those beside it.
//!
//! What always holds: each ends soon after the queue is closed, and whoever waits for the writer is let go however that ends.

use crate::care::{LOOK_EVERY, Maintenance, Watch, scrub_pass};
use crate::error::{MaintenanceError, OpenError};
use crate::open::Prepared;
use crate::options::Scrub;
use crate::queue::{Job, Queue};
use crate::read::{Reader, Shared};
use crate::writer::Writer;
use std::{
    ops::ControlFlow,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub(super) struct Threads {
    writer: JoinHandle<Result<(), MaintenanceError>>,
    preparing: JoinHandle<()>,
    tending: JoinHandle<()>,
    watching: JoinHandle<()>,
    scrubbing: Option<JoinHandle<()>>,
}

impl Threads {
    /// Begins all of them, or none that stays.
    pub(super) fn spawn(writer: Writer, queue: &Arc<Queue>, scrub: Option<Scrub>) -> Result<Self, OpenError> {
        Self::spawn_all(writer, queue, scrub).inspect_err(|_| queue.close())
    }

    fn spawn_all(writer: Writer, queue: &Arc<Queue>, scrub: Option<Scrub>) -> Result<Self, OpenError> {
        let (reader, maintenance, watch) = (writer.reader(), writer.maintenance(), writer.watch());
        let tended = maintenance.clone();
        let [of_writer, of_preparing, of_tending, of_watching, of_scrubbing] =
            [(); 5].map(|()| queue.clone());
        let scrubbing = scrub
            .map(|scrub| spawn("annals-log-scrub", move || keep_scrubbing(&reader, scrub, &of_scrubbing)));
        Ok(Self {
            preparing: spawn("annals-log-prepare", move || prepare(&maintenance, &of_preparing))?,
            tending: spawn("annals-log-tend", move || tend(&tended, &of_tending))?,
            watching: spawn("annals-log-watch", move || keep_watching(&watch, &of_watching))?,
            scrubbing: scrubbing.transpose()?,
            writer: spawn("annals-log-write", move || write(writer, &of_writer))?,
        })
    }

    /// Waits until all have ended.
    pub(super) fn join(self) -> Result<(), MaintenanceError> {
        let panicked = || tracing::error!("a thread of the log panicked");
        let here = thread::current().id();
        let Self { writer, preparing, tending, watching, scrubbing } = self;
        let beside: Vec<_> = scrubbing.into_iter().chain([preparing, tending, watching]).collect();
        if beside.iter().map(JoinHandle::thread).chain([writer.thread()]).any(|thread| thread.id() == here) {
            // The last handle was dropped by an answer: this thread ends by itself, it cannot wait for itself.
            return Ok(());
        }
        for thread in beside {
            if thread.join().is_err() {
                panicked();
            }
        }
        writer.join().unwrap_or_else(|_| {
            panicked();
            Ok(())
        })
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, OpenError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::Thread)
}

/// The writer's thread: takes all that is queued as one group, again and again. While one group is synced, the
/// next one gathers.
fn write(mut writer: Writer, queue: &Queue) -> Result<(), MaintenanceError> {
    let _closing = LetWaitersGo { queue, shared: writer.reader().shared };
    while let Some(jobs) = queue.take() {
        let (pending, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(Job::split).unzip();
        let given = writer.commit_pending(pending.into_iter().map(Ok).collect());
        answers.into_iter().zip(given).for_each(|(waiting, answer)| waiting.give(answer));
    }
    writer.finish()
}

/// However the writer's thread ends: nobody waits for it for ever.
struct LetWaitersGo<'a> {
    queue: &'a Queue,
    shared: Arc<Shared>,
}

impl Drop for LetWaitersGo<'_> {
    fn drop(&mut self) {
        self.queue.finish();
        let waiting = self.shared.waiters.lock().take_all();
        drop(waiting);
    }
}

/// How long a thread beside the writer rests when there is nothing to do.
const REST: Duration = Duration::from_millis(100);
/// After a failure: a full disk is not filled again and again. An append that needs the next segment tries at once.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The preparing thread: fills the next segment in paced steps.
fn prepare(maintenance: &Maintenance, queue: &Queue) {
    /// Longest pause between two steps.
    const PACE_MAX: Duration = Duration::from_millis(20);
    loop {
        let begun = Instant::now();
        let pause = match maintenance.prepare_if_needed() {
            Ok(Prepared::Working) if maintenance.is_preparation_behind() => Duration::ZERO,
            // As long again as the step took, so that appends have the disk at least half of the time.
            Ok(Prepared::Working) => begun.elapsed().min(PACE_MAX),
            Ok(Prepared::Ready) => REST,
            Err(error) => {
                tracing::warn!(%error, "the next segment is not prepared; trying again");
                REST_AFTER_FAILURE
            }
        };
        if queue.wait_closing(pause) {
            return;
        }
    }
}

/// The watching thread, until the log is closed or stops writing.
fn keep_watching(watch: &Watch, queue: &Queue) {
    while !queue.wait_closing(LOOK_EVERY) && watch.look().is_continue() {}
}

/// The scrubbing thread: one pass after the other, until the log is closed.
fn keep_scrubbing(reader: &Reader, scrub: Scrub, queue: &Queue) {
    let pause = |time| {
        if queue.wait_closing(time) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    while scrub_pass(reader, Some(scrub), pause).is_continue() && pause(scrub.rest).is_continue() {}
}

/// The tending thread: writes the indexes of sealed segments, and checkpoints.
fn tend(maintenance: &Maintenance, queue: &Queue) {
    loop {
        let mut result = maintenance.write_indexes();
        if result.is_ok() && maintenance.is_checkpoint_due() {
            result = maintenance.checkpoint();
        }
        let failed = |error: &MaintenanceError| {
            tracing::warn!(%error, "an index or a checkpoint was not written; trying again");
        };
        let pause = if result.inspect_err(failed).is_ok() { REST } else { REST_AFTER_FAILURE };
        if queue.wait_closing(pause) {
            return;
        }
    }
}
