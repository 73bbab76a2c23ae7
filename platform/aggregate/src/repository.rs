use crate::{
    Aggregate, Cause, Emitted, ExecuteError, Executed, LoadError, Loaded, SnapshotStore, encode,
    reader::{Current, Reader},
    request::{self, Earlier, Request},
    snapshot::SnapshotCache,
    stream_of,
    writing::{self, CONFLICT_RETRIES_MAX_DEFAULT},
};
use annals_event::{
    Append, CodecError, Conflict, EventRef, Metadata, Receipt, Recorded, StreamName, Version, guarded,
};
use annals_store::{AppendError, Backoff, EventStore, ReadStream};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use tokio::sync::OnceCell;
use tracing::Instrument;

/// Loads aggregates of one type and executes commands on them. Cloning it is cheap.
#[derive(Clone)]
pub struct Repository<A: Aggregate> {
    reader: Reader<A>,
    service: Option<Arc<str>>,
    conflict_retries_max: usize,
}

enum Attempt<A: Aggregate> {
    Done(Executed<A>),
    Conflict(Conflict),
}

impl<A: Aggregate> Repository<A> {
    /// The aggregates in `store`, without snapshots.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self::named(store, None)
    }

    pub(crate) fn named(store: Arc<dyn EventStore>, service: Option<Arc<str>>) -> Self {
        let reader = Reader { store, snapshots: None, log_id: Arc::new(OnceCell::new()) };
        Self { reader, service, conflict_retries_max: CONFLICT_RETRIES_MAX_DEFAULT }
    }

    /// Stores the service's name with each event.
    #[must_use]
    pub fn service(self, name: impl AsRef<str>) -> Self {
        Self { service: Some(name.as_ref().into()), ..self }
    }

    /// Keeps a snapshot once `every` events have come since the one before, and loads from it.
    #[must_use]
    pub fn snapshots(mut self, store: Arc<dyn SnapshotStore>, every: u64) -> Self
    where
        A: Serialize + DeserializeOwned,
    {
        self.reader.snapshots = Some(SnapshotCache::new(store, every));
        self
    }

    /// How often a decision is made again when others wrote to the stream at the same time.
    #[must_use]
    pub fn conflict_retries_max(self, conflict_retries_max: usize) -> Self {
        Self { conflict_retries_max, ..self }
    }

    /// The store that the aggregates are in.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.reader.store
    }

    pub(crate) fn reader(&self) -> &Reader<A> {
        &self.reader
    }

    pub(crate) fn service_name(&self) -> Option<&Arc<str>> {
        self.service.as_ref()
    }

    /// The aggregate's state. An aggregate without events has the default state at version `ZERO`.
    pub async fn load(&self, id: &str) -> Result<Loaded<A>, LoadError> {
        let stream = stream_of::<A>(id)?;
        let current = self.reader.load(&stream, None).await?;
        self.reader.keep(&stream, &current).await;
        Ok(current.loaded)
    }

    /// The aggregate's state as a request finds it: [`load`](Self::load), unless this is a repeat of a request that wrote to the
    /// aggregate ([`Cause::request`]). Then it is the state before that, so that whoever looks at it first, and then decides over
    /// it or over other streams, does what was done the first time, and the repeat is recognised. A request that uses the id to ask
    /// for something else ([`Cause::content`]) is no repeat.
    ///
    /// Of the events that the state's snapshot covers only the newest 1,000 are searched for those of the request.
    pub async fn load_for(&self, id: &str, cause: impl Into<Cause>) -> Result<Loaded<A>, LoadError> {
        let (stream, request) = (stream_of::<A>(id)?, Request::of(&cause.into()));
        match request {
            Request::Named(..) => {
                let sought = request.known_event(&stream, 0);
                let is_first = |event: &EventRef<'_>| Some(event.id()) == sought && request.owns(event);
                self.reader.load_without(&stream, is_first).await
            }
            Request::Unnamed => self.load(id).await,
        }
    }

    /// Everything that happened to the aggregate, except for events that it does not know.
    pub async fn history(&self, id: &str) -> Result<Vec<Recorded<A::Event>>, LoadError> {
        let stream = stream_of::<A>(id)?;
        let (mut history, mut next) = (Vec::new(), Some(Version::FIRST));
        while let Some(from) = next {
            let page = self.reader.page(ReadStream::forward(stream.clone()).from(from)).await?;
            for event in page.events.iter() {
                let Some(decoded) = request::decode(&event)? else { continue };
                let recorded = Recorded::new(&event, decoded);
                let read = |error| LoadError::Read { stream: stream.clone(), cause: error };
                history.push(recorded.map_err(|error| read(error.into()))?);
            }
            next = page.next;
        }
        Ok(history)
    }

    /// Decides on `command` and writes the events that result.
    ///
    /// When others write at the same time, the decision is made again on what they left. A store that is unavailable is
    /// asked once: its adapter has tried for as long as a call may take.
    ///
    /// A request whose id the caller chose ([`Cause::request`]) may be repeated as a whole. If it wrote events, the repeat
    /// writes nothing and gets the first result, as long as the log remembers the id or the events come after the
    /// snapshot that the state is loaded from; with a command that would have led to other events it is an error
    /// ([`AppendError::RequestIdReused`]). If it was refused or had nothing to do, it left nothing behind, and the repeat
    /// is executed anew. An id counts for each aggregate: with another one it is another request.
    pub async fn execute(
        &self,
        id: &str,
        command: A::Command,
        cause: impl Into<Cause>,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        let (stream, cause) = (stream_of::<A>(id).map_err(LoadError::from)?, cause.into());
        let (mut backoff, mut attempts) = (Backoff::contention(), 0);
        loop {
            attempts += 1;
            let conflict = match self.attempt(&stream, command.clone(), &cause).await? {
                Attempt::Done(executed) => return Ok(executed),
                Attempt::Conflict(conflict) => conflict,
            };
            if attempts > self.conflict_retries_max {
                return Err(ExecuteError::Contended { attempts, conflict });
            }
            tracing::debug!(%conflict, "deciding again");
            backoff.wait().await;
        }
    }

    async fn attempt(
        &self,
        stream: &StreamName,
        command: A::Command,
        cause: &Cause,
    ) -> Result<Attempt<A>, ExecuteError<A::Error>> {
        let request = Request::of(cause);
        let current = self.reader.load(stream, request.known_event(stream, 0)).await?;
        let panicked = |panic| ExecuteError::Panicked { stream: stream.clone(), cause: panic };
        let decided = guarded(|| current.loaded.state.decide(command.clone())).map_err(panicked)?;
        let events = match decided {
            Ok(events) if !events.is_empty() && !current.met => events,
            decided => {
                // What the request did earlier may be the reason why there is nothing to do now, or why it is
                // refused. And if its events were met, it is not executed again, whether or not the store remembers
                // its id.
                let dropped = || AppendError::OriginalDropped { request_id: request.append_id(stream) };
                let otherwise = match decided {
                    Ok(_) if current.met => {
                        Err(ExecuteError::Append { stream: stream.clone(), cause: dropped() })
                    }
                    Ok(_) => Ok(Executed::nothing(current.loaded)),
                    Err(refusal) => Err(ExecuteError::Rejected(refusal)),
                };
                return self.earlier(&request, stream, command, otherwise).await.map(Attempt::Done);
            }
        };
        let span = annals_telemetry::append_span(A::CATEGORY);
        let metadata = writing::metadata(self.service.as_deref(), cause, &span);
        let prepared = guarded(|| prepare(&request, stream, current, events, &metadata)).map_err(panicked)?;
        let prepared =
            prepared.map_err(|error| ExecuteError::Encode { stream: stream.clone(), cause: error })?;
        match writing::append(&**self.store(), &prepared.append).instrument(span).await {
            Ok(receipt) => Ok(Attempt::Done(self.finish(stream, prepared, &receipt).await)),
            Err(AppendError::Conflict(conflict)) => Ok(Attempt::Conflict(conflict)),
            Err(error @ (AppendError::RequestIdReused { .. } | AppendError::EventIdReused { .. })) => {
                let otherwise = Err(ExecuteError::Append { stream: stream.clone(), cause: error });
                self.earlier(&request, stream, command, otherwise).await.map(Attempt::Done)
            }
            Err(error) => Err(ExecuteError::Append { stream: stream.clone(), cause: error }),
        }
    }

    /// What the request did if it was executed earlier, otherwise `otherwise`.
    async fn earlier(
        &self,
        request: &Request,
        stream: &StreamName,
        command: A::Command,
        otherwise: Result<Executed<A>, ExecuteError<A::Error>>,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        match request.earlier(&self.reader, stream, command).await? {
            Earlier::Never => otherwise,
            Earlier::Same(executed) => Ok(executed),
            Earlier::Other(request_id) => {
                let cause = AppendError::RequestIdReused { request_id };
                Err(ExecuteError::Append { stream: stream.clone(), cause })
            }
        }
    }

    async fn finish(&self, stream: &StreamName, prepared: Prepared<A>, receipt: &Receipt) -> Executed<A> {
        let Prepared { append, events, before: mut version, mut after } = prepared;
        let ids = append.writes.iter().flat_map(|write| &write.events).map(|event| event.id);
        after.loaded.token = receipt.events.map_or(receipt.head, |places| places.last).into();
        after.loaded.last_id = ids.clone().last();
        self.reader.keep(stream, &after).await;
        let emitted = ids.zip(events).map(|(id, event)| {
            version = version.next();
            Emitted { id, version, event }
        });
        let events = emitted.collect();
        Executed { events, repeated: receipt.repeated, ..Executed::nothing(after.loaded) }
    }
}

/// Events that are about to be appended, and the aggregate with them applied: events that it cannot apply would be in
/// its stream for ever.
struct Prepared<A: Aggregate> {
    append: Append,
    events: Vec<A::Event>,
    /// The stream's version before them.
    before: Version,
    after: Current<A>,
}

fn prepare<A: Aggregate>(
    request: &Request,
    stream: &StreamName,
    mut current: Current<A>,
    events: Vec<A::Event>,
    metadata: &Metadata,
) -> Result<Prepared<A>, CodecError> {
    let encoded = encode(&events, metadata, |index| request.event_id(stream, index))?;
    let (before, expected) = (current.loaded.version, current.loaded.expected());
    let append = Append::with_request_id(request.append_id(stream)).write(stream.clone(), expected, encoded);
    current.loaded.evolve(&events);
    Ok(Prepared { append, events, before, after: current })
}
