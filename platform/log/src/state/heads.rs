//! Where every stream is: 32 bytes a stream in hash tables, at most 48 with their empty places.
//!
//! What always holds: a stream's hash is 128 bits of a hash that is keyed by the log's secret, so nobody can choose
//! names that meet; and a head is only ever moved forward.

use crate::state::head_table::HeadTable;
use annals_event::{StreamName, Version};
use parking_lot::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A stream's name, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamHash(pub(crate) u128);

impl StreamHash {
    /// For hash tables: it is as good a hash as any.
    pub(crate) fn table_hash(self) -> u64 {
        u64::try_from(self.0 & u128::from(u64::MAX)).unwrap_or(0)
    }
}

/// Hashes the names of one log's streams.
#[derive(Clone)]
pub(crate) struct StreamHasher {
    key: [u8; 32],
}

impl StreamHasher {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }
    pub(crate) fn hash(&self, stream: &str) -> StreamHash {
        let hash = blake3::keyed_hash(&self.key, stream.as_bytes());
        StreamHash(crate::num::u128_at(hash.as_bytes(), 0))
    }
    pub(crate) fn hash_name(&self, stream: &StreamName) -> StreamHash {
        self.hash(stream.as_str())
    }
}

/// What the ledger keeps beside a head, in its own words: nothing here reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note(pub(crate) [u32; 2]);

/// Where one stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stream: StreamHash,
    pub(crate) version: Version,
    pub(crate) note: Note,
}

/// Shards, so that whoever looks at one head waits for few others; and a table that grows is a small one.
const SHARDS: usize = 64;

/// How many heads are copied while a shard is locked, 32 bytes each.
const STEP_HEADS: usize = 2_048;

pub(crate) struct Heads {
    shards: Vec<RwLock<HeadTable>>,
    /// How many there are, so that asking takes no lock.
    streams: AtomicUsize,
}

impl Heads {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), streams: AtomicUsize::new(0) }
    }

    pub(crate) fn get(&self, stream: StreamHash) -> Option<Head> {
        self.shard(stream)?.read().get(stream).copied()
    }

    pub(crate) fn version(&self, stream: StreamHash) -> Version {
        self.get(stream).map_or(Version::ZERO, |head| head.version)
    }

    /// Moves the stream to `version`, unless it is there or further, and asks `note` for the ledger's note on it, given
    /// the head if there is one; returns the head.
    pub(crate) fn advance(
        &self,
        stream: StreamHash,
        version: Version,
        note: impl FnOnce(Option<&Head>) -> Note,
    ) -> Head {
        let moved = |head: Option<&Head>| Head {
            stream,
            version: head.map_or(version, |head| head.version.max(version)),
            note: note(head),
        };
        let Some(shard) = self.shard(stream) else { return moved(None) };
        let mut shard = shard.write();
        if let Some(head) = shard.get_mut(stream) {
            *head = moved(Some(head));
            return *head;
        }
        let head = moved(None);
        shard.put(head);
        self.streams.fetch_add(1, Ordering::Relaxed);
        head
    }

    /// Puts a head that was read from a checkpoint.
    pub(crate) fn restore(&self, head: Head) {
        if let Some(shard) = self.shard(head.stream) {
            let mut shard = shard.write();
            let before = shard.len();
            shard.put(head);
            self.streams.fetch_add(shard.len() - before, Ordering::Relaxed);
        }
    }

    /// Makes room for `streams` more.
    pub(crate) fn reserve(&self, streams: usize) {
        for shard in &self.shards {
            shard.write().reserve(streams.div_ceil(SHARDS));
        }
    }

    /// How many streams there are.
    pub(crate) fn len(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Calls `visit` for each head. Heads may move forward meanwhile: no lock is held for longer than it takes to copy a
    /// few of them.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Head)) {
        let mut step: Vec<Head> = Vec::with_capacity(STEP_HEADS);
        for shard in &self.shards {
            let mut last = None;
            loop {
                step.clear();
                step.extend(shard.read().after(last).take(STEP_HEADS));
                step.iter().for_each(&mut visit);
                last = step.last().map(|head| head.stream);
                if last.is_none() {
                    break;
                }
            }
        }
    }

    fn shard(&self, stream: StreamHash) -> Option<&RwLock<HeadTable>> {
        self.shards.get(crate::num::to_usize(high(stream)) % SHARDS)
    }
}

fn high(stream: StreamHash) -> u64 {
    u64::try_from(stream.0 >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_moves_forward_only_and_each_stream_is_counted_once() {
        let (heads, stream) = (Heads::new(), StreamHash(7));
        assert_eq!(heads.version(stream), Version::ZERO);
        let noted = [(1, 1), (3, 2), (2, 3), (4, 4)].map(|(version, count)| {
            let moved = heads.advance(stream, Version::new(version), |head| {
                Note(head.map_or([1, 0], |Head { note: Note([held, _]), .. }| [held + 1, 0]))
            });
            assert_eq!(moved.note, Note([count, 0]), "the note is handed over each time");
            heads.get(stream)
        });
        assert_eq!(noted.map(|head| head.unwrap().version.get()), [1, 3, 3, 4]);
        for (stream, streams) in [(7, 1), (8, 2), (8, 2)] {
            heads.restore(Head { stream: StreamHash(stream), version: Version::new(4), note: Note([5, 0]) });
            assert_eq!(heads.len(), streams);
        }
    }

    #[test]
    fn names_are_hashed_with_the_logs_key() {
        let [one, other] = [1, 2].map(|key| StreamHasher::new([key; 32]));
        assert_ne!(one.hash("a"), other.hash("a"));
        assert_ne!(one.hash("a"), one.hash("b"));
        assert_eq!(one.hash("a"), StreamHasher::new([1; 32]).hash("a"));
    }

    #[test]
    fn a_head_takes_32_bytes() {
        assert_eq!(size_of::<Head>(), 32);
    }
}
