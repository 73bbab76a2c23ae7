use annals_event::{EventId, Sequence};
use xxhash_rust::xxh3::xxh3_128;

/// How many events, and the wrapping sum of a hash of each one's sequence number and id.
///
/// Two tallies over one range are equal when no event was skipped or counted twice; the order does not matter,
/// so ranges can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many events.
    pub count: u64,
    /// The sum of their hashes.
    pub sum: u128,
}

impl Tally {
    /// No event.
    pub const NONE: Self = Self { count: 0, sum: 0 };

    /// Counts one event.
    pub fn add(&mut self, sequence: Sequence, id: EventId) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(sequence, id));
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { count: self.count.wrapping_add(other.count), sum: self.sum.wrapping_add(other.sum) }
    }

    /// The sum as it is stored: big-endian.
    pub fn sum_bytes(&self) -> Vec<u8> {
        self.sum.to_be_bytes().to_vec()
    }
}

/// XXH3 (128 bits) of the sequence number, little-endian, and the id's 16 bytes. Stored sums depend on it.
fn hash(sequence: Sequence, id: EventId) -> u128 {
    let mut bytes = [0; 24];
    let (place, name) = bytes.split_at_mut(8);
    place.copy_from_slice(&sequence.get().to_le_bytes());
    name.copy_from_slice(id.as_bytes());
    xxh3_128(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_sum_never_changes() {
        let mut tally = Tally::NONE;
        tally.add(Sequence::new(1), EventId::from_name("a"));
        tally.add(Sequence::new(7), EventId::from_name("b"));
        assert_eq!(tally.count, 2);
        assert_eq!(format!("{:032x}", tally.sum), "f4f4ebd51adc0f1ce798084da1d94d7c");
    }

    #[test]
    fn a_skipped_a_doubled_and_a_moved_event_each_show() {
        let of = |places: &[u64]| {
            let mut tally = Tally::NONE;
            places.iter().for_each(|&at| tally.add(Sequence::new(at), EventId::from_name("x")));
            tally
        };
        assert_eq!(of(&[1, 2, 3]), of(&[3]).plus(of(&[2, 1])));
        assert_ne!(of(&[1, 2, 3]), of(&[1, 3]));
        assert_ne!(of(&[1, 2, 3]), of(&[1, 2, 2]));
        assert_ne!(of(&[1, 2]), of(&[1, 3]));
    }
}
