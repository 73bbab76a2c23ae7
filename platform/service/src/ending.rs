//! The end of a program: one deadline for all that must end.
//!
//! * The time runs from when the program is told to stop. If it is to drain first, it goes on serving for that long, so that
//!   whoever sends it requests learns that it leaves, and the time runs from then. Each step of the end has half of what is
//!   left, so that something is left for the next: requests, work in the background, the log, the last spans.
//! * What does not end in its time is cut off. In the end one line names all of it.
//! * A program that a signal told to stop is gone when the time is over, whatever holds it, and at once when a second signal
//!   comes.

use annals_telemetry::Telemetry;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a program may take to end once it is told to stop and has drained, all together, unless it says otherwise
/// ([`Ending::within_times`], [`Ending::of`]). Supervisors kill what takes longer: `docker stop` after 10 s, Kubernetes after 30 s.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// How a process ends that a second signal ended: as one that Ctrl-C killed.
const SECOND_SIGNAL: i32 = 130;

/// The end of a program. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Cancelled when the program is told to stop.
    leaving: CancellationToken,
    /// Cancelled once it has drained.
    stop: CancellationToken,
    drain: Duration,
    time_max: Duration,
    deadline: Arc<OnceLock<Instant>>,
    late: Arc<Mutex<Vec<String>>>,
}

impl Ending {
    /// The end of a program that nobody has told to stop yet.
    pub fn new() -> Self {
        Self::within_times(Duration::ZERO, STOP_TIME_MAX)
    }

    /// The same for a program that serves on for `drain` when it is told to stop, and then takes at most `time_max`.
    pub fn within_times(drain: Duration, time_max: Duration) -> Self {
        let (leaving, stop) = (CancellationToken::new(), CancellationToken::new());
        Self { leaving, stop, drain, time_max, deadline: Arc::default(), late: Arc::default() }
    }

    /// Lets Ctrl-C and SIGTERM tell the program to stop. Its process ends in time, and at once at the second signal.
    pub fn begin_at_a_signal(&self) -> io::Result<()> {
        let mut signals = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let ending = self.clone();
        tokio::spawn(async move {
            told(&mut signals).await;
            let late = ending.clone();
            thread::spawn(move || late.end_by_force());
            ending.begin();
            told(&mut signals).await;
            let _ = writeln!(io::stderr(), "ended at once by a second signal");
            std::process::exit(SECOND_SIGNAL);
        });
        Ok(())
    }

    /// Tells the program to stop. The time runs from the first time on. Call it within a Tokio runtime.
    pub fn begin(&self) {
        self.deadline();
        if self.drain.is_zero() {
            self.leaving.cancel();
            self.stop.cancel();
        } else if !self.leaving.is_cancelled() {
            self.leaving.cancel();
            let (stop, drain) = (self.stop.clone(), self.drain);
            tokio::spawn(async move {
                tokio::time::sleep(drain).await;
                stop.cancel();
            });
        }
    }

    /// Is cancelled when the program is told to stop, before it drains.
    pub fn leaving(&self) -> CancellationToken {
        self.leaving.clone()
    }

    /// Waits until the program is told to stop and has drained.
    pub async fn begun(&self) {
        self.stop.cancelled().await;
    }

    /// Is cancelled when the program is told to stop and has drained.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Until when the next step of the end may take.
    pub fn step(&self) -> Instant {
        let (now, deadline) = (Instant::now(), self.deadline());
        now + deadline.saturating_duration_since(now) / 2
    }

    /// Runs what comes before a program works, which may wait for others; `None`: it was told to stop first.
    pub async fn start<T>(&self, starting: impl Future<Output = T>) -> Option<T> {
        self.leaving.run_until_cancelled(starting).await
    }

    /// Runs what works until the program is told to stop, and then takes its time to end; `None`: more than it has.
    pub async fn serve<T>(&self, what: &str, serving: impl Future<Output = T>) -> Option<T> {
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            served = &mut serving => Some(served),
            () = self.begun() => self.within(what, serving).await,
        }
    }

    /// A step of the end; `None`: it took more time than it has, and is cut off.
    pub async fn within<T>(&self, what: &str, step: impl Future<Output = T>) -> Option<T> {
        let ended = timeout_at(self.step(), step).await.ok();
        if ended.is_none() {
            self.cut_off(what);
        }
        ended
    }

    /// Notes what did not end in its time.
    pub fn cut_off(&self, what: impl Into<String>) {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// The last step: exports the last spans, and says what was cut off.
    pub async fn finish(self, telemetry: Telemetry) {
        self.begin();
        let left = self.step().saturating_duration_since(Instant::now());
        if let Some(Err(error)) = self.within("the last spans", telemetry.shutdown_within(left)).await {
            self.cut_off(error.to_string());
        }
        let late = self.late();
        if !late.is_empty() {
            let time_max = self.time_max;
            warn!("stopped within {time_max:?}, but not in order: {late}");
        }
    }

    fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| Instant::now() + self.drain + self.time_max)
    }

    fn late(&self) -> String {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).join(", ")
    }

    /// Ends the process when the time is over. What is stored is safe: a crash is no worse.
    fn end_by_force(&self) {
        let time_max = self.drain + self.time_max;
        thread::sleep(time_max);
        let _ = writeln!(io::stderr(), "ended by force, since it did not stop within {time_max:?}");
        std::process::exit(1);
    }
}

impl Default for Ending {
    fn default() -> Self {
        Self::new()
    }
}

async fn told((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test(start_paused = true)]
    async fn steps_that_never_end_are_named_and_leave_time_for_the_next() {
        let ending = Ending::new();
        let begun = Instant::now();
        ending.begin();
        for step in ["requests", "tasks", "log", "spans"] {
            let left = STOP_TIME_MAX.saturating_sub(begun.elapsed());
            assert!(ending.step().duration_since(Instant::now()) * 2 >= left);
            assert_eq!(ending.within(step, pending::<()>()).await, None);
        }
        assert_eq!(ending.late(), "requests, tasks, log, spans");
        assert!(begun.elapsed() < STOP_TIME_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_runs_from_when_the_program_is_told_to_stop() {
        let ending = Ending::new();
        let told = async {
            tokio::time::sleep(10 * STOP_TIME_MAX).await;
            ending.begin();
            Instant::now()
        };
        let (served, told) = tokio::join!(ending.serve("requests", pending::<()>()), told);
        assert_eq!((served, told.elapsed()), (None, STOP_TIME_MAX / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_drains_serves_on_for_so_long() {
        let drain = Duration::from_secs(5);
        let ending = Ending::within_times(drain, STOP_TIME_MAX);
        let told = Instant::now();
        ending.begin();
        assert!(ending.leaving().is_cancelled() && !ending.token().is_cancelled());
        ending.begun().await;
        assert_eq!(told.elapsed(), drain);
        assert_eq!(ending.step().duration_since(Instant::now()), STOP_TIME_MAX / 2);
    }

    #[tokio::test]
    async fn what_ends_by_itself_is_not_cut_off() {
        let ending = Ending::new();
        assert_eq!(ending.serve("requests", async { 1 }).await, Some(1));
        ending.begin();
        assert_eq!(ending.within("log", async { 2 }).await, Some(2));
        assert_eq!(ending.late(), "");
    }
}
