//! Which segments may go.
//!
//! What always holds: the oldest first, none with an event that is held, and all that a base was promised for.

use super::{Retention, When};
use crate::format::SegmentHeader;
use crate::options::planted;
use crate::read::{EARLIEST_MICROS, Hold, Purpose, Readable, Shared, State, readable_at};
use annals_event::{MarkName, Sequence};
use std::time::Duration;

/// Segments that one base takes in at a time; more only until they outweigh the base. It bounds the memory.
const SEGMENTS_AT_ONCE: usize = 64;

/// After what share of the age limit more what is expired is overdue: an eighth. So a base is written for little at most
/// eight times while a limit passes.
const OVERDUE_SHARE: u32 = 8;

/// What is to be dropped.
pub(super) struct Plan {
    /// The segments, oldest first.
    pub(super) segments: Vec<Readable>,
    /// The one that the log will begin with.
    pub(super) begins: SegmentHeader,
}

/// What may go now, and is worth it.
pub(super) fn plan(shared: &Shared, retention: Retention, when: When) -> Option<Plan> {
    let now = shared.time.for_retention();
    let base_bytes = shared.base_bytes();
    let is_short = shared.headroom().allows(Purpose::Users, shared.options.segment_bytes).is_err();
    let mut holds = shared.retention.holds.lock();
    let state = shared.state.read();
    let held = holds.held.values().copied().chain(marked(&state));
    let held = held.filter(|_| !planted!(shared.options, HoldIgnored)).min().unwrap_or(Sequence::MAX);
    let promised = holds
        .promised
        .map_or(0, |promised| state.segments.partition_point(|segment| segment.number < promised.number));
    let count = expendable(&state.segments, retention, now, held);
    let enough = outweighing(&state.segments, base_bytes);
    let late = Retention { age_max: retention.age_max.map(overdue), bytes_max: None };
    let is_due = || is_short || count >= enough || expendable(&state.segments, late, now, held) > 0;
    if when == When::Due && promised == 0 && !is_due() {
        return None;
    }
    let count = count.min(SEGMENTS_AT_ONCE.max(enough)).max(promised);
    let begins = *state.segments.get(count).filter(|_| count > 0)?;
    holds.promised = Some(begins);
    let segments = (0..count).filter_map(|at| readable_at(&state, at)).collect();
    Some(Plan { segments, begins })
}

/// The age from which what is expired is overdue.
fn overdue(age_max: Duration) -> Duration {
    age_max.saturating_add(age_max / OVERDUE_SHARE)
}

/// The holds that are marks.
fn marked(state: &State) -> impl Iterator<Item = Sequence> {
    let is_hold = |mark: &MarkName| mark.as_str().starts_with(Hold::MARK_PREFIX);
    state.decided.marks.iter().filter(move |(mark, _)| is_hold(mark)).map(|(_, from)| *from)
}

/// How many of the first segments may go.
fn expendable(segments: &[SegmentHeader], retention: Retention, now: i64, held: Sequence) -> usize {
    let micros = |age: Duration| i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let oldest_kept = retention.age_max.map(|age| now.saturating_sub(micros(age)));
    let mut bytes: u64 = segments.iter().map(|segment| segment.capacity_bytes).sum();
    let goes = |(pair, end): &(&[SegmentHeader], i64)| {
        let [segment, next] = pair else { return false };
        let expired = oldest_kept.is_some_and(|oldest| *end < oldest);
        let over = retention.bytes_max.is_some_and(|bytes_max| bytes > bytes_max);
        bytes = bytes.saturating_sub(segment.capacity_bytes);
        (expired || over) && next.first <= held
    };
    segments.windows(2).zip(ends(segments, now)).take_while(goes).count()
}

/// How many of the first segments take as many bytes; more than there are if all together do not.
fn outweighing(segments: &[SegmentHeader], bytes: u64) -> usize {
    let mut total: u64 = 0;
    let is_less = |segment: &&SegmentHeader| {
        let before = total;
        total = total.saturating_add(segment.capacity_bytes);
        before < bytes
    };
    let count = segments.iter().take_while(is_less).count();
    if total < bytes { usize::MAX } else { count }
}

/// When the last event of each sealed segment was recorded, for retention.
fn ends(segments: &[SegmentHeader], now: i64) -> Vec<i64> {
    let mut known = now;
    let mut end = |next: &SegmentHeader| {
        if next.recorded_before >= EARLIEST_MICROS {
            known = next.recorded_before.min(known);
        }
        known
    };
    let mut ends: Vec<i64> = segments.iter().skip(1).rev().map(&mut end).collect();
    ends.reverse();
    ends
}
