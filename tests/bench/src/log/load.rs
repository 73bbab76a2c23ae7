//! What is appended: events of 256 bytes, on streams chosen by the bench.

use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName, Version};
use anyhow::Result;
use bytes::Bytes;

/// How large a payload is.
pub(crate) const PAYLOAD_BYTES: usize = 256;

/// Makes events of one type.
#[derive(Clone)]
pub(crate) struct Load {
    event_type: EventType,
    payload: Bytes,
}

impl Load {
    pub(crate) fn new() -> Result<Self> {
        let payload = (0..PAYLOAD_BYTES).map(|n| b'a' + u8::try_from(n % 26).unwrap_or(0)).collect();
        Ok(Self { event_type: EventType::new("bench.happened")?, payload })
    }

    pub(crate) fn event(&self) -> NewEvent {
        NewEvent::json(self.event_type.clone(), self.payload.clone())
    }

    pub(crate) fn events(&self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|_| self.event()).collect()
    }

    /// One append of `count` events to `stream`.
    pub(crate) fn append(&self, stream: &StreamName, count: usize, expected: ExpectedVersion) -> Append {
        Append::to(stream.clone(), expected, self.events(count))
    }

    /// One append of one event to each of the streams from `first` on, `count` of them, wrapping at `streams`.
    pub(crate) fn spread(&self, first: usize, count: usize, streams: usize) -> Result<Append> {
        let mut append = Append::new();
        for n in first..first + count {
            append = append.write(stream(n % streams)?, ExpectedVersion::Any, vec![self.event()]);
        }
        Ok(append)
    }
}

/// The stream with this number.
pub(crate) fn stream(number: usize) -> Result<StreamName> {
    Ok(StreamName::of("bench", &format!("{number:08}"))?)
}

/// `Exact` at this many events.
pub(crate) fn at(version: usize) -> Result<ExpectedVersion> {
    Ok(ExpectedVersion::Exact(Version::new(u64::try_from(version)?)))
}
