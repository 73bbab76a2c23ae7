//! One life of a process that has the log open: it opens, works and ends, or is ended.

use crate::judge::{Answer, Depth, Judge, Verdict, Violation, must};
use crate::workload::Clients;
use annals_event::Append;
use annals_log::sim::{Random, SimClock, SimDisk, SimEntropy};
use annals_log::{Environment, OpenError, Options, Retention, Writer};
use std::sync::Arc;

/// A log on a simulated disk, and how it is used.
#[derive(Clone)]
pub struct Setup {
    pub seed: u64,
    pub options: Options,
    /// How many groups the main life commits.
    pub groups: usize,
    /// Whether segments are dropped now and then.
    pub retains: bool,
    /// How often the clock must be read before it moves; 0: it stands still.
    pub readings_per_micro: u64,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process was killed, or the power went, or it did not even come to work.
    Cut,
    /// The log refused to go on after a failed write or sync.
    Poisoned,
    /// It was closed.
    Closed,
    /// It was done and is still open.
    Idle,
}

impl Setup {
    /// Small segments, so that a short run rotates several times; all else is drawn from the seed.
    pub fn seeded(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut options = Options::with_segment_bytes(4096 << random.below(3));
        // Disks are filled to the last byte.
        options.reserve_bytes = 0;
        options.checkpoint_segments = 1 + random.below(2) as u32;
        options.tail_bytes_max = 1 << (9 + random.below(6));
        options.index_cache_bytes_max = 1 << (9 + random.below(6));
        Self { seed, options, groups: 30, retains: false, readings_per_micro: [0, 1, 3, 50][random.index(4)] }
    }

    /// The same, and segments are dropped now and then.
    pub fn retaining(self) -> Self {
        Self { retains: true, ..self }
    }

    pub fn environment(&self, disk: &SimDisk) -> Environment {
        Environment {
            disk: Arc::new(disk.clone()),
            clock: Arc::new(SimClock::new(self.readings_per_micro)),
            entropy: Arc::new(SimEntropy::new(self.seed)),
        }
    }

    pub fn open(&self, disk: &SimDisk) -> Result<Writer, OpenError> {
        Writer::open(self.environment(disk), self.options.clone())
    }

    /// Opens the log on a disk that works: it must open, whole.
    pub fn open_sound(&self, disk: &SimDisk) -> Verdict<Writer> {
        let writer = self.open(disk).map_err(|error| Violation(format!("the log does not open: {error}")))?;
        let damage = writer.corruption().map(|damage| damage.to_string());
        must!(damage.is_none(), "what a crash left is taken for damage: {damage:?}");
        Ok(writer)
    }
}

/// A process with the log open.
pub struct Session<'a> {
    pub disk: &'a SimDisk,
    pub writer: Writer,
    pub judge: &'a mut Judge,
    pub clients: &'a mut Clients,
    /// Draws the background work; not the clients' randomness, so that faults do not change what clients do.
    pub random: Random,
    pub retains: bool,
}

impl Session<'_> {
    /// Commits groups with background work in between, until all are done or nothing works any more.
    pub fn work(&mut self, groups: usize) -> Verdict<End> {
        for _ in 0..groups {
            let group = self.clients.group(&self.judge.model);
            if !self.commit(&group)? {
                return Ok(if self.disk.is_reachable() { End::Poisoned } else { End::Cut });
            }
            self.background();
            self.retain()?;
            if self.disk.is_reachable() && self.random.chance(1, 10) {
                self.judge.check_running(&self.writer.reader(), Depth::Quick)?;
            }
            if !self.disk.is_reachable() {
                return Ok(End::Cut);
            }
        }
        Ok(End::Idle)
    }

    /// Commits a group; false: the log is poisoned.
    pub fn commit(&mut self, group: &[Arc<Append>]) -> Verdict<bool> {
        let results = self.writer.commit(group.iter().map(|append| Append::clone(append)).collect());
        let answers: Vec<_> = results.iter().map(Answer::of).collect();
        self.judge.answered(group, &answers)?;
        if !answers.iter().any(|answer| matches!(answer, Answer::Unknown)) {
            return Ok(true);
        }
        self.stays_poisoned()?;
        Ok(false)
    }

    /// After a failed write or sync nothing is written, ever, and readers see what was answered and no more.
    fn stays_poisoned(&mut self) -> Verdict {
        let late = self.clients.group(&self.judge.model);
        let results = self.writer.commit(late.iter().map(|append| Append::clone(append)).collect());
        must!(results.iter().all(Result::is_err), "a poisoned log answered {results:?}");
        if self.disk.is_reachable() {
            self.judge.check_running(&self.writer.reader(), Depth::Quick)?;
        }
        Ok(())
    }

    /// Its failures harm nothing, so they are nobody's business here.
    pub fn background(&mut self) {
        let _ = match self.random.below(8) {
            0..=3 => self.writer.prepare_step().map(|_| ()),
            4 => self.writer.write_indexes(),
            5 => self.writer.checkpoint(),
            _ => Ok(()),
        };
    }
}

impl Session<'_> {
    /// Drops segments, now and then. A failure harms nothing.
    fn retain(&mut self) -> Verdict {
        if !self.retains || self.random.chance(4, 5) {
            return Ok(());
        }
        let bytes_max = Some(self.random.below(3) * 4096);
        let retained = self.writer.retain(Retention { bytes_max, ..Retention::default() });
        let first = self.writer.reader().first();
        if let Ok(retained) = retained {
            must!(retained.first == first, "{retained:?} of a log that begins at {first}");
        }
        if self.disk.is_reachable() {
            must!(
                first >= self.judge.model.first,
                "the log began at {}, now at {first}",
                self.judge.model.first
            );
            self.judge.model.first = first;
        }
        Ok(())
    }
}

/// A whole life on `disk`: opening, working, perhaps closing.
pub fn live(setup: &Setup, disk: &SimDisk, judge: &mut Judge, clients: &mut Clients) -> Verdict<End> {
    let Ok(writer) = setup.open(disk) else { return Ok(End::Cut) };
    must!(writer.corruption().is_none(), "a sound log is called damaged: {:?}", writer.corruption());
    let mut session =
        Session { disk, writer, judge, clients, random: Random::new(setup.seed ^ 1), retains: setup.retains };
    let end = session.work(setup.groups)?;
    if end == End::Idle && setup.seed.is_multiple_of(2) {
        let _ = session.writer.close();
        return Ok(if disk.is_reachable() { End::Closed } else { End::Cut });
    }
    Ok(end)
}
