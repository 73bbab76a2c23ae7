//! Cuts the store's answers into messages of bounded size.

use annals_event::{DecodeError, EventBatch, EventRef};
use annals_store::{LogPage, ReadError, StreamPage};
use annals_wire::{limits::PAGE_BYTES_MAX, v1};

/// The first events of a batch, as many as fit into one message, but at least one unless the batch is empty.
pub(crate) struct Cut {
    /// The events.
    pub(crate) events: Vec<v1::RecordedEvent>,
    /// The index in the batch of the first event that did not fit; `None`: all fit.
    rest: Option<usize>,
}

/// Cuts a message from the beginning of `batch`.
pub(crate) fn cut(batch: &EventBatch, bytes_max: usize) -> Result<Cut, DecodeError> {
    let mut events = Vec::new();
    let mut bytes = 0_usize;
    for (at, event) in batch.iter().enumerate() {
        bytes = bytes.saturating_add(event.as_bytes().len());
        if bytes > bytes_max && !events.is_empty() {
            return Ok(Cut { events, rest: Some(at) });
        }
        events.push(event.try_into()?);
    }
    Ok(Cut { events, rest: None })
}

impl Cut {
    /// The first event of `batch` that did not fit, if there is one.
    pub(crate) fn first_left<'a>(&self, batch: &'a EventBatch) -> Option<EventRef<'a>> {
        self.rest.and_then(|at| batch.get(at))
    }
}

/// The answer with `page`, or with its beginning if not all of it fits.
pub(crate) fn of_stream(page: &StreamPage) -> Result<v1::ReadStreamResponse, ReadError> {
    let cut = cut(&page.events, PAGE_BYTES_MAX)?;
    let next = cut.first_left(&page.events).map(|event| event.version()).or(page.next);
    Ok(v1::ReadStreamResponse {
        events: cut.events,
        version: page.version.get(),
        next: next.map(annals_event::Version::get),
    })
}

/// The answer with `page`, or with its beginning if not all of it fits.
pub(crate) fn of_log(page: &LogPage) -> Result<v1::ReadLogResponse, ReadError> {
    let cut = cut(&page.events, PAGE_BYTES_MAX)?;
    let before_rest = cut.first_left(&page.events).map(|event| event.sequence().previous());
    let through = before_rest.unwrap_or(page.through).get();
    Ok(v1::ReadLogResponse { events: cut.events, through, head: page.head.get() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_event::{
        EventBatchBuilder, EventType, NewEvent, Sequence, StreamName, Timestamp, Version, limits,
    };

    /// Events of these payload sizes, at sequence numbers 10, 20, 30...
    fn batch(payloads: &[usize]) -> EventBatch {
        let mut builder = EventBatchBuilder::default();
        for (at, bytes) in (1_u64..).zip(payloads) {
            let event = NewEvent::json(EventType::new("t").unwrap(), vec![b'x'; *bytes]);
            let (sequence, version) = (Sequence::new(at * 10), Version::new(at));
            let stream = StreamName::new("s").unwrap();
            builder.push_new(&stream, &event, sequence, version, Timestamp::default()).unwrap();
        }
        builder.build().unwrap()
    }

    #[test]
    fn a_page_that_is_too_large_is_cut_and_says_where_to_go_on() {
        let events = batch(&[600_000, 400_000, 400_000]);
        let (through, head) = (Sequence::new(35), Sequence::new(40));
        let page = of_log(&LogPage { events: events.clone(), through, head }).unwrap();
        assert_eq!((page.events.len(), page.through, page.head), (2, 29, 40));
        let page = of_stream(&StreamPage { events, version: Version::new(9), next: None }).unwrap();
        assert_eq!((page.events.len(), page.next, page.version), (2, Some(3), 9));
    }

    #[test]
    fn a_page_that_fits_keeps_its_own_end() {
        let events = batch(&[10, 10]);
        let (through, head) = (Sequence::new(35), Sequence::new(40));
        assert_eq!(of_log(&LogPage { events: events.clone(), through, head }).unwrap().through, 35);
        let next = Some(Version::new(3));
        let page = of_stream(&StreamPage { events, version: Version::new(9), next }).unwrap();
        assert_eq!(page.next, Some(3));
    }

    #[test]
    fn an_event_larger_than_a_page_goes_alone() {
        let events = batch(&[limits::PAYLOAD_BYTES_MAX, 1]);
        let first = cut(&events, 1_000).unwrap();
        assert_eq!((first.events.len(), first.rest), (1, Some(1)));
        let second = cut(&events.slice(1..2), 1_000).unwrap();
        assert_eq!((second.events.len(), second.rest), (1, None));
    }
}
