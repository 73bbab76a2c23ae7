//! The last group, torn at every byte: what was acknowledged before it survives, all of it, and what survives of
//! the group survives whole.

use crate::judge::{Answer, Depth, Judge, Verdict, Violation, must};
use crate::session::{Session, Setup};
use crate::workload::Clients;
use annals_event::Append;
use annals_log::sim::{Random, SimDisk};
use std::ops::Range;
use std::sync::Arc;

/// What stands where the torn part should.
#[derive(Clone, Copy, Debug)]
enum Fill {
    /// Zeros after the tear.
    Zeros,
    /// Zeros before the tear, the group's own bytes after it.
    ZerosBefore,
    /// Random bytes after the tear.
    Garbage,
    /// Old frames of the same segment after the tear.
    Stale,
}

const FILLS: [Fill; 4] = [Fill::Zeros, Fill::ZerosBefore, Fill::Garbage, Fill::Stale];

/// A log whose last group was written and not answered.
struct Unanswered {
    setup: Setup,
    disk: SimDisk,
    judge: Judge,
    /// The active segment, and which of its bytes are the group's.
    file: String,
    before: Vec<u8>,
    after: Vec<u8>,
    group: Range<usize>,
}

impl Unanswered {
    fn new(setup: Setup, appends: usize) -> Self {
        let (disk, mut judge, mut clients) = (SimDisk::new(), Judge::default(), Clients::new(setup.seed));
        let writer = setup.open(&disk).unwrap();
        let random = Random::new(setup.seed);
        let mut session =
            Session { disk: &disk, writer, judge: &mut judge, clients: &mut clients, random, retains: false };
        session.work(setup.groups).unwrap();
        loop {
            let group = writes(session.clients, session.judge, appends);
            let before = disk.restarted();
            let mut doubtful = session.judge.clone();
            session.commit(&group).unwrap();
            doubtful.answered(&group, &vec![Answer::Unknown; group.len()]).unwrap();
            if let Some((file, group)) =
                changed(&before, &disk).filter(|(_, group)| group.start > 2 * group.len())
            {
                let (before, after) = (before.content(&file).unwrap(), disk.content(&file).unwrap());
                return Self { setup, disk: disk.restarted(), judge: doubtful, file, before, after, group };
            }
        }
    }

    fn torn(&self, at: usize, fill: Fill) -> Vec<u8> {
        let mut bytes = self.after.clone();
        let torn = at..self.group.end;
        match fill {
            Fill::Zeros => bytes[torn].fill(0),
            Fill::ZerosBefore => bytes[self.group.start..at].fill(0),
            Fill::Garbage => Random::new(at as u64).fill(&mut bytes[torn]),
            Fill::Stale => {
                let old = (at * 8) % (self.group.start - torn.len());
                bytes[torn.clone()].copy_from_slice(&self.before[old..old + torn.len()]);
            }
        }
        bytes
    }

    /// Recovers the log with these bytes in its active segment; returns how many events of the group survive.
    fn judge_with(&self, bytes: Vec<u8>) -> Verdict<u64> {
        let disk = self.disk.restarted();
        disk.replace(&self.file, bytes);
        let writer = self.setup.open_sound(&disk)?;
        let (mut judge, least) = (self.judge.clone(), self.judge.model.head());
        judge.check_recovered(&writer.reader(), Depth::Quick)?;
        Ok(writer.reader().head().get() - least.get())
    }
}

/// A group that writes, with as many appends as asked for.
fn writes(clients: &mut Clients, judge: &Judge, appends: usize) -> Vec<Arc<Append>> {
    loop {
        let mut group = clients.group(&judge.model);
        let mut model = judge.model.clone();
        group.retain(|append| {
            let outcome = model.outcome(append);
            !append.writes.is_empty() && model.apply(append, &outcome).is_some()
        });
        if group.len() >= appends {
            group.truncate(appends);
            return group;
        }
    }
}

/// The one file that differs between two disks, and where; `None` when there is more than one.
fn changed(before: &SimDisk, after: &SimDisk) -> Option<(String, Range<usize>)> {
    if before.files() != after.files() {
        return None;
    }
    let mut changed = after.files().into_iter().filter_map(|name| {
        let (old, new) = (before.content(&name)?, after.content(&name)?);
        let differs = |at: &usize| old.get(*at) != new.get(*at);
        let first = (0..new.len()).find(differs)?;
        let last = (0..new.len()).rev().find(differs)?;
        Some((name, first..last + 1))
    });
    changed.next().filter(|_| changed.next().is_none())
}

fn tear_everywhere(unanswered: &Unanswered) -> Verdict<u64> {
    let mut images = 0;
    for fill in FILLS {
        for at in unanswered.group.clone() {
            let bytes = unanswered.torn(at, fill);
            let whole = bytes == unanswered.after;
            let explain =
                |violation: Violation| Violation(format!("torn at {at}, {fill:?}: {}", violation.0));
            let survived = unanswered.judge_with(bytes).map_err(explain)?;
            let single = unanswered.judge.doubts().len() == 1;
            must!(whole || !single || survived == 0, "torn at {at}, {fill:?}: half an append survived");
            images += 1;
        }
    }
    Ok(images)
}

#[test]
fn an_append_torn_at_any_byte_leaves_exactly_what_was_acknowledged() {
    let mut images = 0;
    for seed in [1, 2] {
        images += tear_everywhere(&Unanswered::new(Setup { groups: 9, ..Setup::seeded(seed) }, 1)).unwrap();
    }
    println!("{images} torn appends judged");
}

#[test]
fn of_a_group_that_is_torn_at_any_byte_only_whole_appends_survive() {
    let unanswered = Unanswered::new(Setup { groups: 9, ..Setup::seeded(3) }, 3);
    println!("{} torn groups judged", tear_everywhere(&unanswered).unwrap());
}

#[test]
fn a_group_that_was_not_torn_survives_whole() {
    let unanswered = Unanswered::new(Setup { groups: 9, ..Setup::seeded(4) }, 3);
    let events: usize = unanswered.judge.doubts().iter().map(|append| append.event_count()).sum();
    assert_eq!(unanswered.judge_with(unanswered.after.clone()).unwrap(), events as u64);
}
