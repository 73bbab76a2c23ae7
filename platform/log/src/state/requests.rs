//! The ids of the newest appends, in chunks that are shared, so that a copy of all of them is a few thousand counters.
//!
//! What always holds:
//!
//! * Ids stand in the order of their appends, each at most once.
//! * Only whole chunks are dropped, the oldest first; so what is kept depends on the log's appends alone, whether they
//!   were taken in one by one, from a checkpoint or from a base.
//! * Every id that was dropped was recorded at or before `dropped_through`.

use crate::num::{array_at, i64_at, to_usize, u64_at};
use annals_event::{RequestId, Sequence};
use std::{collections::VecDeque, sync::Arc};

/// How many ids one chunk holds. Stored data depends on it.
pub(crate) const CHUNK_REQUESTS: usize = 1 << 10;

/// For how long ids are remembered even where more come than [`Options::requests`](crate::Options::requests): twice as
/// long as the clocks of a client and of the log may differ, so that a new id can be told from a dropped one.
pub(crate) const KEPT_MICROS: i64 = 10_000_000;

/// How many times [`Options::requests`](crate::Options::requests) ids are remembered at most, whatever their age.
const KEPT_TIMES_MAX: usize = 4;

const REQUEST_BYTES: usize = 24;
const TIME_BYTES: usize = 8;
/// Stands for "none was dropped" in stored bytes.
const NEVER: i64 = i64::MIN;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    /// Of its first event; appends that only set marks share the one of the event that came next.
    pub(crate) first: Sequence,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) requests: Vec<Request>,
    /// When the last of them was recorded.
    through: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// All but the last one are full.
    chunks: VecDeque<Arc<Chunk>>,
    count: usize,
    dropped_through: Option<i64>,
}

impl Requests {
    /// How many bytes so many requests take where they are stored.
    pub(crate) const fn stored_bytes(count: usize) -> usize {
        let times = count.div_ceil(CHUNK_REQUESTS).saturating_mul(TIME_BYTES);
        count.saturating_mul(REQUEST_BYTES).saturating_add(times)
    }

    /// The newest one.
    pub(crate) fn newest(&self) -> Option<&Request> {
        self.chunks.back()?.requests.last()
    }

    /// Adds the newest one, which is not here yet. [`Self::drop_oldest`] must follow.
    pub(crate) fn push(&mut self, request: Request, recorded_at: i64) {
        if self.count.is_multiple_of(CHUNK_REQUESTS) {
            let requests = Vec::with_capacity(CHUNK_REQUESTS);
            self.chunks.push_back(Arc::new(Chunk { requests, through: recorded_at }));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            // Copies the one chunk that is not full, and only while somebody else looks at it.
            let chunk = Arc::make_mut(chunk);
            chunk.requests.push(request);
            chunk.through = chunk.through.max(recorded_at);
            self.count += 1;
        }
    }

    /// Drops the oldest chunk, unless it is needed for at least `kept` to be remembered, or for those of
    /// [`KEPT_MICROS`].
    pub(crate) fn drop_oldest(&mut self, kept: usize) -> Option<Arc<Chunk>> {
        let left = self.count.checked_sub(CHUNK_REQUESTS).filter(|left| *left >= kept)?;
        let (oldest, newest) = (self.chunks.front()?, self.chunks.back()?);
        let is_old = oldest.through.saturating_add(KEPT_MICROS) < newest.through;
        if !is_old && left < kept.saturating_mul(KEPT_TIMES_MAX) {
            return None;
        }
        self.dropped_through = Some(oldest.through);
        self.count = left;
        self.chunks.pop_front()
    }

    /// No id that was recorded later was dropped; `None`: none was dropped at all.
    pub(crate) const fn dropped_through(&self) -> Option<i64> {
        self.dropped_through
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Request> {
        self.chunks.get(index / CHUNK_REQUESTS)?.requests.get(index % CHUNK_REQUESTS)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Request, i64)> {
        self.chunks.iter().flat_map(|chunk| chunk.requests.iter().map(|request| (request, chunk.through)))
    }

    /// Which bytes say what was dropped.
    pub(crate) fn dropped_through_bytes(&self) -> [u8; TIME_BYTES] {
        self.dropped_through.unwrap_or(NEVER).to_le_bytes()
    }

    /// How many bytes [`Self::encode`] adds.
    pub(crate) fn encoded_len(&self) -> usize {
        Self::stored_bytes(self.count)
    }

    /// Adds the ids, then the time of each chunk.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (request, _) in self.iter() {
            out.extend_from_slice(request.id.as_bytes());
            out.extend_from_slice(&request.first.get().to_le_bytes());
        }
        self.chunks.iter().for_each(|chunk| out.extend_from_slice(&chunk.through.to_le_bytes()));
    }

    /// The `count` requests in `bytes`, of which there must be none left over; `None`: they are not well-formed.
    pub(crate) fn parse(bytes: &[u8], count: u64, dropped_through: i64) -> Option<Self> {
        let count = to_usize(count);
        if Self::stored_bytes(count) != bytes.len() {
            return None;
        }
        let (ids, times) = bytes.split_at_checked(count.checked_mul(REQUEST_BYTES)?)?;
        let request = |entry: &[u8]| Request {
            id: RequestId::from_bytes(array_at(entry, 0)),
            first: Sequence::new(u64_at(entry, 16)),
        };
        let chunks = ids.chunks(CHUNK_REQUESTS * REQUEST_BYTES).zip(times.chunks_exact(TIME_BYTES));
        let chunk = |(ids, time): (&[u8], &[u8])| {
            let requests = ids.chunks_exact(REQUEST_BYTES).map(request).collect();
            Arc::new(Chunk { requests, through: i64_at(time, 0) })
        };
        let dropped_through = Some(dropped_through).filter(|time| *time != NEVER);
        let requests = Self { chunks: chunks.map(chunk).collect(), count, dropped_through };
        requests.is_in_order().then_some(requests)
    }

    fn is_in_order(&self) -> bool {
        self.iter().map(|(request, _)| request.first).is_sorted()
    }

    /// How many bytes a copy has to copy.
    #[cfg(test)]
    pub(crate) fn unshared_bytes(&self, other: &Self) -> usize {
        let shared = |(one, other): &(&Arc<Chunk>, &Arc<Chunk>)| Arc::ptr_eq(one, other);
        let unshared = self.chunks.iter().zip(&other.chunks).filter(|pair| !shared(pair));
        unshared.map(|(chunk, _)| chunk.requests.len() * REQUEST_BYTES).sum()
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_wrap, reason = "tests count no further")]
mod tests {
    use super::*;

    fn request(n: usize) -> Request {
        Request { id: RequestId::from_name(&n.to_string()), first: Sequence::new(n as u64 * 100) }
    }

    /// Requests 0 to `count`, one every `micros`.
    fn filled(kept: usize, count: usize, micros: i64) -> Requests {
        let mut requests = Requests::default();
        for n in 0..count {
            requests.push(request(n), n as i64 * micros);
            while requests.drop_oldest(kept).is_some() {}
        }
        requests
    }

    fn oldest(requests: &Requests) -> Request {
        *requests.get(0).unwrap()
    }

    #[test]
    fn old_requests_go_by_chunks_and_young_ones_stay_up_to_a_limit() {
        let hours = filled(2_000, 10_000, 1_000_000);
        assert_eq!(
            (oldest(&hours), hours.len()),
            (request(7 * 1024), 10_000 - 7 * 1024),
            "at least 2,000 are kept"
        );
        assert_eq!(hours.dropped_through(), Some((7 * 1024 - 1) * 1_000_000));
        let busy = filled(2_000, 10_000, 1);
        assert_eq!(
            (oldest(&busy), busy.len()),
            (request(1024), 10_000 - 1024),
            "of one second: at most 8,000 and a chunk"
        );
        let few = filled(2_000, 2_500, 1_000_000);
        assert_eq!((few.len(), few.dropped_through()), (2_500, None));
    }

    #[test]
    fn what_was_stored_comes_back_and_goes_on_as_if_nothing_had_been() {
        for (count, micros) in [(0, 1), (1, 1), (1_024, 1), (9_999, 1_000_000)] {
            let mut written = filled(1_500, count, micros);
            let mut bytes = Vec::new();
            written.encode(&mut bytes);
            assert_eq!(bytes.len(), written.encoded_len());
            let dropped = i64::from_le_bytes(written.dropped_through_bytes());
            let mut read = Requests::parse(&bytes, written.len() as u64, dropped).unwrap();
            assert_eq!(read, written);
            for n in count..count + 3_000 {
                for requests in [&mut read, &mut written] {
                    requests.push(request(n), n as i64 * micros);
                    while requests.drop_oldest(1_500).is_some() {}
                }
            }
            assert_eq!(read, written);
            assert_eq!(Requests::parse(&bytes, written.len() as u64 + 1, dropped), None);
        }
    }

    #[test]
    fn a_copy_shares_all_but_the_chunk_that_is_being_filled() {
        let mut requests = filled(1 << 20, 100_000, 1);
        let copy = requests.clone();
        assert_eq!(requests.unshared_bytes(&copy), 0);
        for n in 100_000..100_100 {
            requests.push(request(n), 100_000);
        }
        assert!(requests.unshared_bytes(&copy) <= CHUNK_REQUESTS * REQUEST_BYTES);
        assert_eq!((copy.len(), requests.len()), (100_000, 100_100));
    }
}
