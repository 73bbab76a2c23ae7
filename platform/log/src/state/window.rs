//! The request-id window: the newest appends' ids, where their events are, and what can be said of an id that is not
//! among them. It knows no byte of the disk: equal appends make equal windows.
//!
//! What always holds:
//!
//! * An id is found, or it was never used, or it is too old to say. Nothing is guessed.
//! * An append that nothing but its request id protects is only made under an id that was not made more than
//!   [`CLOCKS_APART_MICROS`] after the append is recorded. So no dropped id was made
//!   later than that after the last dropped append was recorded, and an id that was made later still is new.

use crate::num::{to_u64, to_usize};
use crate::state::requests::{Request, Requests};
use annals_event::{RequestId, Sequence, Timestamp};
use hashbrown::HashTable;

/// How far, in µs, the clock of whoever makes an id may be ahead of the log's.
pub(crate) const CLOCKS_APART_MICROS: i64 = 5_000_000;

/// How many tables the ids are spread over: a table that grows moves all that is in it while everybody waits.
const TABLES: u64 = 256;

/// Hashes request ids, which others choose, in a way that nobody can foresee.
#[derive(Clone, Copy)]
pub(crate) struct RequestHasher {
    seed: u64,
}

impl RequestHasher {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }
    pub(crate) fn hash(self, id: RequestId) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), self.seed)
    }
}

/// Why it cannot be said that an id was never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It was made later than now, by so many µs: were it used now, nobody could judge it later.
    Ahead { micros: i64 },
    /// It may have been dropped. Ids that were made later than this can be judged.
    Old { judged_after: Timestamp },
}

pub(crate) struct Window {
    hasher: RequestHasher,
    kept: usize,
    requests: Requests,
    /// How many requests were dropped: a request's ordinal less this is its place among the requests.
    dropped: u64,
    /// Ordinals, by the hashes of their ids.
    tables: Vec<HashTable<u64>>,
}

impl Window {
    /// A window of at least `kept` requests.
    pub(crate) fn new(hasher: RequestHasher, kept: usize) -> Self {
        let tables = (0..TABLES).map(|_| HashTable::new()).collect();
        Self { hasher, kept, requests: Requests::default(), dropped: 0, tables }
    }

    /// Where the append with this id is: its first event, or without events the one that came next.
    pub(crate) fn get(&self, id: RequestId) -> Option<Sequence> {
        let hash = self.hasher.hash(id);
        let table = self.tables.get(table_of(hash))?;
        let ordinal =
            table.find(hash, |&ordinal| self.at(ordinal).is_some_and(|request| request.id == id))?;
        self.at(*ordinal).map(|request| request.first)
    }

    /// Whether an append with this id, which is not here, was never made; `now` is when it would be recorded.
    pub(crate) fn judge(&self, id: RequestId, now: i64) -> Result<(), Doubt> {
        let made_at = id.made_at().map(Timestamp::as_micros);
        let ahead = made_at.map_or(0, |made_at| made_at.saturating_sub(now));
        if ahead > CLOCKS_APART_MICROS {
            return Err(Doubt::Ahead { micros: ahead });
        }
        let Some(dropped_through) = self.requests.dropped_through() else { return Ok(()) };
        let judged_after = dropped_through.saturating_add(CLOCKS_APART_MICROS);
        if made_at.is_some_and(|made_at| made_at > judged_after) {
            return Ok(());
        }
        Err(Doubt::Old { judged_after: Timestamp::from_micros(judged_after) })
    }

    /// Takes the newest request in. One that is here already changes nothing.
    pub(crate) fn push(&mut self, request: Request, recorded_at: i64) {
        let is_here = |newest: &Request| {
            newest.first > request.first
                || newest.first == request.first && self.get(request.id) == Some(request.first)
        };
        if self.requests.newest().is_some_and(is_here) {
            return;
        }
        self.requests.push(request, recorded_at);
        self.enter(self.requests.len().saturating_sub(1));
        while let Some(chunk) = self.requests.drop_oldest(self.kept) {
            for request in &chunk.requests {
                let (hash, ordinal) = (self.hasher.hash(request.id), self.dropped);
                let table = self.tables.get_mut(table_of(hash));
                if let Some(Ok(entry)) = table.map(|table| table.find_entry(hash, |&held| held == ordinal)) {
                    entry.remove();
                }
                self.dropped += 1;
            }
        }
    }

    /// Takes all requests in that a checkpoint or a base holds. The window is empty.
    pub(crate) fn restore(&mut self, requests: Requests) {
        self.requests = requests;
        (0..self.requests.len()).for_each(|index| self.enter(index));
    }

    /// How many bytes the requests take in a checkpoint or a base.
    pub(crate) fn encoded_len(&self) -> usize {
        self.requests.encoded_len()
    }

    /// The requests as they are now: a copy that shares what it holds.
    pub(crate) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Lets the request at this place be found.
    fn enter(&mut self, index: usize) {
        let Some(request) = self.requests.get(index) else { return };
        let hash = self.hasher.hash(request.id);
        let (hasher, requests, dropped) = (self.hasher, &self.requests, self.dropped);
        let hash_of = |&ordinal: &u64| {
            requests.get(to_usize(ordinal - dropped)).map_or(0, |request| hasher.hash(request.id))
        };
        if let Some(table) = self.tables.get_mut(table_of(hash)) {
            table.insert_unique(hash, dropped + to_u64(index), hash_of);
        }
    }

    fn at(&self, ordinal: u64) -> Option<&Request> {
        self.requests.get(to_usize(ordinal.checked_sub(self.dropped)?))
    }
}

/// By bits of the hash that a table itself does not look at before it is very large.
fn table_of(hash: u64) -> usize {
    to_usize((hash >> 32) % TABLES)
}

#[cfg(test)]
#[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "tests count no further")]
mod tests {
    use super::*;
    use crate::state::requests::CHUNK_REQUESTS;

    const SECOND: i64 = 1_000_000;

    fn window(kept: usize) -> Window {
        Window::new(RequestHasher::new(1), kept)
    }

    fn request(n: usize) -> Request {
        Request { id: RequestId::from_name(&n.to_string()), first: Sequence::new(n as u64 * 100) }
    }

    /// A UUID v7 made at this time.
    fn made_at(micros: i64) -> RequestId {
        let millis = u128::try_from(micros / 1_000).unwrap();
        RequestId::from_bytes((millis << 80 | 7 << 76 | 2 << 62).to_be_bytes())
    }

    #[test]
    fn the_window_forgets_whole_chunks_of_the_oldest_requests_first() {
        let mut window = window(100);
        for n in 0..3_000 {
            window.push(request(n), n as i64 * SECOND);
        }
        for n in 0..3_000 {
            let found = window.get(request(n).id);
            assert_eq!(found, (n >= 2 * CHUNK_REQUESTS).then(|| request(n).first), "{n}");
        }
        assert_eq!(window.tables.iter().map(HashTable::len).sum::<usize>(), 3_000 - 2 * CHUNK_REQUESTS);
    }

    #[test]
    fn a_request_that_comes_again_changes_nothing() {
        let mut window = window(100);
        // Of each three the first two have no events.
        let requests: Vec<_> =
            (0..1_500).map(|n| Request { first: Sequence::new(n as u64 / 3), ..request(n) }).collect();
        requests.iter().for_each(|request| window.push(*request, 0));
        let before = window.requests();
        for n in [0, 700, 1_497, 1_498, 1_499] {
            window.push(requests[n], 5_000_000);
        }
        assert_eq!(window.requests(), before);
    }

    #[test]
    fn a_restored_window_finds_and_judges_as_the_one_before() {
        let mut before = window(100);
        (0..3_000).for_each(|n| before.push(request(n), n as i64 * SECOND));
        let mut after = window(100);
        after.restore(before.requests());
        for window in [&mut before, &mut after] {
            window.push(request(2_999), 0);
            (3_000..9_000).for_each(|n| window.push(request(n), n as i64 * SECOND));
        }
        for n in 0..9_000 {
            assert_eq!(before.get(request(n).id), after.get(request(n).id), "{n}");
        }
        let judged = |window: &Window| window.judge(request(0).id, 9_000 * SECOND);
        assert!(judged(&before).is_err());
        assert_eq!(judged(&before), judged(&after));
    }

    #[test]
    fn every_id_is_new_until_one_was_dropped_but_those_from_the_future() {
        let mut window = window(CHUNK_REQUESTS);
        (0..CHUNK_REQUESTS).for_each(|n| window.push(request(n), n as i64 * SECOND));
        let now = CHUNK_REQUESTS as i64 * SECOND;
        for id in [RequestId::from_name("new"), made_at(0), made_at(now), made_at(now + 5 * SECOND)] {
            assert_eq!(window.judge(id, now), Ok(()), "{id}");
        }
        let ahead = window.judge(made_at(now + 6 * SECOND), now);
        assert_eq!(ahead, Err(Doubt::Ahead { micros: 6 * SECOND }));
    }

    #[test]
    fn once_ids_were_dropped_only_time_tells_that_an_id_is_new() {
        let mut window = window(CHUNK_REQUESTS);
        (0..2 * CHUNK_REQUESTS).for_each(|n| window.push(request(n), n as i64 * SECOND));
        let (dropped_through, now) = ((CHUNK_REQUESTS as i64 - 1) * SECOND, 2_048 * SECOND);
        let judged_after = dropped_through + 5 * SECOND;
        let old = Err(Doubt::Old { judged_after: Timestamp::from_micros(judged_after) });
        assert_eq!(window.judge(RequestId::from_name("new"), now), old, "it carries no time");
        assert_eq!(window.judge(made_at(judged_after), now), old);
        assert_eq!(window.judge(made_at(judged_after + 1_000), now), Ok(()));
    }

    /// Whatever the clocks did: an id that the window lets be used, and that it drops later, is never called new again.
    #[test]
    fn what_was_used_and_dropped_is_never_new_again() {
        let mut window = window(1);
        let (mut used, mut log_time) = (Vec::new(), 0);
        for n in 0..20_000_i64 {
            // Clients are up to six seconds ahead, and up to an hour behind; the log's clock jumps back now and then.
            let clock = n * 20_000 - if n % 700 > 350 { 30 * SECOND } else { 0 };
            let now = log_time.max(clock);
            let id =
                made_at((now + (n * 7_919 % 12_000 - 6_000) * 1_000 - n % 5 / 4 * 3_600 * SECOND).max(n));
            if window.get(id).is_none() && window.judge(id, now).is_ok() {
                assert!(!used.contains(&id), "{id} was used before");
                let first = Sequence::new(n as u64 + 1);
                window.push(Request { id, first }, now);
                used.push(id);
                log_time = now;
            }
        }
        assert!(window.dropped > 5_000, "{}", window.dropped);
        for id in used {
            let is_new = window.get(id).is_none() && window.judge(id, log_time).is_ok();
            assert!(!is_new, "{id}");
        }
    }
}
