//! Clients of the log, drawn from a seed: appends to one stream and to several, with conditions that hold and that do
//! not, marks, repeated requests, and requests with the id of another.

use crate::{
    judge::{Heard, Judge},
    random::Random,
};
use annals_event::{Append, EventId, EventType, ExpectedVersion, MarkName, NewEvent, StreamName, Version};
use annals_store::{EventStore, Filter, Subscribe};
use annals_store_grpc::GrpcStore;
use anyhow::Result;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the clients do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Everything that an append can be.
    Varied,
    /// Appends with an expected version to streams that all clients want.
    Conditional,
}

/// Streams that all clients write to.
const STREAMS_VARIED: u64 = 40;
const STREAMS_CONDITIONAL: u64 = 100;
const MARKS: u64 = 4;
const APPEND_EVENTS_MAX: u64 = 4;

/// How large payloads are.
#[derive(Clone, Copy)]
pub(crate) struct Payload {
    pub(crate) bytes_max: u64,
}

/// One client.
pub(crate) struct Client {
    number: u64,
    mix: Mix,
    payload: Payload,
    random: Random,
    judge: Arc<Judge>,
}

impl Client {
    pub(crate) const fn new(
        number: u64,
        mix: Mix,
        payload: Payload,
        random: Random,
        judge: Arc<Judge>,
    ) -> Self {
        Self { number, mix, payload, random, judge }
    }

    /// Appends until the server is gone or `stop`.
    pub(crate) async fn run(mut self, store: GrpcStore, stop: CancellationToken) -> Result<()> {
        // First of all, what nobody answered.
        while let Some(append) = self.judge.take_unanswered() {
            if self.send(&store, &append).await == Heard::Nothing {
                return Ok(());
            }
        }
        while !stop.is_cancelled() {
            if self.step(&store).await? == Heard::Nothing {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One request.
    pub(crate) async fn step(&mut self, store: &GrpcStore) -> Result<Heard> {
        let special = if self.mix == Mix::Varied { self.random.below(20) } else { u64::MAX };
        let append = match special {
            0 => match self.judge.any_settled(self.random.next()) {
                Some(settled) => settled,
                None => Arc::new(self.draw()?),
            },
            1 => return self.reuse(store).await,
            2 => {
                let fresh = self.fresh();
                let append = Arc::new(self.write_any(fresh)?);
                let (one, other) = tokio::join!(self.send(store, &append), self.send(store, &append));
                return Ok(if one == other { one } else { Heard::Nothing });
            }
            _ => Arc::new(self.draw()?),
        };
        Ok(self.send(store, &append).await)
    }

    async fn send(&self, store: &GrpcStore, append: &Arc<Append>) -> Heard {
        let asked = self.judge.ask(append);
        let answer = store.append(Append::clone(append)).await;
        self.judge.hear(&asked, &answer)
    }

    /// Asks with the request id of another append.
    async fn reuse(&mut self, store: &GrpcStore) -> Result<Heard> {
        let Some(settled) = self.judge.any_settled(self.random.next()) else {
            let append = Arc::new(self.draw()?);
            return Ok(self.send(store, &append).await);
        };
        let append = self.write_any(Append::with_request_id(settled.request_id))?;
        Ok(self.judge.hear_of_reuse(&store.append(append).await))
    }

    fn fresh(&mut self) -> Append {
        Append::new()
    }

    fn draw(&mut self) -> Result<Append> {
        let fresh = self.fresh();
        match (self.mix, self.random.below(20)) {
            (Mix::Conditional, 0..=3) => self.write_many(fresh),
            (Mix::Conditional, _) => {
                let stream = self.shared_stream()?;
                self.write_exactly(fresh, stream)
            }
            (Mix::Varied, 0..=5) => {
                let stream = StreamName::new(format!("own-{}", self.number))?;
                self.write_exactly(fresh, stream)
            }
            (Mix::Varied, 6..=9) => self.write_any(fresh),
            (Mix::Varied, 10..=12) => {
                let stream = self.shared_stream()?;
                self.write_exactly(fresh, stream)
            }
            (Mix::Varied, 13..=15) => self.write_many(fresh),
            (Mix::Varied, 16 | 17) => self.write_and_mark(fresh),
            (Mix::Varied, _) => self.refused(fresh),
        }
    }

    fn write_any(&mut self, append: Append) -> Result<Append> {
        let stream = self.shared_stream()?;
        Ok(append.write(stream, ExpectedVersion::Any, self.events()?))
    }

    fn write_exactly(&mut self, append: Append, stream: StreamName) -> Result<Append> {
        let expected = self.known(&stream);
        Ok(append.write(stream, expected, self.events()?))
    }

    /// Two or three streams, and one that is only checked.
    fn write_many(&mut self, mut append: Append) -> Result<Append> {
        let first = self.random.below(self.streams());
        for at in 0..2 + self.random.below(2) {
            let stream = self.stream_at(first + at)?;
            let any = self.mix == Mix::Varied && self.random.one_in(2);
            let expected = if any { ExpectedVersion::Any } else { self.known(&stream) };
            append = append.write(stream, expected, self.events()?);
        }
        let required = self.stream_at(first + 7)?;
        let expected = self.known(&required);
        Ok(append.require(required, expected))
    }

    fn write_and_mark(&mut self, append: Append) -> Result<Append> {
        let mark = MarkName::new(format!("reader-{}", self.random.below(MARKS)))?;
        let at = self.judge.mark(&mark);
        let append = append.set_mark(mark, at, at.unwrap_or_default().plus(1 + self.random.below(9)));
        self.write_any(append)
    }

    /// What must be refused, unless others are faster.
    fn refused(&mut self, append: Append) -> Result<Append> {
        let stream = self.shared_stream()?;
        let expected = match self.judge.version(&stream) {
            Version::ZERO => ExpectedVersion::Exists,
            _ if self.random.one_in(2) => ExpectedVersion::NoStream,
            version => ExpectedVersion::Exact(version.plus(100)),
        };
        Ok(append.write(stream, expected, self.events()?))
    }

    fn known(&self, stream: &StreamName) -> ExpectedVersion {
        match self.judge.version(stream) {
            Version::ZERO => ExpectedVersion::NoStream,
            version => ExpectedVersion::Exact(version),
        }
    }

    const fn streams(&self) -> u64 {
        match self.mix {
            Mix::Varied => STREAMS_VARIED,
            Mix::Conditional => STREAMS_CONDITIONAL,
        }
    }

    fn shared_stream(&mut self) -> Result<StreamName> {
        let number = self.random.below(self.streams());
        self.stream_at(number)
    }

    fn stream_at(&self, number: u64) -> Result<StreamName> {
        Ok(StreamName::new(format!("order-{}", number % self.streams()))?)
    }

    fn events(&mut self) -> Result<Vec<NewEvent>> {
        (0..=self.random.below(APPEND_EVENTS_MAX)).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> Result<NewEvent> {
        let bytes = self.random.below(self.payload.bytes_max + 1);
        let mut payload = vec![0; usize::try_from(bytes)?];
        // Zeros must never be taken for the end of the log.
        if !self.random.one_in(8) {
            self.random.fill(&mut payload);
        }
        let id = EventId::from_bytes(self.random.bytes());
        Ok(NewEvent { id, ..NewEvent::json(EventType::new("happened")?, payload) })
    }
}

/// Reads and remembers what comes until the server is gone.
pub(crate) async fn watch(store: GrpcStore, judge: Arc<Judge>) -> Result<()> {
    let subscribe = Subscribe::after(judge.head(), Filter::all());
    let Ok(mut subscription) = store.subscribe(subscribe).await else { return Ok(()) };
    while let Ok(delivery) = subscription.next().await {
        judge.saw(&delivery.events);
    }
    Ok(())
}
