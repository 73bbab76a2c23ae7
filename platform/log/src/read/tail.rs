//! The newest events, kept in memory for live readers, in a bounded number of bytes.
//!
//! What always holds: the groups are consecutive, and the last one ends at the head.

use annals_event::{EventBatch, Sequence};
use bytes::Bytes;
use std::collections::VecDeque;

/// The events of one group.
pub(crate) struct TailGroup {
    first: Sequence,
    /// The sequence number after the last event.
    next: Sequence,
    bytes: usize,
    events: EventBatch,
}

impl TailGroup {
    /// The group that begins at `first`; `offsets` are where its records, which the engine encoded, begin in `bytes`.
    pub(crate) fn new(first: Sequence, bytes: Bytes, offsets: Vec<u32>) -> Self {
        let next = first.plus(crate::num::to_u64(offsets.len()));
        Self { first, next, bytes: bytes.len(), events: EventBatch::of_records(bytes, offsets) }
    }
}

pub(crate) struct Tail {
    groups: VecDeque<TailGroup>,
    bytes: usize,
    bytes_max: usize,
}

/// Groups that are smaller are copied together for a reader, so that it gets more than an event at a time.
const ALONE_BYTES_MIN: usize = 32 << 10;

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { groups: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds the events of a group; returns those that it gives up, to be given back where nobody waits.
    pub(crate) fn push(&mut self, group: TailGroup) -> Vec<TailGroup> {
        let follows = self.groups.back().is_none_or(|last| last.next == group.first);
        let mut given_up: Vec<TailGroup> = if follows { Vec::new() } else { self.groups.drain(..).collect() };
        self.bytes += group.bytes;
        self.groups.push_back(group);
        self.bytes -= given_up.iter().map(|group| group.bytes).sum::<usize>();
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.groups.pop_front()
        {
            self.bytes -= oldest.bytes;
            given_up.push(oldest);
        }
        given_up
    }

    /// Consecutive groups from the one with `from` on: their events, cut at `from`, about `bytes_max` of them.
    /// `None`: `from` is not here.
    pub(crate) fn read(&self, from: Sequence, bytes_max: usize) -> Option<Vec<EventBatch>> {
        let at = self.groups.partition_point(|group| group.next <= from);
        let group = self.groups.get(at).filter(|group| group.first <= from)?;
        let skip = crate::num::to_usize(from.get() - group.first.get());
        let first = group.events.slice(skip..group.events.len());
        let mut taken = group.bytes;
        let mut batches = vec![first];
        if taken < ALONE_BYTES_MIN {
            for group in self.groups.iter().skip(at + 1) {
                taken += group.bytes;
                if taken > bytes_max || group.bytes > ALONE_BYTES_MIN {
                    break;
                }
                batches.push(group.events.clone());
            }
        }
        Some(batches)
    }
}

/// One batch with the events of all.
pub(crate) fn join(mut batches: Vec<EventBatch>, events_max: usize) -> EventBatch {
    if batches.len() < 2 {
        return batches.pop().unwrap_or_default();
    }
    let mut bytes = Vec::with_capacity(batches.iter().map(EventBatch::size_bytes).sum());
    let mut offsets = Vec::new();
    for event in batches.iter().flat_map(EventBatch::iter).take(events_max) {
        offsets.push(crate::num::to_u32(bytes.len()));
        bytes.extend_from_slice(event.as_bytes());
    }
    EventBatch::of_records(bytes.into(), offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_event::{EventType, NewEvent, StreamName, Timestamp, Version, record};

    fn push(tail: &mut Tail, first: u64, count: u64) {
        let (mut bytes, mut offsets) = (Vec::new(), Vec::new());
        for n in 0..count {
            let at = bytes.len();
            offsets.push(u32::try_from(at).unwrap());
            let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 100]);
            record::encode(&StreamName::new("s").unwrap(), &event, &mut bytes);
            let sequence = Sequence::new(first + n);
            record::set_place(&mut bytes[at..], sequence, Version::FIRST, Timestamp::default());
        }
        drop(tail.push(TailGroup::new(Sequence::new(first), bytes.into(), offsets)));
    }

    fn read(tail: &Tail, from: u64, events_max: usize) -> Option<Vec<u64>> {
        let batches = tail.read(Sequence::new(from), 1 << 20)?;
        Some(join(batches, events_max).iter().map(|event| event.sequence().get()).collect())
    }

    #[test]
    fn the_tail_gives_consecutive_events_and_forgets_the_oldest() {
        let mut tail = Tail::new(1000);
        push(&mut tail, 1, 2);
        push(&mut tail, 3, 1);
        push(&mut tail, 4, 2);
        assert_eq!(read(&tail, 2, 9).unwrap(), [2, 3, 4, 5]);
        assert_eq!(read(&tail, 2, 2).unwrap(), [2, 3]);
        assert_eq!(read(&tail, 6, 9), None);
        push(&mut tail, 6, 3);
        assert_eq!(read(&tail, 2, 9), None, "over the limit");
        assert_eq!(read(&tail, 4, 9).unwrap(), [4, 5, 6, 7, 8]);
    }
}
