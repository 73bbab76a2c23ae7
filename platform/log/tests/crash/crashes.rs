//! A power cut after every operation, and after operations of the recovery from it.

use crate::judge::{Depth, Heard, Judge, Verdict, Violation, must};
use crate::session::{End, Session, Setup, live};
use crate::workload::Clients;
use annals_event::{Append, Sequence};
use annals_log::sim::{Fault, FaultKind, Lasts, Random, SimDisk, Survival};
use annals_log::{VerifyError, Writer, verify_on};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Crash images that were recovered and judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Images(pub u64);

/// How thorough a search is.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Survivors that are tried for each cut.
    pub survivors: u64,
    /// Of so many survivors, one is also cut in recovery and lives on after it.
    pub deep_every: u64,
}

/// Cuts the power after every operation of the life that `setup` describes.
pub fn cut_everywhere(setup: &Setup, effort: Effort, images: &mut Images) -> Verdict {
    for last in 0.. {
        let cut = Cut::after(setup, last)?;
        for survivor in 0..effort.survivors {
            let survival = match survivor {
                0 => Survival::Everything,
                1 => Survival::Nothing,
                seed => Survival::Seeded(setup.seed << 32 ^ last << 8 ^ seed),
            };
            let deep = (last + survivor).is_multiple_of(effort.deep_every);
            cut.judge_image(survival, deep, images).map_err(|violation| cut.explain(survival, violation))?;
        }
        if cut.disk.is_reachable() {
            return Ok(());
        }
    }
    Ok(())
}

/// Cuts the power after every operation and verifies what is found: it is no damage, and it has the events that
/// recovery finds.
pub fn verify_everywhere(setup: &Setup, survivors: u64) -> Verdict<u64> {
    let mut images = 0;
    for last in 0.. {
        let cut = Cut::after(setup, last)?;
        for seed in 0..survivors {
            let survival = Survival::Seeded(setup.seed << 32 ^ last << 8 ^ seed);
            cut.verify_image(survival).map_err(|violation| cut.explain(survival, violation))?;
            images += 1;
        }
        if cut.disk.is_reachable() {
            break;
        }
    }
    Ok(images)
}

/// Cuts the power after every operation; each time the clients try again, and then it goes once more.
pub fn retry_everywhere(setup: &Setup, survivors: u64, images: &mut Images) -> Verdict {
    cut_and_retry(setup, survivors, |cut, survival| {
        cut.start_again(&cut.disk.crashed(survival), cut.judge.clone(), images)
    })
}

/// Cuts the power after every operation and lets every operation of the recovery fail; each time the clients try again
/// on the page cache that this leaves, and then it goes once more.
pub fn retry_after_failed_recoveries(setup: &Setup, survivors: u64, images: &mut Images) -> Verdict {
    cut_and_retry(setup, survivors, |cut, survival| {
        let found = cut.disk.crashed(survival);
        drop(setup.open_sound(&found)?);
        cut.fail_recovery(survival, found.ios(), images)
    })
}

/// Cuts the power after every operation, and goes on each time from some of the things that this may leave.
fn cut_and_retry(
    setup: &Setup,
    survivors: u64,
    mut retry: impl FnMut(&Cut<'_>, Survival) -> Verdict,
) -> Verdict {
    for last in 0.. {
        let cut = Cut::after(setup, last)?;
        if cut.disk.is_reachable() {
            return Ok(());
        }
        for seed in 0..survivors {
            let survival = Survival::Seeded(setup.seed << 32 ^ last << 8 ^ seed);
            retry(&cut, survival).map_err(|violation| cut.explain(survival, violation))?;
        }
    }
    Ok(())
}

/// A life that a power cut ended.
struct Cut<'a> {
    setup: &'a Setup,
    disk: SimDisk,
    judge: Judge,
    clients: Clients,
    last: u64,
    end: End,
}

impl<'a> Cut<'a> {
    fn after(setup: &'a Setup, last: u64) -> Verdict<Self> {
        let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
        disk.cut_power_after(last);
        let end = live(setup, &disk, &mut judge, &mut clients)
            .map_err(|violation| Violation(format!("seed {}: {}", setup.seed, violation.0)))?;
        Ok(Self { setup, disk, judge, clients, last, end })
    }

    fn explain(&self, survival: Survival, violation: Violation) -> Violation {
        let (seed, last, io, end) = (self.setup.seed, self.last, self.disk.last_io(), self.end);
        Violation(format!("seed {seed}, cut after {last} ({io:?}, {end:?}), {survival:?}: {}", violation.0))
    }

    fn verify_image(&self, survival: Survival) -> Verdict {
        let found = self.disk.crashed(survival);
        let report = match verify_on(&found, |_| {}) {
            Err(VerifyError::NotALog { .. }) => return Ok(()),
            report => report.map_err(|error| Violation(format!("it cannot be verified: {error}")))?,
        };
        must!(report.findings.is_empty(), "what a crash left is taken for damage: {:?}", report.findings);
        let reader = self.setup.open_sound(&found)?.reader();
        let recovered = reader.head().next().get() - reader.first().get();
        must!(report.events == recovered, "{} events verified, {recovered} recovered", report.events);
        Ok(())
    }

    fn judge_image(&self, survival: Survival, deep: bool, images: &mut Images) -> Verdict {
        let found = self.disk.crashed(survival);
        let writer = self.setup.open_sound(&found)?;
        let operations = found.ios();
        let mut judge = self.judge.clone();
        judge.check_recovered(&writer.reader(), if deep { Depth::Full } else { Depth::Quick })?;
        images.0 += 1;
        if deep {
            self.cut_recovery(survival, operations, images)?;
            self.fail_recovery(survival, operations, images)?;
            self.live_on(&found, writer, judge, images)?;
        }
        Ok(())
    }

    /// Cuts the power again after every operation of the recovery.
    fn cut_recovery(&self, survival: Survival, operations: u64, images: &mut Images) -> Verdict {
        for last in 0..=operations {
            let again = self.disk.crashed(survival);
            again.cut_power_after(last);
            let mut judge = self.judge.clone();
            if let Ok(writer) = self.setup.open(&again)
                && again.is_reachable()
            {
                // Somebody has a look before the power goes.
                again.cut_power_after(u64::MAX);
                judge.check_recovered(&writer.reader(), Depth::Quick)?;
            }
            let survival = Survival::Seeded(self.last << 20 ^ last);
            let writer = self.setup.open_sound(&again.crashed(survival))?;
            judge.check_recovered(&writer.reader(), Depth::Quick).map_err(|violation| {
                Violation(format!("cut again after {last} in recovery: {}", violation.0))
            })?;
            images.0 += 1;
        }
        Ok(())
    }

    /// Lets every operation of the recovery fail, then starts again on the same page cache.
    fn fail_recovery(&self, survival: Survival, operations: u64, images: &mut Images) -> Verdict {
        for at in 1..=operations {
            let failing = self.disk.crashed(survival);
            failing.plan(Some(Fault { at, lasts: Lasts::Once, kind: FaultKind::Medium }));
            let mut judge = self.judge.clone();
            if let Ok(writer) = self.setup.open(&failing) {
                judge.check_recovered(&writer.reader(), Depth::Quick)?;
            }
            let again = failing.restarted();
            self.start_again(&again, judge, images).map_err(|violation| {
                let io = failing.last_io();
                Violation(format!("after operation {at} of recovery failed (last {io:?}): {}", violation.0))
            })?;
        }
        Ok(())
    }

    fn start_again(&self, disk: &SimDisk, mut judge: Judge, images: &mut Images) -> Verdict {
        let writer = self.setup.open_sound(disk)?;
        judge.check_recovered(&writer.reader(), Depth::Quick)?;
        self.live_on(disk, writer, judge, images)
    }

    /// Clients that got no answer try again, others come, and then the power goes once more.
    fn live_on(&self, disk: &SimDisk, writer: Writer, mut judge: Judge, images: &mut Images) -> Verdict {
        let (judge, clients) = (&mut judge, &mut self.clients.clone());
        let mut session = Session {
            disk,
            writer,
            judge,
            clients,
            random: Random::new(self.last),
            retains: self.setup.retains,
        };
        let unanswered: Vec<Arc<Append>> = self.judge.doubts();
        for (at, append) in unanswered.iter().enumerate() {
            session.commit(std::slice::from_ref(append))?;
            // What stands after the first retry may be older than it.
            self.judge_again(disk, session.judge, at as u64, images)?;
        }
        session.work(4)?;
        session.judge.check_running(&session.writer.reader(), Depth::Quick)?;
        self.judge_again(disk, session.judge, 99, images)
    }

    fn judge_again(&self, disk: &SimDisk, judge: &Judge, salt: u64, images: &mut Images) -> Verdict {
        let found = disk.crashed(Survival::Seeded(self.last << 16 ^ salt));
        let writer = self.setup.open_sound(&found)?;
        images.0 += 1;
        judge
            .clone()
            .check_recovered(&writer.reader(), Depth::Full)
            .map_err(|violation| Violation(format!("after living on and another cut: {}", violation.0)))
    }
}

/// The seed at which random searches begin.
const FIRST_SEED: u64 = 1_000;
/// Images of the quick run.
const IMAGES_QUICK: u64 = 20_000;

fn images_wanted() -> u64 {
    std::env::var("ANNALS_CRASH_IMAGES")
        .map_or(IMAGES_QUICK, |number| number.parse().expect("a number of images"))
}

#[test]
fn power_cuts_at_any_operation_and_in_recovery_lose_and_invent_nothing() {
    let (judged, seeds) = (AtomicU64::new(0), AtomicU64::new(FIRST_SEED));
    let effort = Effort { survivors: 6, deep_every: 7 };
    let search = || {
        while judged.load(Relaxed) < images_wanted() {
            let mut images = Images::default();
            let seed = seeds.fetch_add(1, Relaxed);
            let setup = Setup { retains: seed.is_multiple_of(2), ..Setup::seeded(seed) };
            cut_everywhere(&setup, effort, &mut images).unwrap();
            judged.fetch_add(images.0, Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(search)));
    });
    println!("{} crash images of {} seeds judged", judged.into_inner(), seeds.into_inner() - FIRST_SEED);
}

#[test]
fn the_workload_rotates_segments_and_meets_every_kind_of_answer() {
    for seed in FIRST_SEED..FIRST_SEED + 4 {
        let (setup, disk) = (Setup::seeded(seed), SimDisk::new());
        let (mut judge, mut clients) = (Judge::default(), Clients::new(seed));
        let end = live(&setup, &disk, &mut judge, &mut clients).unwrap();
        assert!(matches!(end, End::Idle | End::Closed));
        let segments = disk.files().iter().filter(|name| name.ends_with(".segment")).count();
        assert!(segments >= 3, "two rotations, not {segments} segments");
        let Heard { written, repeated, refused, id_reused, .. } = judge.heard;
        assert!([written, repeated, refused, id_reused].iter().all(|heard| *heard > 0), "{:?}", judge.heard);
    }
}

#[test]
fn a_workload_that_drops_segments_meets_repeats_of_what_was_dropped() {
    let mut dropped = 0;
    for seed in FIRST_SEED..FIRST_SEED + 20 {
        let (setup, disk) = (Setup::seeded(seed).retaining(), SimDisk::new());
        let (mut judge, mut clients) = (Judge::default(), Clients::new(seed));
        live(&setup, &disk, &mut judge, &mut clients).unwrap();
        let restarted = disk.restarted();
        let writer = setup.open_sound(&restarted).unwrap();
        judge.check_recovered(&writer.reader(), Depth::Full).unwrap();
        assert!(judge.model.first > Sequence::FIRST, "seed {seed}: nothing was dropped");
        dropped += judge.heard.dropped;
    }
    assert!(dropped > 20, "{dropped}");
}

#[test]
fn the_same_seed_does_the_same_twice() {
    let run = |seed| {
        let (setup, disk) = (Setup::seeded(seed), SimDisk::new());
        let (mut judge, mut clients) = (Judge::default(), Clients::new(seed));
        live(&setup, &disk, &mut judge, &mut clients).unwrap();
        let found = disk.crashed(Survival::Seeded(seed));
        let writer = setup.open_sound(&found).unwrap();
        judge.check_recovered(&writer.reader(), Depth::Full).unwrap();
        (disk.trace(), disk.ios(), found.trace(), found.ios())
    };
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
        assert_ne!(run(seed), run(seed + 1));
    }
}
