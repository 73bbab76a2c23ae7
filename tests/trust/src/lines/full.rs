//! Line 9: no space, no inodes, no file handles. The error is clear, reads go on, the program starts on the full disk,
//! and appends are taken again without a restart once there is room.

use super::{Run, suites};
use crate::{
    card::{Finding, Unjudged, Violations},
    disk::{Room, SmallDisk},
    ground::in_memory,
    judge::Judge,
    process::Server,
    random::Random,
    writer::Writer,
};
use annals_store_grpc::GrpcStore;
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

const PAYLOAD_BYTES: usize = 30_000;
/// More than any of the disks takes.
const APPENDS_MAX: u64 = 5_000;
const APPENDS_AFTERWARDS: u64 = 100;
/// How soon appends must be taken again.
const RESUME_TIME_MAX: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(5);
const MIB: u64 = 1 << 20;

/// What came of the trials.
#[derive(Default)]
struct Trials {
    full: u64,
    too_small: u64,
    handles: u64,
}

pub(super) async fn judge(run: &Run) -> Result<Finding, Unjudged> {
    let mut finding = suites::finding(run, 9).await?;
    let (mut random, mut trials) = (run.random(9), Trials::default());
    for step in 0..run.effort.pick(6, 80) {
        let bytes = MIB / 2 + step * run.effort.pick(7, 1) * MIB / 2;
        let room = Room { bytes, ..Room::AMPLE };
        finding.violations.take_in(fill(run, room, &mut random, &mut trials).await?);
    }
    for inodes in 2..run.effort.pick(8, 16) {
        let room = Room { inodes, ..Room::AMPLE };
        finding.violations.take_in(fill(run, room, &mut random, &mut trials).await?);
    }
    for spare in 0..run.effort.pick(3, 8) {
        finding.violations.take_in(without_handles(run, spare, &mut random).await?);
        trials.handles += 1;
    }
    finding.count(trials.full, "full disks under the real program");
    finding.count(trials.too_small, "too small to start on");
    finding.count(trials.handles, "times without handles");
    Ok(finding)
}

/// Fills a disk, starts on it again, gives it room, goes on.
async fn fill(
    run: &Run,
    room: Room,
    random: &mut Random,
    trials: &mut Trials,
) -> Result<Violations, Unjudged> {
    let (disk, judge) = (SmallDisk::make(room)?, Arc::new(Judge::new()));
    let data = disk.data();
    let Ok(server) = Server::start(run.program.command(&data)).await else {
        trials.too_small += 1;
        disk.resize(Room::AMPLE)?;
        // Whatever was left behind, with room it starts.
        Server::start(run.program.command(&data)).await?.kill().await?;
        return Ok(Violations::default());
    };
    trials.full += 1;
    let store = server.client().await?;
    let mut trial = Trial {
        writer: Writer::new(Arc::clone(&judge), random.fork(), PAYLOAD_BYTES),
        judge,
        what: format!("{room:?}"),
    };
    trial.until_full(&store).await?;
    disk.resize(Room::AMPLE)?;
    trial.resumes(&store).await?;
    // Full again, to the last byte, and now the program dies too.
    disk.resize(Room { bytes: used_bytes(&data)? + MIB, ..Room::AMPLE })?;
    trial.until_full(&store).await?;
    server.kill().await?;
    let filler = disk.fill_up()?;
    let server =
        Server::start(run.program.command(&data)).await.context("it does not start on the full disk")?;
    let store = server.client().await?;
    trial.until_full(&store).await?;
    filler.remove()?;
    disk.resize(Room::AMPLE)?;
    trial.resumes(&store).await?;
    server.kill().await?;
    Ok(trial.end(run, &data).await?)
}

/// The process may open `spare` more files, then none.
async fn without_handles(run: &Run, spare: u64, random: &mut Random) -> Result<Violations> {
    let (folder, judge) = (in_memory()?, Arc::new(Judge::new()));
    let server = Server::start(run.program.command(folder.path())).await?;
    let store = server.client().await?;
    let what = format!("{spare} spare handles");
    let mut trial =
        Trial { writer: Writer::new(Arc::clone(&judge), random.fork(), PAYLOAD_BYTES), judge, what };
    trial.writer.append_until_refused(&store, 3).await?;
    let process = server.id()?;
    let open = u64::try_from(fs::read_dir(format!("/proc/{process}/fd"))?.count())?;
    let limit = Handles::of(process)?;
    limit.set(process, open + spare).await?;
    trial.until_full(&store).await?;
    limit.set(process, limit.soft).await?;
    trial.resumes(&store).await?;
    server.kill().await?;
    trial.end(run, folder.path()).await
}

/// How many handles a process may have.
struct Handles {
    soft: u64,
    hard: u64,
}

impl Handles {
    fn of(process: u32) -> Result<Self> {
        let limits = fs::read_to_string(format!("/proc/{process}/limits"))?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let mut numbers = line.context("no limit of open files")?.split_whitespace().map(str::parse);
        let mut next = || numbers.next().context("a limit is missing");
        Ok(Self { soft: next()??, hard: next()?? })
    }

    async fn set(&self, process: u32, soft: u64) -> Result<()> {
        let mut prlimit = Command::new("prlimit");
        prlimit.arg(format!("--pid={process}")).arg(format!("--nofile={soft}:{}", self.hard));
        ensure!(prlimit.status().await?.success(), "prlimit failed");
        Ok(())
    }
}

struct Trial {
    writer: Writer,
    judge: Arc<Judge>,
    what: String,
}

impl Trial {
    /// Appends until there is no room. Then the error is clear and reads go on.
    async fn until_full(&mut self, store: &GrpcStore) -> Result<()> {
        let (_, reason) = self.writer.append_until_refused(store, APPENDS_MAX).await?;
        let reason = reason.with_context(|| format!("{} never ended", self.what))?;
        if !reason.contains("no room") {
            self.judge.accuse(format!("no clear error with {}: {reason}", self.what));
        }
        if let Err(error) = self.judge.settle(store).await {
            self.judge.accuse(format!("reads ended with {}: {error:#}", self.what));
        }
        Ok(())
    }

    /// Appends are taken again soon.
    async fn resumes(&mut self, store: &GrpcStore) -> Result<()> {
        let deadline = Instant::now() + RESUME_TIME_MAX;
        while let Err(reason) = self.writer.append(store).await? {
            if Instant::now() > deadline {
                self.judge.accuse(format!("with room again after {}: {reason}", self.what));
                return Ok(());
            }
            sleep(TRY_EVERY).await;
        }
        let (_, reason) = self.writer.append_until_refused(store, APPENDS_AFTERWARDS).await?;
        if let Some(reason) = reason {
            self.judge.accuse(format!("soon after there was room again after {}: {reason}", self.what));
        }
        Ok(())
    }

    /// Nothing is lost after another start.
    async fn end(self, run: &Run, data: &Path) -> Result<Violations> {
        let server = Server::start(run.program.command(data)).await?;
        self.judge.settle_all(&server.client().await?).await?;
        server.kill().await?;
        drop(self.writer);
        Ok(Arc::into_inner(self.judge).context("a client is still there")?.finish().1)
    }
}

fn used_bytes(folder: &Path) -> Result<u64> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len()));
    files.sum()
}
