//! How often a message repeats an element, read from its bytes without decoding it.
//!
//! An empty element takes two bytes of a message and hundreds in memory, so a message within its size limit could
//! decode to gigabytes. Only elements of requests are counted: a server trusts nobody.

use crate::{
    limits::{APPEND_TAGS_MAX, FILTER_NAMES_MAX},
    v1,
};
use annals_event::limits::{APPEND_EVENTS_MAX, APPEND_MARKS_MAX, APPEND_STREAMS_MAX};
use prost::{
    Name,
    encoding::{WireType, decode_key, decode_varint},
};

/// Elements of a message that must not occur more than `max` times.
struct Bound {
    message: &'static str,
    /// The numbers of the fields that lead to the element.
    path: &'static [u32],
    what: &'static str,
    max: usize,
}

/// More elements than a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) message: &'static str,
    pub(crate) what: &'static str,
    pub(crate) actual: usize,
    pub(crate) max: usize,
}

const APPEND: &str = v1::AppendRequest::NAME;
const READ_LOG: &str = v1::ReadLogRequest::NAME;
const SUBSCRIBE: &str = v1::SubscribeRequest::NAME;

const BOUNDS: [Bound; 9] = [
    Bound { message: APPEND, path: &[2], what: "streams", max: APPEND_STREAMS_MAX },
    Bound { message: APPEND, path: &[2, 3], what: "events", max: APPEND_EVENTS_MAX },
    Bound { message: APPEND, path: &[2, 3, 7], what: "tags", max: APPEND_TAGS_MAX },
    Bound { message: APPEND, path: &[3], what: "streams", max: APPEND_STREAMS_MAX },
    Bound { message: APPEND, path: &[4], what: "marks", max: APPEND_MARKS_MAX },
    Bound { message: READ_LOG, path: &[2, 1], what: "categories", max: FILTER_NAMES_MAX },
    Bound { message: READ_LOG, path: &[2, 3], what: "event types", max: FILTER_NAMES_MAX },
    Bound { message: SUBSCRIBE, path: &[2, 1], what: "categories", max: FILTER_NAMES_MAX },
    Bound { message: SUBSCRIBE, path: &[2, 3], what: "event types", max: FILTER_NAMES_MAX },
];

/// Refuses a message of this name that repeats an element too often.
pub(crate) fn check(message: &'static str, bytes: &[u8]) -> Result<(), TooMany> {
    for &Bound { path, what, max, .. } in BOUNDS.iter().filter(|bound| bound.message == message) {
        let actual = count(bytes, path);
        if actual > max {
            return Err(TooMany { message, what, actual, max });
        }
    }
    Ok(())
}

fn count(bytes: &[u8], path: &[u32]) -> usize {
    let Some((field, rest)) = path.split_first() else { return 1 };
    Elements(bytes).filter(|(number, _)| number == field).map(|(_, element)| count(element, rest)).sum()
}

/// The fields of a message that have a length, with their numbers. Ends where the message ends or is damaged: a
/// decoder gets no further either.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        while !self.0.is_empty() {
            let (number, kind) = decode_key(&mut self.0).ok()?;
            match kind {
                WireType::Varint => {
                    decode_varint(&mut self.0).ok()?;
                }
                WireType::SixtyFourBit => {
                    self.take(8)?;
                }
                WireType::ThirtyTwoBit => {
                    self.take(4)?;
                }
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut self.0).ok()?).ok()?;
                    return Some((number, self.take(length)?));
                }
                // The contents of a group are counted as if they stood outside it: too high a count does no harm.
                WireType::StartGroup | WireType::EndGroup => {}
            }
        }
        None
    }
}

impl<'a> Elements<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn append(writes: usize, events: usize, tags: usize) -> v1::AppendRequest {
        let event = v1::NewEvent { tags: vec![String::new(); tags], ..Default::default() };
        let write = v1::StreamWrite { events: vec![event; events], ..Default::default() };
        v1::AppendRequest { writes: vec![write; writes], ..Default::default() }
    }

    fn refused<M: Message + Name>(message: &M) -> Option<(&'static str, usize)> {
        check(M::NAME, &message.encode_to_vec()).err().map(|many| (many.what, many.actual))
    }

    #[test]
    fn what_may_be_there_is_let_through() {
        assert_eq!(refused(&append(2, 5_000, 1)), None);
        assert_eq!(refused(&append(APPEND_STREAMS_MAX, 1, 32)), None);
        assert_eq!(refused(&v1::AppendRequest::default()), None);
        assert_eq!(refused(&v1::HeadRequest {}), None);
    }

    #[test]
    fn elements_are_counted_wherever_they_stand() {
        assert_eq!(refused(&append(2, 5_001, 0)), Some(("events", 10_002)));
        assert_eq!(refused(&append(10_001, 0, 0)), Some(("streams", 10_001)));
        assert_eq!(refused(&append(1, 1, 320_001)), Some(("tags", 320_001)));
        let requires = vec![v1::Requirement::default(); 10_001];
        let marks = vec![v1::MarkUpdate { value: 1, ..Default::default() }; 101];
        assert_eq!(refused(&v1::AppendRequest { requires, ..Default::default() }), Some(("streams", 10_001)));
        assert_eq!(refused(&v1::AppendRequest { marks, ..Default::default() }), Some(("marks", 101)));
        let filter = Some(v1::Filter { event_types: vec![String::new(); 1_001], ..Default::default() });
        let subscribe = v1::SubscribeRequest { from: 7, filter: filter.clone() };
        assert_eq!(refused(&subscribe), Some(("event types", 1_001)));
        assert_eq!(
            refused(&v1::ReadLogRequest { filter, ..Default::default() }),
            Some(("event types", 1_001))
        );
    }

    #[test]
    fn a_split_or_truncated_message_is_counted_as_a_decoder_reads_it() {
        let half = append(1, 6_000, 0).encode_to_vec();
        // An unknown field: a group around a number.
        let group = [0x7b, 0x08, 0x01, 0x7c];
        let bytes = [&half[..], &group, &half, &[0xff]].concat();
        assert_eq!(check(APPEND, &bytes).map_err(|many| many.actual), Err(12_000));
    }
}
