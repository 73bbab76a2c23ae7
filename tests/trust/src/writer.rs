//! One client that appends again and again and hears why it cannot, for judges of failing disks.

use crate::{judge::Judge, random::Random};
use annals_event::{Append, EventId, EventType, ExpectedVersion, NewEvent, StreamName};
use annals_store::{AppendError, EventStore};
use annals_store_grpc::GrpcStore;
use anyhow::Result;
use std::sync::Arc;

/// Streams that it writes to.
const STREAMS: u64 = 10;

/// Whose streams an append writes to: a log that lacks room tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Users,
    Platform,
}

pub(crate) struct Writer {
    judge: Arc<Judge>,
    random: Random,
    payload_bytes: usize,
}

impl Writer {
    pub(crate) const fn new(judge: Arc<Judge>, random: Random, payload_bytes: usize) -> Self {
        Self { judge, random, payload_bytes }
    }

    /// Appends one event. `Err`: why it is not known to be done.
    pub(crate) async fn append(&mut self, store: &GrpcStore, whose: Whose) -> Result<Result<(), String>> {
        let append = Arc::new(self.draw(whose)?);
        let asked = self.judge.ask(&append);
        let answer = store.append(Append::clone(&append)).await;
        self.judge.hear(&asked, &answer);
        Ok(match answer {
            Ok(_) => Ok(()),
            Err(AppendError::Unavailable { reason }) => Err(reason),
            Err(other) => Err(other.to_string()),
        })
    }

    /// Appends until refused, at most this many times; returns how many appends were made and why there were no more.
    pub(crate) async fn append_until_refused(
        &mut self,
        store: &GrpcStore,
        whose: Whose,
        appends_max: u64,
    ) -> Result<(u64, Option<String>)> {
        for made in 0..appends_max {
            if let Err(reason) = self.append(store, whose).await? {
                return Ok((made, Some(reason)));
            }
        }
        Ok((appends_max, None))
    }

    fn draw(&mut self, whose: Whose) -> Result<Append> {
        let mut payload = vec![0; self.payload_bytes];
        self.random.fill(&mut payload);
        let id = EventId::from_bytes(self.random.bytes());
        let event = NewEvent { id, ..NewEvent::json(EventType::new("happened")?, payload) };
        let category = match whose {
            Whose::Users => "order",
            Whose::Platform => "$replay",
        };
        let stream = StreamName::new(format!("{category}-{}", self.random.below(STREAMS)))?;
        let append = Append::new();
        Ok(append.write(stream, ExpectedVersion::Any, vec![event]))
    }
}
