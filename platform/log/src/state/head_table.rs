//! A hash table of heads that stays full: 37 to 46 bytes a stream, of which 32 are the head itself.
//!
//! What always holds:
//!
//! * The heads stand in the order of their hashes, each at its home or after it with no empty place between; so a
//!   search ends at the first empty place or greater hash, and stays short in a table that is seven eighths full.
//! * Memory comes in chunks of one size, which the table gives back one by one while it grows, so that growing does not take
//!   the memory of a second table, also not in the allocator.

use crate::num::{to_u64, to_usize};
use crate::state::heads::{Head, Note, StreamHash};
use annals_event::Version;

/// 4 KiB.
const CHUNK_HEADS: usize = 128;
const EMPTY: Head = Head { stream: StreamHash(0), version: Version::ZERO, note: Note([0; 2]) };
const HOMES_MIN: usize = 8;

type Chunk = Box<[Head]>;

#[derive(Default)]
pub(crate) struct HeadTable {
    chunks: Vec<Chunk>,
    /// How many homes there are; what is pushed beyond the last one stands after it.
    homes: usize,
    heads: usize,
}

/// Where a head is, or where it would have to be.
enum Place {
    Held(usize),
    Free(usize),
}

impl HeadTable {
    pub(crate) fn get(&self, stream: StreamHash) -> Option<&Head> {
        match self.find(stream) {
            Place::Held(at) => self.at(at),
            Place::Free(_) => None,
        }
    }

    pub(crate) fn get_mut(&mut self, stream: StreamHash) -> Option<&mut Head> {
        match self.find(stream) {
            Place::Held(at) => self.at_mut(at),
            Place::Free(_) => None,
        }
    }

    /// Puts the head of a stream that is not here, or another one of a stream that is.
    pub(crate) fn put(&mut self, head: Head) {
        if is_full(self.heads + 1, self.homes) {
            // By a quarter, not twofold: the table is never less than two thirds full.
            self.grow(self.homes + self.homes / 4);
        }
        match self.find(head.stream) {
            Place::Held(at) => self.set(at, head),
            Place::Free(at) => self.insert(at, head),
        }
    }

    /// Makes room for `heads` more.
    pub(crate) fn reserve(&mut self, heads: usize) {
        let homes = homes_for(self.heads + heads);
        if homes > self.homes {
            self.grow(homes);
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.heads
    }

    /// The heads after that of `last` in the table's order, which stays what it is while the table grows; `None`: all.
    pub(crate) fn after(&self, last: Option<StreamHash>) -> impl Iterator<Item = &Head> {
        let from = match last.map(|last| self.find(last)) {
            Some(Place::Held(at)) => at + 1,
            Some(Place::Free(at)) => at,
            None => 0,
        };
        (from..).map_while(|at| self.at(at)).filter(|head| !is_empty(head))
    }

    fn find(&self, stream: StreamHash) -> Place {
        let order = order(stream);
        let mut at = home(stream, self.homes);
        loop {
            match self.at(at) {
                Some(held) if held.stream == stream && !is_empty(held) => return Place::Held(at),
                Some(held) if !is_empty(held) && self::order(held.stream) < order => at += 1,
                _ => return Place::Free(at),
            }
        }
    }

    /// Puts the head at `at` and moves those after it on, up to the first empty place.
    fn insert(&mut self, mut at: usize, mut head: Head) {
        self.heads += 1;
        while !is_empty(&head) {
            let Some(place) = self.make_at(at) else { return };
            std::mem::swap(place, &mut head);
            at += 1;
        }
    }

    fn grow(&mut self, homes: usize) {
        let old = std::mem::take(&mut self.chunks);
        self.homes = homes.max(HOMES_MIN);
        let mut next = 0;
        for chunk in old {
            for head in chunk.into_iter().filter(|head| !is_empty(head)) {
                let at = home(head.stream, self.homes).max(next);
                self.set(at, head);
                next = at + 1;
            }
        }
    }

    fn at(&self, at: usize) -> Option<&Head> {
        self.chunks.get(at / CHUNK_HEADS)?.get(at % CHUNK_HEADS)
    }
    fn at_mut(&mut self, at: usize) -> Option<&mut Head> {
        self.chunks.get_mut(at / CHUNK_HEADS)?.get_mut(at % CHUNK_HEADS)
    }
    fn set(&mut self, at: usize, head: Head) {
        if let Some(place) = self.make_at(at) {
            *place = head;
        }
    }

    /// The place at `at`, made if need be.
    fn make_at(&mut self, at: usize) -> Option<&mut Head> {
        while self.chunks.len() <= at / CHUNK_HEADS {
            self.chunks.push(vec![EMPTY; CHUNK_HEADS].into_boxed_slice());
        }
        self.at_mut(at)
    }
}

fn is_empty(head: &Head) -> bool {
    head.version == Version::ZERO
}

fn is_full(heads: usize, homes: usize) -> bool {
    heads * 8 > homes * 7
}

/// So many that the table is three quarters full: it can grow by a sixth as it is.
fn homes_for(heads: usize) -> usize {
    heads + heads / 3
}

/// The order of hashes in the table: by the half that says where home is.
fn order(stream: StreamHash) -> u128 {
    stream.0.rotate_left(64)
}

/// Where the stream belongs: homes lie in the order of the hashes.
fn home(stream: StreamHash, homes: usize) -> usize {
    let low = stream.0 & u128::from(u64::MAX);
    to_usize(u64::try_from((low * u128::from(to_u64(homes))) >> 64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn head(stream: u128, version: u64) -> Head {
        Head { stream: StreamHash(stream), version: Version::new(version), ..EMPTY }
    }

    fn held(table: &HeadTable) -> BTreeMap<u128, u64> {
        table.after(None).map(|head| (head.stream.0, head.version.get())).collect()
    }

    proptest! {
        /// Hashes that meet at a few homes, at both ends of the table.
        #[test]
        fn what_was_put_is_found(
            puts in prop::collection::vec((0_u64..40, any::<bool>(), 0_u64..3, 1_u64..9), 0..400),
            reserved in 0_usize..200,
        ) {
            let (mut table, mut model) = (HeadTable::default(), BTreeMap::new());
            table.reserve(reserved);
            for (low, high_end, high, version) in puts {
                let low = if high_end { u64::MAX - low } else { low << 57 };
                let stream = u128::from(high) << 64 | u128::from(low);
                table.put(head(stream, version));
                model.insert(stream, version);
                prop_assert_eq!(table.get(StreamHash(stream)).map(|head| head.version.get()), Some(version));
            }
            prop_assert_eq!(table.after(None).count(), model.len());
            prop_assert_eq!(held(&table), model.clone());
            for stream in model.keys() {
                prop_assert_eq!(table.get_mut(StreamHash(*stream)).map(|head| head.stream.0), Some(*stream));
                let other = StreamHash(stream ^ 1 << 100);
                prop_assert_eq!(table.get(other).is_some(), model.contains_key(&other.0));
            }
        }
    }

    #[test]
    fn heads_listed_in_steps_are_complete_and_unique_while_the_table_grows() {
        let mut table = HeadTable::default();
        let hash = |n: u128| (n + 1).wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645);
        (0..1_000).for_each(|n| table.put(head(hash(n), 1)));
        let (mut seen, mut last) = (Vec::new(), None);
        for n in 1_000.. {
            let step: Vec<Head> = table.after(last).take(7).copied().collect();
            let Some(end) = step.last() else { break };
            last = Some(end.stream);
            seen.extend(step.iter().map(|head| head.stream.0));
            (0..20).for_each(|more| table.put(head(hash(n * 20 + more), 1)));
        }
        let steps = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), steps, "none twice");
        assert!((0..1_000).all(|n| seen.binary_search(&hash(n)).is_ok()), "none missed");
    }

    #[test]
    fn a_table_of_any_size_takes_at_most_48_bytes_a_stream() {
        let mut table = HeadTable::default();
        let mut hash = 1_u128;
        for count in 1..100_000 {
            hash = hash.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(12345);
            table.put(head(hash.rotate_left(64), 1));
            let bytes = table.chunks.len() * CHUNK_HEADS * size_of::<Head>();
            assert!(count < 5_000 || bytes / count <= 48, "{bytes} bytes for {count} streams");
        }
    }
}
