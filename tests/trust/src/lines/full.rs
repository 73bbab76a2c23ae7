//! Line 9: no space, no inodes, no file handles. The error is clear, reads go on, the program starts on the full
//! disk, and appends are accepted again without a restart once there is room.
//!
//! Disks fill up in two ways: to the reserve that the log keeps free for the platform's own appends, or, where it
//! keeps little or none, to their last byte. The program also dies there and starts again, after something else has
//! used some of the room that it had.

mod handles;
mod trial;

use super::{Run, suites};
use crate::{
    card::{Finding, Unjudged, Violations},
    disk::{Room, SmallDisk},
    process::Server,
    random::Random,
};
use anyhow::{Context, Result};
use handles::without_handles;
use std::path::Path;
use trial::Trial;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Sizes of disks and reserves differ by whole pages.
const PAGE_BYTES: u64 = 4 << 10;
/// The smallest disk that is tried: a log does not fit on it.
const DISK_BYTES_MIN: u64 = MIB / 2;

/// How the trials ended, as intended, and how many there were.
#[derive(Default)]
struct Trials {
    low: u64,
    full: u64,
    without_inodes: u64,
    too_small: u64,
    handles: u64,
}

/// A log that keeps this much free, on a disk with this much room.
#[derive(Clone, Copy, Debug)]
struct Setup {
    reserve_bytes: u64,
    room: Room,
}

impl Setup {
    async fn start(self, run: &Run, data: &Path) -> Result<Server> {
        let mut command = run.program.command(data);
        command.args(["--reserve-bytes", &self.reserve_bytes.to_string()]);
        Server::start(command).await
    }

    /// Whether the disk fills up to the reserve rather than to its last byte.
    const fn has_reserve(self) -> bool {
        self.reserve_bytes >= MIB
    }
}

pub(super) async fn judge(run: &Run) -> Result<Finding, Unjudged> {
    let mut finding = suites::finding(run, 9).await?;
    let (mut random, mut trials) = (run.random(9), Trials::default());
    let setups: Vec<_> = setups(run, &mut random).collect();
    for (at, setup) in setups.iter().enumerate() {
        run.progress.set(format!("{at} of {} disks", setups.len()));
        let violations = fill(run, *setup, &mut random, &mut trials).await;
        finding.violations.take_in(violations?);
    }
    for spare in 0..run.effort.pick(3, 5) {
        finding.violations.take_in(without_handles(run, spare, &mut random).await?);
        trials.handles += 1;
    }
    finding.count(trials.low, "disks filled to the reserve under the real program");
    finding.count(trials.full, "to the last byte");
    finding.count(trials.without_inodes, "to the last inode");
    finding.count(trials.too_small, "too small to start on");
    finding.count(trials.handles, "times without handles");
    Ok(finding)
}

/// Disks that fill up within each of the first segments and between them, with every kind of reserve.
fn setups(run: &Run, random: &mut Random) -> impl Iterator<Item = Setup> {
    let disks = run.effort.pick(8, 60);
    let mut random = random.fork();
    let space = (0..disks).flat_map(move |step| {
        let beyond = DISK_BYTES_MIN + step * run.effort.pick(3, 1) * MIB / 2;
        let beyond = beyond + random.below(MIB / 2 / PAGE_BYTES) * PAGE_BYTES;
        let reserve = MIB + random.below(4 * MIB / PAGE_BYTES) * PAGE_BYTES;
        let reserves = [annals_store_log::Options::default().reserve_bytes, reserve, 64 * KIB, 0];
        // The small ones more often: only there a disk is really full.
        let picked = [step % 2, 2 + step % 2].map(|at| usize::try_from(at).unwrap_or(0));
        picked.map(|at| {
            let reserve_bytes = reserves.get(at).copied().unwrap_or(0);
            // Sometimes there is not even the reserve.
            let bytes = if step % 5 == 4 { beyond } else { reserve_bytes + beyond };
            Setup { reserve_bytes, room: Room { bytes, ..Room::AMPLE } }
        })
    });
    let inodes = (2..run.effort.pick(8, 16)).map(|inodes| Setup {
        reserve_bytes: annals_store_log::Options::default().reserve_bytes,
        room: Room { inodes, ..Room::AMPLE },
    });
    space.chain(inodes)
}

/// Fills a disk, starts on it again, gives it room, goes on.
async fn fill(
    run: &Run,
    setup: Setup,
    random: &mut Random,
    trials: &mut Trials,
) -> Result<Violations, Unjudged> {
    let disk = SmallDisk::make(setup.room)?;
    let data = disk.data();
    let Ok(server) = setup.start(run, &data).await else {
        trials.too_small += 1;
        disk.resize(Room::AMPLE)?;
        // Whatever it left there, it starts once it has room.
        setup.start(run, &data).await?.kill().await?;
        return Ok(Violations::default());
    };
    match setup {
        Setup { room: Room { inodes, .. }, .. } if inodes < Room::AMPLE.inodes => trials.without_inodes += 1,
        setup if setup.has_reserve() => trials.low += 1,
        _ => trials.full += 1,
    }
    let mut trial = Trial::new(random.fork(), format!("{setup:?}"));
    let filled = fill_twice(run, setup, &disk, server, &mut trial).await;
    filled.with_context(|| format!("{setup:?}"))?;
    let server = setup.start(run, &data).await?;
    Ok(trial.end(server).await?)
}

async fn fill_twice(
    run: &Run,
    setup: Setup,
    disk: &SmallDisk,
    server: Server,
    trial: &mut Trial,
) -> Result<()> {
    let data = disk.data();
    let store = server.client().await?;
    let room = setup.room.inodes == Room::AMPLE.inodes && setup.has_reserve();
    if room {
        trial.until_low(&store, disk, setup).await?
    } else {
        trial.until_full(&store).await?
    }
    disk.resize(Room::AMPLE)?;
    trial.resumes(&store).await?;
    // Full again; now the program dies too, and something else takes what it leaves.
    disk.shrink_to_free(setup.reserve_bytes + MIB)?;
    if setup.has_reserve() {
        trial.until_low(&store, disk, setup).await?
    } else {
        trial.until_full(&store).await?
    }
    server.kill().await?;
    let filler = disk.fill_up()?;
    let server = setup.start(run, &data).await.context("it does not start on the full disk")?;
    let store = server.client().await?;
    trial.until_full(&store).await?;
    filler.remove()?;
    disk.resize(Room::AMPLE)?;
    trial.resumes(&store).await?;
    server.kill().await
}
