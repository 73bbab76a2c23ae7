//! What happened, as a test says it.

use annals_aggregate::encode;
use annals_event::{Append, Event, EventId, ExpectedVersion, Metadata, Sequence, StreamName, Timestamp};
use annals_store::{EventStore, GappedStore, ReadLog};
use std::error::Error;

/// What a test may say as a time.
pub trait Time {
    /// The time; a text that is none ends the test.
    fn timestamp(self) -> Timestamp;
}

impl Time for Timestamp {
    fn timestamp(self) -> Timestamp {
        self
    }
}

impl Time for &str {
    #[track_caller]
    fn timestamp(self) -> Timestamp {
        match self.parse() {
            Ok(time) => time,
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Default)]
pub(super) struct History {
    time: Option<Timestamp>,
    metadata: Metadata,
    appends: Vec<(Option<Timestamp>, Append)>,
}

impl History {
    #[track_caller]
    pub(super) fn set_time(&mut self, time: impl Time) {
        self.time = Some(time.timestamp());
    }

    pub(super) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    pub(super) fn add<E: Event>(
        &mut self,
        stream: &str,
        events: &[E],
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if events.is_empty() {
            return Ok(());
        }
        let events = encode(events, &self.metadata, |_| EventId::generate())?;
        let append = Append::to(StreamName::new(stream)?, ExpectedVersion::Any, events);
        append.validate()?;
        self.appends.push((self.time, append));
        Ok(())
    }

    /// A log in which all of it happened.
    pub(super) async fn store(&self) -> Result<GappedStore, Box<dyn Error + Send + Sync>> {
        let store = GappedStore::new();
        for (time, append) in &self.appends {
            if let Some(time) = time {
                store.set_clock(*time);
            }
            store.append(append.clone()).await?;
        }
        Ok(store)
    }
}

/// The places of all events.
pub(super) async fn sequences(store: &dyn EventStore) -> Result<Vec<Sequence>, Box<dyn Error + Send + Sync>> {
    let (mut sequences, mut read) = (Vec::new(), ReadLog::from(Sequence::FIRST));
    loop {
        let page = store.read_log(read.clone()).await?;
        sequences.extend(page.events.iter().map(|event| event.sequence()));
        if page.is_last() {
            return Ok(sequences);
        }
        read.from = page.through.next();
    }
}
