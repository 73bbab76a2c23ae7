use super::*;
use crate::sim::SimClock;
use std::time::Duration;

const HOUR: i64 = 60 * 60 * SECOND;
const YEARS: i64 = 20 * 366 * DAY;

fn pass(clock: &SimClock, micros: i64) {
    clock.pass(Duration::from_micros(micros.unsigned_abs()));
}

/// A clock that is right for now, where it began, and a log that was written until then.
fn running() -> (Arc<SimClock>, i64, LogTime) {
    let clock = Arc::new(SimClock::new(0));
    let begun = clock.now_micros();
    let time = LogTime::new(clock.clone(), begun, false);
    assert_eq!(time.stamp(), begun);
    (clock, begun, time)
}

fn warning(time: &LogTime) -> String {
    time.status().warning.map_or(String::new(), |warning| warning.to_string())
}

#[test]
fn a_clock_that_runs_is_followed_and_small_steps_are_believed() {
    let (clock, begun, time) = running();
    pass(&clock, 3 * DAY);
    assert_eq!(time.stamp(), begun + 3 * DAY);
    clock.set_ahead_by(5 * 60 * SECOND);
    assert_eq!(time.stamp(), begun + 3 * DAY + 5 * 60 * SECOND);
    assert_eq!(time.status().warning, None);
}

#[test]
fn a_clock_that_jumps_ahead_makes_log_time_run_at_most_twice_as_fast() {
    let (clock, begun, time) = running();
    pass(&clock, HOUR);
    clock.set_ahead_by(YEARS);
    assert_eq!((time.stamp(), time.for_retention()), (begun + HOUR, begun + HOUR));
    assert!(warning(&time).contains("ahead of the log's time"), "{}", warning(&time));
    let mut last = time.stamp();
    for _ in 0..24 {
        pass(&clock, HOUR);
        let now = time.stamp();
        assert!(now > last, "time goes on");
        last = now;
    }
    assert_eq!(last, begun + HOUR + 48 * HOUR, "twice as fast");
    clock.set_ahead_by(0);
    pass(&clock, 48 * HOUR);
    assert_eq!(time.stamp(), begun + (1 + 24 + 48) * HOUR, "a day later the clock is right again");
    assert_eq!(time.status().warning, None);
}

#[test]
fn a_jump_ahead_that_was_right_is_caught_up_with_in_as_long_as_it_jumped() {
    let (clock, begun, time) = running();
    clock.set_ahead_by(8 * HOUR);
    assert_eq!(time.stamp(), begun);
    for _ in 0..8 {
        pass(&clock, HOUR);
        time.stamp();
    }
    assert_eq!((time.stamp(), warning(&time)), (begun + 16 * HOUR, String::new()));
}

#[test]
fn a_clock_that_is_set_back_or_stands_still_lets_time_go_on() {
    for stands_still in [true, false] {
        let (clock, begun, time) = running();
        if stands_still {
            clock.stand_still()
        } else {
            clock.set_ahead_by(-YEARS)
        }
        let mut last = begun;
        for hours in 1..=10 {
            pass(&clock, HOUR);
            let now = time.stamp();
            assert!(now > last && now <= begun + hours * HOUR, "{now}");
            last = now;
        }
        assert!(last >= begun + 5 * HOUR - 10, "half as fast");
        assert!(warning(&time).contains("behind the log's time"), "{}", warning(&time));
        clock.set_ahead_by(0);
        assert_eq!((time.stamp(), warning(&time)), (begun + 10 * HOUR, String::new()));
    }
}

#[test]
fn a_log_that_was_written_in_the_future_goes_on_from_there() {
    let clock = Arc::new(SimClock::new(0));
    let future = clock.now_micros() + YEARS;
    let time = LogTime::new(clock.clone(), future, false);
    pass(&clock, 60 * DAY);
    assert_eq!((time.stamp(), time.for_retention()), (future + 30 * DAY, future + 30 * DAY));
    assert!(warning(&time).contains("was ahead when the last events were written"));
}

#[test]
fn at_the_open_a_clock_over_a_year_ahead_is_believed_only_if_trusted() {
    let clock = Arc::new(SimClock::new(0));
    let now = clock.now_micros();
    for (absent, trusted, believed) in
        [(90 * DAY, false, true), (400 * DAY, false, false), (400 * DAY, true, true)]
    {
        let last = (now - absent).max(EARLIEST_MICROS);
        let clock = Arc::new(SimClock::new(0));
        clock.set_ahead_by(last + absent - now);
        let time = LogTime::new(clock, last, trusted);
        let expected = if believed { last + absent } else { last };
        assert_eq!(time.stamp(), expected, "{absent} {trusted}");
        assert_eq!(time.status().warning.is_none(), believed);
    }
}

#[test]
fn a_clock_set_right_after_the_open_is_believed_and_drops_nothing_before() {
    let clock = Arc::new(SimClock::new(0));
    let last = clock.now_micros();
    pass(&clock, 30 * DAY);
    for boots_at in [-60 * YEARS / 20, -YEARS, 60 * DAY] {
        let right = clock.now_micros();
        clock.set_ahead_by(boots_at);
        let time = LogTime::new(clock.clone(), last, false);
        assert!(time.for_retention() <= last, "nobody knows yet how long the log was closed");
        pass(&clock, 60 * SECOND);
        clock.set_ahead_by(0);
        assert_eq!(time.stamp(), right + 60 * SECOND, "the network told the time");
        assert!(time.for_retention() <= last + 60 * SECOND);
        pass(&clock, HOUR);
        assert_eq!(time.for_retention(), right + 60 * SECOND + HOUR, "it settled");
    }
    let new = LogTime::new(clock.clone(), 0, false);
    clock.set_ahead_by(-clock.now_micros());
    assert!(new.stamp() < EARLIEST_MICROS);
    clock.set_ahead_by(0);
    assert_eq!(new.stamp(), clock.now_micros());
}
