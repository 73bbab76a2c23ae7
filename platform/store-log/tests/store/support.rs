//! Short ways to make appends and to read them back.

use annals_event::{
    Append, EventType, ExpectedVersion, MarkName, NewEvent, Receipt, RecordedEvent, Sequence, StreamName,
};
use annals_store::{EventStore, ReadError, ReadLog};
use annals_store_log::{LogStore, Options};
use std::path::Path;

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(crate) fn mark(name: &str) -> MarkName {
    MarkName::new(name).unwrap()
}

/// An append of `count` events with payloads of this size to one stream.
pub(crate) fn write(name: &str, count: usize, payload_bytes: usize) -> Append {
    let event = || NewEvent::json(EventType::new("happened").unwrap(), vec![b' '; payload_bytes]);
    let events = (0..count).map(|_| event()).collect();
    Append::to(stream(name), ExpectedVersion::Any, events)
}

pub(crate) async fn append(store: &LogStore, append: Append) -> Receipt {
    store.append(append).await.unwrap()
}

pub(crate) fn small_segments() -> Options {
    Options::with_segment_bytes(64 << 10)
}

pub(crate) async fn open(folder: &Path) -> LogStore {
    LogStore::open(folder, small_segments()).await.unwrap()
}

/// The log up to its end, or up to the first error.
pub(crate) async fn log(store: &LogStore) -> (Vec<RecordedEvent>, Option<ReadError>) {
    let mut events = Vec::new();
    let mut read = ReadLog { bytes_max: 16 << 10, ..ReadLog::from(Sequence::FIRST) };
    loop {
        match store.read_log(read.clone()).await {
            Ok(page) => {
                events.extend(page.events.iter().map(|event| event.to_recorded().unwrap()));
                if page.is_last() {
                    return (events, None);
                }
                read.from = page.through.next();
            }
            Err(error) => return (events, Some(error)),
        }
    }
}
