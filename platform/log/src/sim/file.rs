//! One simulated file: what processes see of it (the page cache) and what is on the platter.
//!
//! * A write changes the cache at once. Each sector it touches is *pending* until a sync, and a crash may leave
//!   any of the states that the sector went through since: the durable one, any written one, or a tear between
//!   two of them. A tear keeps every byte in which the two agree: that is what is assumed of the medium.
//! * The length is pending on its own: a crash may keep the length without the bytes (they are then zeros) or
//!   the bytes without the length (they are then out of reach).
//! * A failed sync brings some of the pending sectors to the platter and forgets about the rest: they stay
//!   readable in the cache, and no later sync writes them. Lengths are journalled by real file systems, so
//!   they stay pending.

use super::random::Random;
use std::{collections::BTreeMap, sync::Arc};

/// The unit in which unsynced bytes survive.
pub(crate) const SECTOR_BYTES: usize = 512;

type Sector = [u8; SECTOR_BYTES];

#[derive(Clone, Debug, Default)]
pub(crate) struct SimFile {
    cached: Arc<Vec<u8>>,
    /// May reach beyond `platter_len` when a sector got there and the length did not.
    platter: Arc<Vec<u8>>,
    platter_len: usize,
    /// What each unsynced sector contained after each write to it.
    pending: BTreeMap<usize, Vec<Arc<Sector>>>,
    /// The lengths that the file had since the last sync.
    pending_lengths: Vec<usize>,
    /// How many of its sectors were ever written: those occupy space.
    allocated: Vec<bool>,
}

impl SimFile {
    /// A file of which everything is durable.
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        Self::settled(Arc::new(bytes))
    }

    fn settled(bytes: Arc<Vec<u8>>) -> Self {
        let platter_len = bytes.len();
        let allocated = vec![true; platter_len.div_ceil(SECTOR_BYTES)];
        Self { cached: bytes.clone(), platter: bytes, platter_len, allocated, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.cached.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.cached
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: usize) -> usize {
        let rest = self.cached.get(offset..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..read), rest.get(..read)) {
            to.copy_from_slice(from);
        }
        read
    }

    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset.saturating_add(bytes.len());
        if end > self.len() {
            self.set_len(end);
        }
        if let Some(to) = Arc::make_mut(&mut self.cached).get_mut(offset..end) {
            to.copy_from_slice(bytes);
        }
        for sector in sectors(offset, end) {
            self.note(sector);
            self.allocate(sector);
        }
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        let before = self.len();
        Arc::make_mut(&mut self.cached).resize(len, 0);
        self.pending_lengths.push(len);
        // A cut changes what the last sector ends in, and growing again must find zeros, not what was cut off.
        let changed = if len < before {
            sectors(len, len.next_multiple_of(SECTOR_BYTES))
        } else {
            sectors(before, len)
        };
        for sector in changed {
            if sector * SECTOR_BYTES < self.platter.len() || self.pending.contains_key(&sector) {
                self.note(sector);
            }
        }
        self.allocated.truncate(len.div_ceil(SECTOR_BYTES));
    }

    /// How many sectors a write of `len` bytes at `offset` would newly occupy.
    pub(crate) fn sectors_needed(&self, offset: usize, len: usize) -> usize {
        sectors(offset, offset.saturating_add(len))
            .filter(|&at| self.allocated.get(at) != Some(&true))
            .count()
    }

    pub(crate) fn sectors_allocated(&self) -> usize {
        self.allocated.iter().filter(|used| **used).count()
    }

    pub(crate) fn sync(&mut self) {
        if self.pending.is_empty() && self.pending_lengths.is_empty() {
            return;
        }
        let newest: Vec<_> = std::mem::take(&mut self.pending)
            .into_iter()
            .filter_map(|(sector, mut states)| Some((sector, states.pop()?)))
            .collect();
        let platter = Arc::make_mut(&mut self.platter);
        newest.iter().for_each(|(sector, content)| put(platter, *sector, content));
        platter.resize(self.cached.len(), 0);
        self.platter_len = self.cached.len();
        self.pending_lengths.clear();
    }

    /// The sync fails: some sectors got through, the others are clean and readable all the same.
    pub(crate) fn fail_sync(&mut self, random: &mut Random) {
        let platter = Arc::make_mut(&mut self.platter);
        for (sector, states) in std::mem::take(&mut self.pending) {
            if let Some(content) = states.last().filter(|_| random.chance(1, 2)) {
                put(platter, sector, content);
            }
        }
    }

    /// The file after a crash that nothing unsynced survived.
    pub(crate) fn oldest_survivor(&self) -> Self {
        if self.platter.len() == self.platter_len {
            return Self::settled(self.platter.clone());
        }
        let mut bytes = self.platter.to_vec();
        bytes.resize(self.platter_len, 0);
        Self::durable(bytes)
    }

    /// The file after a crash that everything survived which could still be synced.
    pub(crate) fn newest_survivor(&self) -> Self {
        let mut file = self.clone();
        file.sync();
        file.oldest_survivor()
    }

    /// The file after a crash, one of all the possibilities; an unsynced sector survives `parts` times in 8.
    pub(crate) fn random_survivor(&self, random: &mut Random, parts: u64) -> Self {
        if self.pending.is_empty() && self.pending_lengths.is_empty() {
            return self.oldest_survivor();
        }
        let mut bytes = self.platter.to_vec();
        for (&sector, states) in &self.pending {
            if random.chance(parts, 8) {
                survive(&mut bytes, sector, states, random);
            }
        }
        bytes.resize(self.surviving_len(random), 0);
        Self::durable(bytes)
    }

    fn surviving_len(&self, random: &mut Random) -> usize {
        // The newest length is as likely as all others together, or a file that grew often would never keep it.
        let any = self.pending_lengths.get(random.index(self.pending_lengths.len()));
        let kept = if random.chance(1, 2) { self.pending_lengths.last() } else { any };
        kept.copied().filter(|_| random.chance(3, 4)).unwrap_or(self.platter_len)
    }

    fn allocate(&mut self, sector: usize) {
        if self.allocated.len() <= sector {
            self.allocated.resize(sector + 1, false);
        }
        if let Some(used) = self.allocated.get_mut(sector) {
            *used = true;
        }
    }

    fn note(&mut self, sector: usize) {
        let mut content = [0; SECTOR_BYTES];
        self.read_at(&mut content, sector * SECTOR_BYTES);
        self.pending.entry(sector).or_default().push(Arc::new(content));
    }
}

/// Lets one of the states of a pending sector survive, now and then torn.
fn survive(bytes: &mut Vec<u8>, sector: usize, states: &[Arc<Sector>], random: &mut Random) {
    let Some(state) = states.get(random.index(states.len())) else {
        return;
    };
    if !random.chance(1, 8) {
        return put(bytes, sector, state);
    }
    let (torn, kept) = (random.index(SECTOR_BYTES), bytes.get(sector * SECTOR_BYTES..).unwrap_or_default());
    let mut content = **state;
    let old = kept.iter().copied().chain(std::iter::repeat(0));
    content.iter_mut().zip(old).skip(torn).for_each(|(byte, old)| *byte = old);
    put(bytes, sector, &content);
}

fn put(bytes: &mut Vec<u8>, sector: usize, content: &Sector) {
    let (from, to) = (sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    if let Some(place) = bytes.get_mut(from..to) {
        place.copy_from_slice(content);
    }
}

fn sectors(from: usize, to: usize) -> std::ops::Range<usize> {
    if from >= to { 0..0 } else { from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> SimFile {
        SimFile::durable(bytes.to_vec())
    }

    fn survivor(file: &SimFile, seed: u64, parts: u64) -> Vec<u8> {
        file.random_survivor(&mut Random::new(seed), parts).bytes().to_vec()
    }

    #[test]
    fn unsynced_bytes_are_seen_at_once_and_durable_only_after_the_sync() {
        let mut file = file(&[1; 1024]);
        file.write_at(&[2; 10], 600);
        assert_eq!(file.bytes()[600..610], [2; 10]);
        assert_eq!(file.oldest_survivor().bytes(), [1; 1024]);
        assert_eq!(file.newest_survivor().bytes()[600..610], [2; 10]);
        file.sync();
        assert_eq!(file.oldest_survivor().bytes()[600..610], [2; 10]);
    }

    #[test]
    fn any_subset_of_unsynced_sectors_can_survive_and_synced_bytes_always_do() {
        let mut file = file(&[1; 4 * SECTOR_BYTES]);
        file.write_at(&[2; 3 * SECTOR_BYTES], SECTOR_BYTES);
        let mut seen = std::collections::HashSet::new();
        for seed in 0..500 {
            let left = survivor(&file, seed, 4);
            assert_eq!(left[..SECTOR_BYTES], [1; SECTOR_BYTES], "never touched");
            seen.insert([1, 2, 3].map(|sector| left[sector * SECTOR_BYTES] == 2));
        }
        assert_eq!(seen.len(), 8, "every subset of three sectors");
    }

    #[test]
    fn an_overwritten_sector_can_survive_in_each_state_it_went_through() {
        let mut file = file(&[1; SECTOR_BYTES]);
        file.write_at(&[2; SECTOR_BYTES], 0);
        file.write_at(&[3; SECTOR_BYTES], 0);
        let states: std::collections::BTreeSet<u8> =
            (0..200).map(|seed| survivor(&file, seed, 4)[0]).collect();
        assert_eq!(states, [1, 2, 3].into());
    }

    #[test]
    fn a_torn_sector_keeps_the_bytes_that_were_not_changed() {
        let mut file = file(&[1; SECTOR_BYTES]);
        file.write_at(&[2; 100], 200);
        let mut torn = 0;
        for seed in 0..500 {
            let left = survivor(&file, seed, 8);
            assert_eq!(left[..200], [1; 200]);
            assert_eq!(left[300..], [1; 212]);
            torn += usize::from(left[200] != left[299]);
        }
        assert!(torn > 0);
    }

    #[test]
    fn length_and_bytes_survive_independently() {
        let mut file = SimFile::default();
        file.write_at(&[7; 700], 0);
        let left: Vec<_> = (0..200).map(|seed| survivor(&file, seed, 4)).collect();
        assert!(left.iter().any(|bytes| bytes.is_empty()), "neither");
        assert!(left.iter().any(|bytes| bytes.len() == 700 && bytes[0] == 0), "the length without the bytes");
        assert!(left.iter().any(|bytes| bytes.len() == 700 && bytes[0] == 7));
        file.sync();
        assert_eq!(file.oldest_survivor().bytes(), [7; 700]);
    }

    #[test]
    fn after_a_failed_sync_bytes_are_readable_but_no_later_sync_saves_them() {
        let mut lost = 0;
        for seed in 0..50 {
            let mut file = file(&[1; SECTOR_BYTES]);
            file.write_at(&[2; SECTOR_BYTES], 0);
            file.fail_sync(&mut Random::new(seed));
            file.sync();
            assert_eq!(file.bytes(), [2; SECTOR_BYTES], "the cache says that all is well");
            lost += usize::from(file.newest_survivor().bytes() == [1; SECTOR_BYTES]);
            file.write_at(&[2; SECTOR_BYTES], 0);
            file.sync();
            assert_eq!(file.oldest_survivor().bytes(), [2; SECTOR_BYTES], "writing again helps");
        }
        assert!((10..40).contains(&lost), "about half of the sectors are lost, not {lost} of 50");
    }

    #[test]
    fn a_file_that_was_cut_and_grew_again_reads_zeros_there() {
        let mut file = file(&[9; 1024]);
        file.set_len(100);
        file.set_len(1024);
        assert_eq!(file.bytes()[100..], [0; 924]);
        file.sync();
        assert_eq!(file.oldest_survivor().bytes()[100..], [0; 924]);
        assert_eq!(file.oldest_survivor().bytes()[..100], [9; 100]);
    }

    #[test]
    fn only_written_sectors_take_space() {
        let mut file = SimFile::default();
        file.set_len(4096);
        assert_eq!((file.sectors_allocated(), file.sectors_needed(500, 100)), (0, 2));
        file.write_at(&[0; 100], 500);
        assert_eq!((file.sectors_allocated(), file.sectors_needed(500, 100)), (2, 0));
    }
}
