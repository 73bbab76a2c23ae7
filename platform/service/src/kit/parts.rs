//! What works in a running service: its read models, its reactors, its replays.
//!
//! What always holds: a read model or a reactor that cannot go on because of an event, a command that is refused, another log or
//! another copy of it stays stopped, since starting it again would end the same way; whatever else ends it may be gone the next
//! time.

use super::{
    app::App,
    consumer::Consumer,
    supervise::{Failure, Supervisor},
};
use annals_projection::Generations;
use annals_projection::{FoldError, GenerationError, Projector, ProjectorError, ProjectorOptions};
use annals_reactor::{Options, Reactor, ReactorError, ReactorWorker};
use annals_replay::{ReplayWorker, WorkerOptions};
use std::collections::HashSet;

/// Keeps a read model up to date.
pub(super) async fn fold(
    app: &App,
    options: ProjectorOptions,
    supervisor: &mut Supervisor,
) -> Result<(), ProjectorError> {
    let projector = Projector::open(options.clone()).await?;
    let consumer = Consumer::of_model(&options.model, projector.handle());
    app.add(consumer.clone());
    let mut first = Some(projector);
    supervisor.spawn(consumer.part(), move |stop| {
        let (first, options, consumer) = (first.take(), options.clone(), consumer.clone());
        async move {
            let projector = match first {
                Some(projector) => projector,
                None => Projector::open(options).await.map_err(of_projector)?,
            };
            consumer.projector_is(projector.handle());
            projector.run(stop).await.map_err(of_projector)
        }
    });
    Ok(())
}

fn of_projector(error: ProjectorError) -> Failure {
    let ProjectorError::Generation(cause) = &error else { return Failure::by_people(error) };
    let may_pass = match cause {
        GenerationError::Fold(FoldError::Database(_) | FoldError::Log(_) | FoldError::Panicked) => true,
        GenerationError::Database(_) | GenerationError::Log(_) | GenerationError::Snapshot(_) => true,
        GenerationError::File { .. } | GenerationError::PointerMoved | GenerationError::NoneLive { .. } => {
            true
        }
        other => other.is_transient(),
    };
    if may_pass { Failure::passing(error) } else { Failure::by_people(error) }
}

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

fn of_reactor(error: ReactorError) -> Failure {
    match error {
        ReactorError::Read(_) | ReactorError::Load(_) => Failure::passing(error),
        other if other.is_retryable() => Failure::passing(other),
        other => Failure::by_people(other),
    }
}

/// Carries out the replays of these read models, and follows those of others.
pub(super) fn replay(app: &App, generations: Vec<Generations>, supervisor: &mut Supervisor) {
    let replays = app.replays().clone();
    if generations.is_empty() {
        return supervisor.spawn("the list of replays", move |stop| {
            let replays = replays.clone();
            async move { replays.run(stop).await.map_err(Failure::passing) }
        });
    }
    supervisor.spawn("the replays", move |stop| {
        let worker = ReplayWorker::new(replays.clone(), generations.clone(), WorkerOptions::default());
        async move { worker.run(stop).await.map_err(Failure::passing) }
    });
}
