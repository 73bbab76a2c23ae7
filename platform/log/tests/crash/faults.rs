//! Disks that fail: EIO on every operation in turn, and full disks of every size.

use crate::crashes::Images;
use crate::judge::{Answer, Depth, Judge, Verdict, Violation, must};
use crate::session::{Session, Setup, live};
use crate::workload::Clients;
use annals_event::Append;
use annals_log::sim::{Fault, FaultKind, Lasts, Random, SimDisk, Survival};

/// Lets each operation of the life that `setup` describes fail in turn, and judges what is left: to a process that
/// starts again on the same page cache, and after a power cut.
pub fn fail_everywhere(setup: &Setup, lasts: Lasts, kind: FaultKind, images: &mut Images) -> Verdict {
    for at in 1.. {
        let fault = Fault { at, lasts, kind };
        let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
        disk.plan(Some(fault));
        let lived = live(setup, &disk, &mut judge, &mut clients);
        let outlived = lived.and_then(|_| outlive(setup, &disk, &judge, &clients, images));
        outlived.map_err(|violation| {
            let io = disk.last_io();
            Violation(format!("seed {}, {fault:?}, ended after {io:?}: {}", setup.seed, violation.0))
        })?;
        if disk.ios() < at {
            return Ok(());
        }
    }
    Ok(())
}

fn outlive(setup: &Setup, disk: &SimDisk, judge: &Judge, clients: &Clients, images: &mut Images) -> Verdict {
    for seed in 0..3 {
        let writer = setup.open_sound(&disk.crashed(Survival::Seeded(seed)))?;
        judge.clone().check_recovered(&writer.reader(), Depth::Quick)?;
        images.0 += 1;
    }
    restart_then_cut(setup, disk, judge.clone(), clients.clone(), images)
        .map_err(|violation| Violation(format!("on the old page cache: {}", violation.0)))
}

/// What a process on the old page cache shows its readers must outlive a power cut, and so must what it writes.
fn restart_then_cut(
    setup: &Setup,
    disk: &SimDisk,
    mut judge: Judge,
    mut clients: Clients,
    images: &mut Images,
) -> Verdict {
    let disk = disk.restarted();
    let writer = setup.open_sound(&disk)?;
    judge.check_recovered(&writer.reader(), Depth::Quick)?;
    let (judge, clients) = (&mut judge, &mut clients);
    let mut session = Session {
        disk: &disk,
        writer,
        judge,
        clients,
        random: Random::new(setup.seed),
        retains: setup.retains,
    };
    for groups in [0, 3] {
        session.work(groups)?;
        for survival in [Survival::Nothing, Survival::Everything] {
            let writer = setup.open_sound(&disk.crashed(survival))?;
            session
                .judge
                .clone()
                .check_recovered(&writer.reader(), Depth::Quick)
                .map_err(|violation| Violation(format!("then cut, {survival:?}: {}", violation.0)))?;
            images.0 += 1;
        }
    }
    Ok(())
}

/// Fills a disk of this size, frees it, and expects the log to go on without a restart; returns whether it was full.
fn fill(setup: &Setup, capacity_bytes: u64) -> Verdict<bool> {
    let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
    disk.limit_capacity(Some(capacity_bytes));
    let Ok(writer) = setup.open(&disk) else {
        // Too small for a log at all. With room it must open, whatever is left in the folder.
        let disk = disk.restarted();
        setup.open_sound(&disk)?;
        return Ok(false);
    };
    let random = Random::new(setup.seed);
    let mut session =
        Session { disk: &disk, writer, judge: &mut judge, clients: &mut clients, random, retains: false };
    let refused = work_until_refused(&mut session, setup.groups)?;
    if let Some(group) = &refused {
        session.judge.check_running(&session.writer.reader(), Depth::Full)?;
        restart_when_full(setup, &disk, capacity_bytes, session.judge)?;
        disk.limit_capacity(None);
        let results = session.writer.commit(group.clone());
        let answers: Vec<_> = results.iter().map(Answer::of).collect();
        let taken = answers.iter().all(|answer| !matches!(answer, Answer::NotWritten | Answer::Unknown));
        must!(taken, "with room again the log answers {answers:?}");
        let group: Vec<_> = group.iter().cloned().map(std::sync::Arc::new).collect();
        session.judge.answered(&group, &answers)?;
    }
    session.work(5)?;
    session.judge.check_running(&session.writer.reader(), Depth::Full)?;
    Ok(refused.is_some())
}

fn work_until_refused(session: &mut Session<'_>, groups: usize) -> Verdict<Option<Vec<Append>>> {
    for _ in 0..groups {
        let group = session.clients.group(&session.judge.model);
        let plain: Vec<_> = group.iter().map(|append| Append::clone(append)).collect();
        let results = session.writer.commit(plain.clone());
        let answers: Vec<_> = results.iter().map(Answer::of).collect();
        let poisoned = answers.iter().any(|answer| matches!(answer, Answer::Unknown));
        must!(!poisoned, "a full disk poisoned the log: {results:?}");
        session.judge.answered(&group, &answers)?;
        if answers.iter().any(|answer| matches!(answer, Answer::NotWritten)) {
            return Ok(Some(plain));
        }
        session.background();
    }
    Ok(None)
}

fn restart_when_full(setup: &Setup, disk: &SimDisk, capacity_bytes: u64, judge: &Judge) -> Verdict {
    let disk = disk.restarted();
    disk.limit_capacity(Some(capacity_bytes));
    let writer = setup.open_sound(&disk)?;
    judge.clone().check_recovered(&writer.reader(), Depth::Full)
}

fn setup(seed: u64) -> Setup {
    Setup { groups: 18, ..Setup::seeded(seed) }
}

#[test]
fn after_any_failed_operation_nothing_is_acknowledged_and_nothing_lost() {
    let mut images = Images::default();
    for seed in 0..4_u64 {
        for (lasts, kind) in [(Lasts::Once, FaultKind::Medium), (Lasts::Forever, FaultKind::Medium)] {
            let setup = Setup { retains: seed.is_multiple_of(2), ..setup(seed) };
            fail_everywhere(&setup, lasts, kind, &mut images).unwrap();
        }
    }
    println!("{} images of failing disks judged", images.0);
}

#[test]
fn when_any_operation_lacks_space_or_handles_nothing_is_lost() {
    let mut images = Images::default();
    for (seed, kind) in [(10, FaultKind::NoSpace), (11, FaultKind::NoHandles)] {
        fail_everywhere(&setup(seed), Lasts::Once, kind, &mut images).unwrap();
        fail_everywhere(&setup(seed).retaining(), Lasts::Forever, kind, &mut images).unwrap();
    }
    println!("{} images of disks without space or handles judged", images.0);
}

#[test]
fn a_full_disk_refuses_appends_and_takes_them_again_without_a_restart() {
    let mut full = 0;
    for seed in 0..3 {
        for sectors in (0..120).step_by(3) {
            let capacity_bytes = sectors * 512;
            let was_full = fill(&Setup::seeded(seed), capacity_bytes).map_err(|violation| {
                Violation(format!("seed {seed}, {capacity_bytes} bytes: {}", violation.0))
            });
            full += u64::from(was_full.unwrap());
        }
    }
    println!("{full} full disks judged");
    assert!(full > 20);
}

#[test]
fn a_log_is_open_once_at_a_time() {
    let (setup, disk) = (Setup::seeded(0), SimDisk::new());
    let first = setup.open(&disk).unwrap();
    assert!(matches!(setup.open(&disk), Err(annals_log::OpenError::InUse { .. })));
    drop(first);
    setup.open(&disk).unwrap();
}
