/// When snapshots are taken by themselves, and how many are kept.
///
/// One is due when *both* hold: `every_events` events were applied since the last one, and they are at least
/// `growth_percent` of those in it. A snapshot copies all rows, so without the second a log ten times as long would cost
/// a hundred times the work. With it each snapshot is larger than the one before by that share, and all of them together
/// copy no more than `1 + 100 / growth_percent` times what the last one copies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotPolicy {
    /// After so many applied events, at least.
    pub every_events: u64,
    /// After so many applied events in a hundred of those in the last one, at least; 0: however few they are.
    pub growth_percent: u32,
    /// How many of the newest are kept.
    pub keep: usize,
}

impl SnapshotPolicy {
    /// How many snapshots are kept when nobody says otherwise.
    pub const KEEP_DEFAULT: usize = 5;
    /// By how much a generation grows between two snapshots when nobody says otherwise: all snapshots together cost
    /// five times the last one.
    pub const GROWTH_PERCENT_DEFAULT: u32 = 25;

    /// A snapshot after every `events` applied events, and further apart once the log is long.
    pub const fn every(events: u64) -> Self {
        let growth_percent = Self::GROWTH_PERCENT_DEFAULT;
        Self { every_events: events, growth_percent, keep: Self::KEEP_DEFAULT }
    }
    /// Takes none before so many events in a hundred of those in the last one were applied.
    #[must_use]
    pub const fn growth_percent(self, growth_percent: u32) -> Self {
        Self { growth_percent, ..self }
    }
    /// Keeps so many of the newest; at least one.
    #[must_use]
    pub const fn keep(self, keep: usize) -> Self {
        Self { keep, ..self }
    }

    /// Whether a snapshot is due at `applied` events when the last one has `last`.
    pub(crate) fn is_due(&self, last: u64, applied: u64) -> bool {
        let new = applied.saturating_sub(last);
        let grown = u128::from(new) * 100 >= u128::from(last) * u128::from(self.growth_percent);
        new >= self.every_events.max(1) && grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events in each snapshot that is taken while `events` come in one by one.
    fn taken(policy: &SnapshotPolicy, events: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        for applied in 1..=events {
            if policy.is_due(taken.last().copied().unwrap_or(0), applied) {
                taken.push(applied);
            }
        }
        taken
    }

    #[test]
    fn a_short_log_has_a_snapshot_every_so_many_events() {
        assert_eq!(taken(&SnapshotPolicy::every(100), 500), [100, 200, 300, 400, 500]);
        let ever = SnapshotPolicy::every(100).growth_percent(0);
        assert_eq!(taken(&ever, 100_000).len(), 1_000);
    }

    #[test]
    fn a_log_ten_times_as_long_costs_about_ten_times_the_snapshot_work() {
        for growth_percent in [10, 25, 100] {
            let policy = SnapshotPolicy::every(100).growth_percent(growth_percent);
            for events in [10_000, 100_000, 1_000_000] {
                let work: u64 = taken(&policy, events).iter().sum();
                assert!(work <= events * (1 + 100 / u64::from(growth_percent)), "{work} for {events}");
            }
        }
    }

    #[test]
    fn no_count_overflows_the_rule() {
        let policy = SnapshotPolicy::every(u64::MAX).growth_percent(u32::MAX);
        assert!(policy.is_due(0, u64::MAX));
        assert!(!policy.is_due(u64::MAX, u64::MAX));
        assert!(!policy.is_due(9, 3), "a generation that was rolled back");
    }
}
