//! What works in a running service: its read models, its reactors, its replays.
//!
//! What always holds: of two copies of a read model or a reactor one goes on, and the other tries every [`TAKE_OVER_WAIT`] whether
//! that one has gone. A reactor's mark and a read model's checkpoint keep what both do from being done twice.

use super::{
    app::App,
    consumer::Consumer,
    failures::{TAKE_OVER_WAIT, is_fenced, of_projector, of_reactor, of_replays},
    supervise::{Failure, Supervisor},
};
use annals_event::Sequence;
use annals_projection::{Generations, Projector, ProjectorError, ProjectorOptions};
use annals_reactor::{Options, Reactor, ReactorWorker};
use annals_replay::{ReplayWorker, WorkerOptions};
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};

/// Keeps a read model up to date.
pub(super) async fn fold(
    app: &App,
    options: ProjectorOptions,
    supervisor: &mut Supervisor,
) -> Result<(), ProjectorError> {
    let projector = Projector::open(options.clone()).await?;
    let consumer = Consumer::of_model(&options.model, projector.handle());
    app.add(consumer.clone());
    let (mut first, taken_over) = (Some(projector), TakenOver::default());
    supervisor.spawn(consumer.part(), move |stop| {
        let (first, options, consumer) = (first.take(), options.clone(), consumer.clone());
        let taken_over = taken_over.clone();
        async move {
            let projector = match first {
                Some(projector) => projector,
                None => Projector::open(options).await.map_err(of_projector)?,
            };
            let handle = projector.handle();
            taken_over.look(handle.checkpoint())?;
            consumer.projector_is(handle.clone());
            projector.run(stop).await.map_err(|error| {
                taken_over.by_another(is_fenced(&error).then(|| handle.checkpoint()));
                of_projector(error)
            })
        }
    });
    Ok(())
}

/// Where a read model was when another copy took it over. Whoever folds it takes it from the other one, so it is left alone for as
/// long as the other one gets on with it.
#[derive(Clone, Default)]
struct TakenOver(Arc<Mutex<Option<Sequence>>>);

impl TakenOver {
    fn by_another(&self, at: Option<Sequence>) {
        *self.0.lock() = at;
    }

    /// An error while the other copy gets on.
    fn look(&self, now: Sequence) -> Result<(), Failure> {
        let mut at = self.0.lock();
        match at.take() {
            Some(before) if before != now => {
                *at = Some(now);
                Err(Failure::passing(AnotherCopy).after(TAKE_OVER_WAIT))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another process folds it; this one goes on once that one does not any more")]
struct AnotherCopy;

/// Two reactors would fight over one mark.
#[derive(Debug, thiserror::Error)]
#[error(
    "two reactors are named {0:?}; give each its own name, or make one of them with the handlers of both"
)]
pub(super) struct OneName(String);

/// Whether each of the reactors has a name of its own.
pub(super) fn check_names(reactors: &[(App, Reactor)]) -> Result<(), OneName> {
    let mut seen = HashSet::new();
    match reactors.iter().find(|(_, reactor)| !seen.insert(reactor.name())) {
        Some((_, twice)) => Err(OneName(twice.name().to_owned())),
        None => Ok(()),
    }
}

/// Turns events into commands.
pub(super) fn react(app: &App, reactor: Reactor, supervisor: &mut Supervisor) {
    let repositories = app.repositories();
    let (name, filter) = (reactor.name().to_owned(), reactor.filter().clone());
    let worker = move || ReactorWorker::new(repositories.clone(), reactor.clone(), Options::default());
    let first = worker();
    let consumer = Consumer::of_reactor(&name, filter, first.handle());
    app.add(consumer.clone());
    let mut first = Some(first);
    supervisor.spawn(consumer.part(), move |stop| {
        let worker = first.take().unwrap_or_else(&worker);
        consumer.reactor_is(worker.handle());
        async move { worker.run(stop).await.map_err(of_reactor) }
    });
}

/// Carries out the replays of these read models, and follows those of others.
pub(super) fn replay(app: &App, generations: Vec<Generations>, supervisor: &mut Supervisor) {
    let replays = app.replays().clone();
    if generations.is_empty() {
        return supervisor.spawn("the list of replays", move |stop| {
            let replays = replays.clone();
            async move { replays.run(stop).await.map_err(of_replays) }
        });
    }
    supervisor.spawn("the replays", move |stop| {
        let worker = ReplayWorker::new(replays.clone(), generations.clone(), WorkerOptions::default());
        async move { worker.run(stop).await.map_err(of_replays) }
    });
}

#[cfg(test)]
mod tests;
