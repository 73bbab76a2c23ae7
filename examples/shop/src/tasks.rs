//! Background work that is started together and stopped together.
//!
//! A task that ends or panics before it was asked to is told with its name and reason, at once and when all are stopped. The
//! others go on.

use annals::service::{Ending, sentence};
use anyhow::{Context, Result, anyhow};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

/// Running tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    stop: CancellationToken,
    running: JoinSet<(String, Result<()>)>,
    names: Vec<String>,
    ended: Ended,
}

/// The tasks that ended by themselves, and why. Cloning it gives another handle.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<Mutex<BTreeMap<String, String>>>);

impl Ended {
    /// The tasks that have ended so far.
    pub fn so_far(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, name: &str, ended: &Result<()>) {
        let reason = match ended {
            Ok(()) => "it ended by itself".to_owned(),
            Err(error) => sentence(error.as_ref()),
        };
        tracing::error!(%reason, "{name} stopped; the rest of the shop goes on");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), reason);
    }
}

impl Tasks {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task under this name, which no other one has, until the token that it is given is cancelled.
    pub fn spawn<F, E>(&mut self, name: impl Into<String>, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error> + Send + 'static,
    {
        let (task, stop, told) = (task(self.stop.clone()), self.stop.clone(), self.ended.clone());
        let name = name.into();
        self.names.push(name.clone());
        self.running.spawn(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            let ended = ended.map_or_else(
                |_| Err(anyhow!("it panicked; see standard error")),
                |it| it.map_err(Into::into),
            );
            if !stop.is_cancelled() {
                told.add(&name, &ended);
            }
            (name, ended)
        });
    }

    /// Which of them end by themselves, now and later.
    pub fn ended(&self) -> Ended {
        self.ended.clone()
    }

    /// Waits until a task ends that nobody asked to, and says why.
    pub async fn failure(&mut self) -> anyhow::Error {
        match self.running.join_next().await {
            Some(Ok((name, Err(error)))) => error.context(format!("{name} stopped")),
            Some(Ok((name, Ok(())))) => anyhow!("{name} stopped by itself"),
            Some(Err(panic)) => anyhow!("a part of the shop crashed: {panic}"),
            None => std::future::pending().await,
        }
    }

    /// Asks all tasks to stop and waits until they have, as a step of the program's end. What does not stop in time, because a
    /// client holds it or a store that is away, is cut off: a crash is safe, so that is.
    pub async fn stop(mut self, ending: &Ending) -> Result<()> {
        self.stop.cancel();
        let (mut stopped, deadline) = (Ok(()), ending.step());
        while let Ok(Some(ended)) = timeout_at(deadline, self.running.join_next()).await {
            let crashed = |panic| anyhow!("a part of the shop crashed: {panic}");
            stopped = stopped.and(ended.map_err(crashed).and_then(|(name, result)| {
                self.names.retain(|running| *running != name);
                result.with_context(|| format!("{name} stopped"))
            }));
        }
        self.names.into_iter().for_each(|name| ending.cut_off(name));
        stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_run_until_they_are_stopped() {
        let mut tasks = Tasks::new();
        tasks.spawn("waiter", async |stop: CancellationToken| {
            stop.cancelled().await;
            anyhow::Ok(())
        });
        tasks.stop(&Ending::new()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_stop_is_ended_at_the_deadline() {
        let mut tasks = Tasks::new();
        let (held, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        tasks.spawn("stubborn", async move |_| {
            let _held = held;
            std::future::pending::<Result<()>>().await
        });
        tasks.stop(&Ending::new()).await.unwrap();
        assert_eq!(ended.recv().await, None);
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_a_failure_with_its_name() {
        let mut tasks = Tasks::new();
        tasks.spawn("reader", async |_| Err(anyhow!("the disk is gone")));
        assert_eq!(sentence(tasks.failure().await.as_ref()), "reader stopped: the disk is gone");
        tasks.spawn("writer", async |_| anyhow::Ok(()));
        assert_eq!(tasks.failure().await.to_string(), "writer stopped by itself");
    }

    #[tokio::test]
    async fn a_task_that_panics_is_told_and_the_others_go_on() {
        let mut tasks = Tasks::new();
        let (asked, mut heard) = tokio::sync::mpsc::channel::<()>(1);
        tasks.spawn("listener", async move |stop: CancellationToken| {
            heard.recv().await;
            stop.cancelled().await;
            anyhow::Ok(())
        });
        tasks.spawn("reader", async |_| -> Result<()> { panic!("no such line") });
        while tasks.ended().so_far().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tasks.ended().so_far().into_keys().collect::<Vec<_>>(), ["reader"]);
        asked.send(()).await.unwrap();
        let stopped = sentence(tasks.stop(&Ending::new()).await.unwrap_err().as_ref());
        assert_eq!(stopped, "reader stopped: it panicked; see standard error");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_crashes_while_it_stops_does_not_cut_off_the_others() {
        let mut tasks = Tasks::new();
        let (done, mut heard) = tokio::sync::mpsc::channel(1);
        tasks.running.spawn(async { panic!("no such line") });
        tasks.spawn("writer", async move |stop: CancellationToken| {
            stop.cancelled().await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            done.send(()).await
        });
        let stopped = format!("{:#}", tasks.stop(&Ending::new()).await.unwrap_err());
        assert!(stopped.starts_with("a part of the shop crashed"), "{stopped}");
        assert_eq!(heard.recv().await, Some(()));
    }
}
