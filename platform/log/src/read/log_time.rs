//! The log's own time: what events are stamped with, and what retention by age judges by.
//!
//! What always holds:
//!
//! * It never goes back before the stamp of an event, and never stands still while time passes.
//! * It follows the clock, except where the clock jumps: then it goes at most twice as fast as time passes
//!   ([`Clock::elapsed_micros`]) while the clock is ahead, and half as fast while the clock is behind, until they meet. So a
//!   clock that is wrong for a while moves it by no more than that while, and a clock that is right again is followed as soon
//!   as the stamps allow.
//! * Nothing is older for retention than the log itself can tell: a jump of the clock drops nothing.

use crate::disk::Clock;
use annals_event::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// How far the clock may be set ahead while the log is open, and be believed at once: more than what keeps clocks right
/// does to one that runs. Microseconds.
pub(crate) const STEP_MAX: i64 = 10 * 60 * SECOND;

/// How long a log may have been unused, and the clock at the open be believed at once: one that is further ahead of the
/// last event is more likely wrong. Microseconds.
pub(crate) const ABSENCE_MAX: i64 = 366 * DAY;

/// How long after the open retention takes no notice of the time for which the log was closed: long enough for the machine
/// to get its time from the network. Microseconds.
const SETTLING: u64 = 10 * 60 * 1_000_000;

/// 2025-01-01, before this program was written: an earlier time is that of a machine that does not know the time yet.
pub(crate) const EARLIEST_MICROS: i64 = 1_735_689_600 * SECOND;

/// What a log makes of the machine's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockStatus {
    /// What an event that is appended now is stamped with.
    pub log_time: Timestamp,
    /// What the machine's clock says.
    pub clock: Timestamp,
    /// Why the two differ by more than a few minutes; `None`: they do not.
    pub warning: Option<Arc<str>>,
}

/// A time of the log, and when it was that, by what passes.
#[derive(Clone, Copy)]
struct Moment {
    at: i64,
    elapsed: u64,
}

/// What is to be thought of the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    Ahead,
    Behind,
}

struct Line {
    /// Where the log's time was last, by the clock or in its place.
    last: Moment,
    /// The last event's stamp.
    stamped: Moment,
    /// The clock was found right since the log was opened.
    confirmed: bool,
    verdict: Verdict,
}

pub(crate) struct LogTime {
    clock: Arc<dyn Clock>,
    /// The last event's stamp when the log was opened.
    opened: Moment,
    line: Mutex<Line>,
}

impl LogTime {
    /// The time of a log whose last event was stamped with `recorded_at`. With `trusted` the clock is believed for now.
    pub(crate) fn new(clock: Arc<dyn Clock>, recorded_at: i64, trusted: bool) -> Self {
        let elapsed = clock.elapsed_micros();
        let opened = Moment { at: recorded_at, elapsed };
        let last =
            Moment { at: if trusted { recorded_at.max(clock.now_micros()) } else { recorded_at }, elapsed };
        let line = Line { last, stamped: opened, confirmed: false, verdict: Verdict::Right };
        Self { clock, opened, line: Mutex::new(line) }
    }

    /// What an event that is written now is to be stamped with.
    pub(crate) fn stamp(&self) -> i64 {
        let mut line = self.line.lock();
        let (now, elapsed) = self.look(&mut line);
        if now > line.stamped.at {
            line.stamped = Moment { at: now, elapsed };
        }
        now
    }

    /// What time it is for retention: for some time after the open the one of the last event, and what passed since.
    pub(crate) fn for_retention(&self) -> i64 {
        let (now, elapsed) = self.look(&mut self.line.lock());
        let passed = elapsed.saturating_sub(self.opened.elapsed);
        let settled = passed >= SETTLING || self.opened.at < EARLIEST_MICROS;
        if settled { now } else { now.min(self.opened.at.saturating_add(micros(passed))) }
    }

    pub(crate) fn status(&self) -> ClockStatus {
        let mut line = self.line.lock();
        let (now, _) = self.look(&mut line);
        let verdict = line.verdict;
        drop(line);
        let clock = self.clock.now_micros();
        let [log_time, clock] = [now, clock].map(Timestamp::from_micros);
        ClockStatus { log_time, clock, warning: verdict.warning(now.abs_diff(clock.as_micros())) }
    }

    /// What time it is, and what passed.
    fn look(&self, line: &mut Line) -> (i64, u64) {
        let (clock, elapsed) = (self.clock.now_micros(), self.clock.elapsed_micros());
        let since = |moment: Moment| micros(elapsed.saturating_sub(moment.elapsed));
        let expected = line.last.at.saturating_add(since(line.last));
        let least = line.stamped.at.saturating_add(since(line.stamped) / 2);
        let step_max = if line.confirmed { STEP_MAX } else { ABSENCE_MAX };
        let verdict = if line.last.at >= EARLIEST_MICROS && clock.saturating_sub(expected) > step_max {
            Verdict::Ahead
        } else if least.saturating_sub(clock) > STEP_MAX {
            Verdict::Behind
        } else {
            Verdict::Right
        };
        match verdict {
            Verdict::Ahead => {
                let was_ahead = line.verdict == Verdict::Ahead;
                let catching_up = if was_ahead { since(line.last) } else { 0 };
                line.last = Moment { at: expected.saturating_add(catching_up), elapsed };
            }
            Verdict::Right | Verdict::Behind if clock >= least => {
                (line.last, line.confirmed) = (Moment { at: clock, elapsed }, true);
            }
            // Expected goes on from where the clock was right.
            Verdict::Right | Verdict::Behind => {}
        }
        let now = if verdict == Verdict::Ahead { line.last.at.max(least) } else { clock.max(least) };
        if std::mem::replace(&mut line.verdict, verdict) != verdict {
            match verdict.warning(now.abs_diff(clock)) {
                Some(warning) => tracing::warn!("{warning}"),
                None => tracing::info!("the machine's clock and the log's time agree again"),
            }
        }
        (now, elapsed)
    }
}

impl Verdict {
    /// What to tell about a clock that differs by so many microseconds.
    fn warning(self, by: u64) -> Option<Arc<str>> {
        let by = std::time::Duration::from_secs(by / 1_000_000);
        let text = match self {
            Self::Right => return None,
            Self::Ahead => format!(
                "the machine's clock is {by:?} ahead of the log's time, which goes twice as fast until they meet; no event is \
                 stamped or dropped on its word, and appends that only a request id from such a clock protects (Any, Exists) \
                 are refused until then: set the clock, or if it is right reopen the log with trust_clock"
            ),
            Self::Behind => format!(
                "the machine's clock is {by:?} behind the log's time, which goes half as fast until they meet: the clock was \
                 set back or stands still, or was ahead when the last events were written; until then appends that only a \
                 request id from such a clock protects (Any, Exists) may be refused as too old: set it"
            ),
        };
        Some(text.into())
    }
}

fn micros(elapsed: u64) -> i64 {
    i64::try_from(elapsed).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
