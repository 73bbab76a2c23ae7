//! Entries in the order of their last use, so that the one unused for longest goes first.

use std::collections::VecDeque;

/// The most recently used entry comes first.
pub(crate) struct Recency<T>(VecDeque<T>);

impl<T> Default for Recency<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Recency<T> {
    /// Uses the first entry that is wanted.
    pub(crate) fn touch(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<&T> {
        let at = self.0.iter().position(is_wanted)?;
        let entry = self.0.remove(at)?;
        self.0.push_front(entry);
        self.0.front()
    }

    /// Looks at the first entry that is wanted, without using it.
    pub(crate) fn find(&self, is_wanted: impl Fn(&T) -> bool) -> Option<&T> {
        self.0.iter().find(|entry| is_wanted(entry))
    }

    /// Adds an entry, just used, in place of those that it replaces.
    pub(crate) fn put(&mut self, entry: T, is_replaced: impl Fn(&T) -> bool) {
        self.forget(is_replaced);
        self.0.push_front(entry);
    }

    pub(crate) fn forget(&mut self, is_gone: impl Fn(&T) -> bool) {
        self.0.retain(|entry| !is_gone(entry));
    }

    /// Keeps as many entries.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.0.truncate(count);
    }

    /// Takes from entries what they weigh, where they and those used later together weigh more than this.
    pub(crate) fn lighten<W>(
        &mut self,
        weight_max: u64,
        weight: impl Fn(&T) -> u64,
        mut take: impl FnMut(&mut T) -> Option<W>,
    ) -> Vec<W> {
        let mut total = 0;
        let mut taken = Vec::new();
        for entry in &mut self.0 {
            total += weight(entry);
            if total > weight_max {
                taken.extend(take(entry));
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entries: &[u64]) -> Recency<u64> {
        let mut recency = Recency::default();
        entries.iter().for_each(|entry| recency.put(*entry, |_| false));
        recency
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut recency = filled(&[1, 2, 3, 4]);
        assert_eq!(recency.touch(|entry| *entry == 2), Some(&2));
        assert_eq!(recency.find(|entry| *entry < 3), Some(&2));
        assert_eq!(recency.touch(|entry| *entry == 9), None);
        recency.truncate(3);
        assert_eq!(Vec::from(recency.0), [2, 4, 3]);
    }

    #[test]
    fn a_new_entry_replaces_the_one_before() {
        let mut recency = filled(&[10, 20, 11]);
        recency.put(12, |entry| entry / 10 == 1);
        assert_eq!(Vec::from(recency.0), [12, 20]);
    }

    #[test]
    fn what_is_too_heavy_gives_up_its_weight() {
        let mut recency = filled(&[5, 5, 5]);
        let taken = recency.lighten(10, |entry| *entry, |entry| Some(std::mem::take(entry)));
        assert_eq!((taken, Vec::from(recency.0)), (vec![5], vec![5, 5, 0]));
    }
}
