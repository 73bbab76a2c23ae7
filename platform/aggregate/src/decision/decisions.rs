use super::{
    DecideError, Subjects,
    fold::{Moment, Place},
    part::Part,
};
use crate::{
    Cause, LoadError, Repositories,
    reader::At,
    request::Request,
    writing::{self, CONFLICT_RETRIES_MAX_DEFAULT},
};
use annals_event::{Append, Conflict, RequestId, Sequence, StreamName, Token, guarded};
use annals_store::{AppendError, Backoff, EventStore, ReadError};
use std::collections::HashSet;
use tracing::{Instrument, Span};

/// Makes decisions over several streams of one store, in the name of one service. Cloning it is cheap.
///
#[doc = include_str!("unique.md")]
#[derive(Clone)]
pub struct Decisions {
    repositories: Repositories,
    conflict_retries_max: usize,
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// A read model that contains it shows the decision's result. If there was nothing to do, it covers all that the
    /// decision was based on.
    pub token: Token,
    /// How many events it led to; none when there was nothing to do.
    pub events: usize,
    /// Whether the log already had the events: the request was executed before, or an answer was lost and asked for
    /// again.
    pub repeated: bool,
}

enum Attempt {
    Done(Decided),
    Conflict(Conflict),
}

/// A decision that is asked for.
struct Asked<'a, P, F> {
    subjects: &'a P,
    streams: Vec<StreamName>,
    cause: &'a Cause,
    request: Request,
    decide: &'a F,
}

impl Decisions {
    /// Decisions over aggregates of these repositories: a state is loaded from its snapshot where there is one.
    pub fn new(repositories: impl Into<Repositories>) -> Self {
        Self { repositories: repositories.into(), conflict_retries_max: CONFLICT_RETRIES_MAX_DEFAULT }
    }

    /// How often a decision is made again when others wrote to one of its streams at the same time.
    #[must_use]
    pub fn conflict_retries_max(self, conflict_retries_max: usize) -> Self {
        Self { conflict_retries_max, ..self }
    }

    /// Loads the subjects, lets `decide` execute commands on those that may be written, and writes all that results in one
    /// append. `decide` is pure: it is called again, on fresh states, when a subject changed meanwhile.
    ///
    /// A request whose id the caller chose ([`Cause::request`]) may be repeated as a whole, as with
    /// [`Repository::execute`](crate::Repository::execute): what it wrote is not written again, and one that wrote nothing
    /// is decided anew. An id counts for each list of streams.
    pub async fn decide<P, E>(
        &self,
        subjects: P,
        cause: impl Into<Cause>,
        decide: impl Fn(&mut P::States) -> Result<(), E> + Send + Sync,
    ) -> Result<Decided, E>
    where
        P: Subjects,
        E: From<DecideError>,
    {
        let (cause, streams) = (cause.into(), streams_of(&subjects)?);
        let request = Request::of(&cause);
        let asked = Asked { subjects: &subjects, streams, cause: &cause, request, decide: &decide };
        let (mut backoff, mut attempts) = (Backoff::contention(), 0);
        loop {
            attempts += 1;
            let conflict = match self.attempt(&asked).await? {
                Attempt::Done(decided) => return Ok(decided),
                Attempt::Conflict(conflict) => conflict,
            };
            if attempts > self.conflict_retries_max {
                return Err(DecideError::Contended { attempts, conflict }.into());
            }
            tracing::debug!(%conflict, "deciding again");
            backoff.wait().await;
        }
    }

    async fn attempt<P, F, E>(&self, asked: &Asked<'_, P, F>) -> Result<Attempt, E>
    where
        P: Subjects,
        F: Fn(&mut P::States) -> Result<(), E> + Send + Sync,
        E: From<DecideError>,
    {
        let (mut states, places) = self.load(asked, At::Now).await?;
        let is_repeat = places.iter().any(|place| place.done.is_some());
        if is_repeat && let Some(decided) = self.repeat(asked, &places).await? {
            return Ok(Attempt::Done(decided));
        }
        let decided = match asked.decide(&mut states)? {
            Ok(()) => self.prepare(asked, &P::parts(&states), &places).map_err(E::from),
            Err(refusal) => Err(refusal),
        };
        match decided {
            Ok(Some((append, span))) => Ok(self.append(asked, append).instrument(span).await?),
            otherwise => {
                // What the request did earlier may be why.
                if let Some(decided) = self.repeat(asked, &places).await? {
                    return Ok(Attempt::Done(decided));
                }
                match self.moved(&places).await? {
                    Some(conflict) => Ok(Attempt::Conflict(conflict)),
                    None => otherwise.map(|_| Attempt::Done(Decided::nothing(&places))),
                }
            }
        }
    }

    async fn load<P: Subjects, F: Sync>(
        &self,
        asked: &Asked<'_, P, F>,
        at: At,
    ) -> Result<(P::States, Vec<Place>), DecideError> {
        let moment = Moment { repositories: &self.repositories, at, request: &asked.request };
        Ok(asked.subjects.load(&moment).await?)
    }

    /// Whether one of the subjects changed since it was loaded.
    async fn moved(&self, places: &[Place]) -> Result<Option<Conflict>, DecideError> {
        for place in places {
            if let Some(conflict) = place.moved(self.store()).await? {
                return Ok(Some(conflict));
            }
        }
        Ok(None)
    }

    /// The decision's append, within its span; `None`: there is nothing to do.
    fn prepare<P, F>(
        &self,
        asked: &Asked<'_, P, F>,
        parts: &[&dyn Part],
        places: &[Place],
    ) -> Result<Option<(Append, Span)>, DecideError> {
        let subjects = || parts.iter().zip(places);
        let Some((_, first)) = subjects().find(|(part, _)| part.count() > 0) else { return Ok(None) };
        let span = annals_telemetry::append_span(first.stream.category());
        let mut metadata = writing::metadata(self.repositories.service_name(), asked.cause, &span);
        let mut append = Append::with_request_id(asked.request.decision_id(&asked.streams));
        for (part, Place { stream, expected, .. }) in subjects() {
            let mut id_of = |index| asked.request.event_id(stream, index);
            let events =
                guarded(|| part.encode(&metadata, &mut id_of)).map_err(|panic| asked.panicked(panic))?;
            let events = events.map_err(|cause| DecideError::Encode { stream: stream.clone(), cause })?;
            match events.first() {
                None => append = append.require(stream.clone(), *expected),
                Some(event) => {
                    metadata.correlation_id = event.metadata.correlation_id;
                    append = append.write(stream.clone(), *expected, events);
                }
            }
        }
        Ok(Some((append, span)))
    }

    async fn append<P, F, E>(&self, asked: &Asked<'_, P, F>, append: Append) -> Result<Attempt, E>
    where
        P: Subjects,
        F: Fn(&mut P::States) -> Result<(), E> + Send + Sync,
        E: From<DecideError>,
    {
        let cause = match writing::append(self.store(), &append).await {
            Ok(receipt) => {
                let last = receipt.events.map_or(receipt.head, |places| places.last);
                let (events, repeated) = (append.event_count(), receipt.repeated);
                return Ok(Attempt::Done(Decided { token: last.into(), events, repeated }));
            }
            Err(AppendError::Conflict(conflict)) => return Ok(Attempt::Conflict(conflict)),
            Err(cause) => cause,
        };
        // The same request may have been executed since the subjects were loaded.
        if matches!(cause, AppendError::RequestIdReused { .. } | AppendError::EventIdReused { .. }) {
            let (_, places) = self.load(asked, At::Now).await?;
            if let Some(decided) = self.repeat(asked, &places).await? {
                return Ok(Attempt::Done(decided));
            }
        }
        Err(DecideError::Append { streams: asked.streams.clone(), cause }.into())
    }

    /// What the request did when it was executed first; `None`: it was not, or it wrote nothing. Where nobody says what it
    /// asked for, the decision is made once more on the states of that time, since it is pure.
    async fn repeat<P, F, E>(&self, asked: &Asked<'_, P, F>, places: &[Place]) -> Result<Option<Decided>, E>
    where
        P: Subjects,
        F: Fn(&mut P::States) -> Result<(), E> + Send + Sync,
        E: From<DecideError>,
    {
        let Some(first) = self.first_event(asked, places).await? else { return Ok(None) };
        let (mut states, places) = match self.load(asked, At::Before(first)).await {
            Err(DecideError::Load(LoadError::Read { cause: ReadError::BelowStart { .. }, .. })) => {
                return Err(asked.dropped().into());
            }
            loaded => loaded?,
        };
        let done: Vec<_> = P::parts(&states).iter().map(|part| part.done(asked.cause.content)).collect();
        let is_same = match done.iter().find_map(|(_, same)| *same) {
            Some(same) => same,
            None => asked.is_same(&mut states)?,
        };
        let last = places.iter().filter_map(|place| place.done).map(|done| done.last).max();
        match last {
            Some(last) if is_same => {
                let events = done.iter().map(|(count, _)| count).sum();
                Ok(Some(Decided { token: last.into(), events, repeated: true }))
            }
            _ => Err(asked.reused().into()),
        }
    }

    /// Where the request's first event is, if it was executed before: one append has them all, but what some subjects were
    /// loaded from may cover theirs.
    async fn first_event<P, F>(
        &self,
        asked: &Asked<'_, P, F>,
        places: &[Place],
    ) -> Result<Option<Sequence>, DecideError> {
        let mut first = places.iter().filter_map(|place| place.done).map(|done| done.first).min();
        for place in places {
            let covered = place.covered(self.store(), &asked.request).await?;
            first = first.into_iter().chain(covered).min();
        }
        Ok(first)
    }

    fn store(&self) -> &dyn EventStore {
        &**self.repositories.store()
    }
}

impl<P, F> Asked<'_, P, F> {
    /// Calls the caller's code.
    fn decide<E>(&self, states: &mut P::States) -> Result<Result<(), E>, DecideError>
    where
        P: Subjects,
        F: Fn(&mut P::States) -> Result<(), E>,
    {
        guarded(|| (self.decide)(states)).map_err(|panic| self.panicked(panic))
    }

    /// Whether the decision on these states leads to what the request did.
    fn is_same<E>(&self, states: &mut P::States) -> Result<bool, DecideError>
    where
        P: Subjects,
        F: Fn(&mut P::States) -> Result<(), E>,
    {
        let decided = self.decide(states)?;
        let same = || P::parts(states).iter().all(|part| part.is_repeat());
        Ok(decided.is_ok() && guarded(same).map_err(|panic| self.panicked(panic))?)
    }

    fn panicked(&self, cause: annals_event::Panicked) -> DecideError {
        DecideError::Panicked { streams: self.streams.clone(), cause }
    }

    fn reused(&self) -> DecideError {
        self.not_appended(|request_id| AppendError::RequestIdReused { request_id })
    }

    fn dropped(&self) -> DecideError {
        self.not_appended(|request_id| AppendError::OriginalDropped { request_id })
    }

    fn not_appended(&self, why: impl FnOnce(RequestId) -> AppendError) -> DecideError {
        let request_id = self.cause.request_id.unwrap_or_else(|| self.request.decision_id(&self.streams));
        DecideError::Append { streams: self.streams.clone(), cause: why(request_id) }
    }
}

impl Decided {
    fn nothing(places: &[Place]) -> Self {
        let token = places.iter().map(|place| place.token).max().unwrap_or_default();
        Self { token, events: 0, repeated: false }
    }
}

fn streams_of(subjects: &impl Subjects) -> Result<Vec<StreamName>, DecideError> {
    let streams = subjects.streams().map_err(LoadError::from)?;
    let mut seen = HashSet::new();
    match streams.iter().find(|stream| !seen.insert(stream.as_str())) {
        Some(twice) => Err(DecideError::NamedTwice { stream: twice.clone() }),
        None => Ok(streams),
    }
}
