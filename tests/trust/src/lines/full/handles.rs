//! A process that may open only a few more files, and then none.

use super::trial::Trial;
use crate::{
    card::Violations, ground::in_memory, lines::Run, process::Server, random::Random, writer::Whose,
};
use anyhow::{Context, Result, ensure};
use std::fs;
use tokio::process::Command;

/// Appends while there are handles, so that everything that stays open is open.
const APPENDS_BEFORE: u64 = 3;

/// The process may open `spare` more files, and then none.
pub(super) async fn without_handles(run: &Run, spare: u64, random: &mut Random) -> Result<Violations> {
    let folder = in_memory()?;
    let server = Server::start(run.program.command(folder.path())).await?;
    let store = server.client().await?;
    let mut trial = Trial::new(random.fork(), format!("{spare} spare handles"));
    trial.writer.append_until_refused(&store, Whose::Users, APPENDS_BEFORE).await?;
    let process = server.id()?;
    let open = u64::try_from(fs::read_dir(format!("/proc/{process}/fd"))?.count())?;
    let limit = Handles::of(process)?;
    limit.set(process, open + spare).await?;
    trial.until_full(&store).await?;
    limit.set(process, limit.soft).await?;
    trial.resumes(&store).await?;
    server.kill().await?;
    trial.end(Server::start(run.program.command(folder.path())).await?).await
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
