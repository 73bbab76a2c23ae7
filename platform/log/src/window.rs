//! The request-id window: the last 1,048,576 request ids and where their frames are.
//!
//! What always holds: ids stand in the order of their frames, each at most once, and pushing what is there
//! already changes nothing.

use crate::frame::Position;
use crate::num::{to_usize, u64_at};
use annals_event::{LogId, RequestId};
use hashbrown::HashTable;
use std::collections::VecDeque;

/// How many request ids are remembered.
pub(crate) const REQUESTS_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) frame: Position,
}

/// Hashes request ids, which others choose, in a way that nobody can foresee.
#[derive(Clone, Copy)]
pub(crate) struct RequestHasher {
    seed: u64,
}

impl RequestHasher {
    pub(crate) fn of(log: LogId) -> Self {
        Self { seed: u64_at(log.as_bytes(), 8) }
    }
    pub(crate) fn hash(self, id: RequestId) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), self.seed)
    }
}

pub(crate) struct Window {
    hasher: RequestHasher,
    requests_max: usize,
    ring: VecDeque<Request>,
    /// How many requests left the ring: a request's ordinal less this is its place in the ring.
    dropped: u64,
    ordinals: HashTable<u64>,
}

impl Window {
    pub(crate) fn new(log: LogId) -> Self {
        Self::with_limit(log, REQUESTS_MAX)
    }

    fn with_limit(log: LogId, requests_max: usize) -> Self {
        let hasher = RequestHasher::of(log);
        Self { hasher, requests_max, ring: VecDeque::new(), dropped: 0, ordinals: HashTable::new() }
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<Position> {
        let found = self.ordinals.find(self.hasher.hash(id), |&ordinal| self.is_at(ordinal, id))?;
        self.at(*found).map(|request| request.frame)
    }

    pub(crate) fn push(&mut self, request: Request) {
        if self.ring.back().is_some_and(|last| last.frame >= request.frame) {
            return;
        }
        if self.ring.len() == self.requests_max {
            self.drop_oldest();
        }
        let ordinal = self.dropped + crate::num::to_u64(self.ring.len());
        self.ring.push_back(request);
        let (hasher, ring, dropped) = (self.hasher, &self.ring, self.dropped);
        let hash_of = |&ordinal: &u64| {
            ring.get(to_usize(ordinal - dropped)).map_or(0, |request| hasher.hash(request.id))
        };
        self.ordinals.insert_unique(hasher.hash(request.id), ordinal, hash_of);
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Request> {
        self.ring.iter()
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.ring.front() else { return };
        let (hash, dropped) = (self.hasher.hash(oldest.id), self.dropped);
        if let Ok(entry) = self.ordinals.find_entry(hash, |&ordinal| ordinal == dropped) {
            entry.remove();
        }
        self.ring.pop_front();
        self.dropped += 1;
    }

    fn at(&self, ordinal: u64) -> Option<&Request> {
        self.ring.get(to_usize(ordinal.checked_sub(self.dropped)?))
    }
    fn is_at(&self, ordinal: u64, id: RequestId) -> bool {
        self.at(ordinal).is_some_and(|request| request.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(n: u8) -> Request {
        Request { id: RequestId::from_bytes([n; 16]), frame: Position::new(u64::from(n) * 100) }
    }

    #[test]
    fn the_window_forgets_the_oldest_request_first() {
        let mut window = Window::with_limit(LogId::from_bytes([1; 16]), 100);
        for n in 1..=250 {
            window.push(request(n));
        }
        for n in 1..=250 {
            let found = window.get(request(n).id);
            assert_eq!(found, (n > 150).then(|| request(n).frame), "{n}");
        }
        assert_eq!(window.ordinals.len(), 100);
    }

    #[test]
    fn a_request_that_is_replayed_is_not_remembered_twice() {
        let mut window = Window::with_limit(LogId::from_bytes([1; 16]), 100);
        for n in [1, 2, 3, 1, 2, 3, 4] {
            window.push(request(n));
        }
        assert_eq!(window.iter().len(), 4);
    }
}
