//! What the closures of a handler may return. The traits have no names outside this crate, so nobody else implements
//! them.

use crate::projection::ApplyError;
use std::{collections::HashSet, hash::Hash};

/// What a key closure returns: one key, an `Option` of one, or a `Vec` of any number.
#[diagnostic::on_unimplemented(
    message = "a key closure returns `{K}`, `Option<{K}>` or `Vec<{K}>`, not `{Self}`",
    label = "this is no key of the table or lookup"
)]
pub trait Keys<K> {
    /// Gives each key once, in their order.
    fn each(self, take: impl FnMut(K));
}

impl<K> Keys<K> for K {
    fn each(self, mut take: impl FnMut(K)) {
        take(self);
    }
}

impl<K> Keys<K> for Option<K> {
    fn each(self, take: impl FnMut(K)) {
        self.into_iter().for_each(take);
    }
}

impl<K: Eq + Hash> Keys<K> for Vec<K> {
    fn each(self, take: impl FnMut(K)) {
        // Nearly always one key: a set would cost more than it saves.
        let keys = if self.len() > 1 { without_repeats(self) } else { self };
        keys.into_iter().for_each(take);
    }
}

/// Each key where it stands first.
fn without_repeats<K: Eq + Hash>(mut keys: Vec<K>) -> Vec<K> {
    let mut seen = HashSet::with_capacity(keys.len());
    let is_first: Vec<bool> = keys.iter().map(|key| seen.insert(key)).collect();
    let mut is_first = is_first.into_iter();
    keys.retain(|_| is_first.next().unwrap_or(false));
    keys
}

/// What a closure returns that makes a `T`: that, or why the event cannot be applied.
#[diagnostic::on_unimplemented(
    message = "this closure returns `{T}` or `Result<{T}, ApplyError>`, not `{Self}`",
    label = "this is neither"
)]
pub trait Outcome<T> {
    /// The same as a result.
    fn outcome(self) -> Result<T, ApplyError>;
}

impl<T> Outcome<T> for T {
    fn outcome(self) -> Result<T, ApplyError> {
        Ok(self)
    }
}

impl<T> Outcome<T> for Result<T, ApplyError> {
    fn outcome(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        hash::Hasher,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// A key that counts how often one is compared with another.
    #[derive(Clone)]
    struct Counted<'a>(usize, &'a AtomicUsize);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0 == other.0
        }
    }
    impl Eq for Counted<'_> {}
    impl Hash for Counted<'_> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    #[test]
    fn of_80_000_keys_each_is_kept_once_with_no_more_comparisons_than_keys() {
        const KEYS: usize = 80_000;
        let compared = AtomicUsize::new(0);
        let keys = (0..KEYS).map(|at| Counted(at * 7 % (KEYS / 2), &compared)).collect();
        let kept: Vec<usize> = without_repeats(keys).into_iter().map(|key| key.0).collect();
        assert_eq!(kept, (0..KEYS / 2).map(|at| at * 7 % (KEYS / 2)).collect::<Vec<_>>());
        let compared = compared.into_inner();
        assert!(compared <= 2 * KEYS, "{compared} comparisons of {KEYS} keys");
    }

    #[test]
    fn a_key_closure_gives_one_key_or_none_or_each_of_several_once() {
        let given = |keys: Vec<u64>| -> Vec<u64> {
            let mut given = Vec::new();
            Keys::<u64>::each(keys, |key| given.push(key));
            given
        };
        assert_eq!(given(vec![2, 1, 2]), [2, 1]);
        let mut given = Vec::new();
        Keys::<u64>::each(3, |key| given.push(key));
        Keys::<u64>::each(None::<u64>, |key| given.push(key));
        Keys::<u64>::each(Some(4), |key| given.push(key));
        assert_eq!(given, [3, 4]);
    }
}
