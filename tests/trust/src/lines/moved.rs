//! Line 26: the folder of a log is deleted, replaced by a restored one, or made read-only while a server holds it.
//! The server notices within seconds, says so, and from then on acknowledges no append. What it acknowledged before
//! is there if the disk still has it.

use super::Run;
use crate::{
    card::{Finding, Unjudged, Violations},
    disk::PowerDisk,
    ground::in_memory,
    http::get,
    judge::Judge,
    process::Server,
    random::Random,
    writer::{Whose, Writer},
};
use annals_store::EventStore;
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

/// The server must notice within this time.
const NOTICE_TIME_MAX: Duration = Duration::from_secs(5);
/// How long appends are tried after that.
const AFTERWARDS: Duration = Duration::from_secs(1);
const TRY_EVERY: Duration = Duration::from_millis(20);
const APPENDS: u64 = 200;
const PAYLOAD_BYTES: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Deleted,
    Replaced,
    ReplacedAndServed,
    ParentRenamed,
}

impl Change {
    const ALL: [Self; 4] = [Self::Deleted, Self::Replaced, Self::ReplacedAndServed, Self::ParentRenamed];
}

pub(super) async fn judge(run: &Run) -> Result<Finding, Unjudged> {
    let (mut finding, mut random) = (Finding::default(), run.random(26));
    let rounds = run.effort.pick(1, 10);
    for round in 0..rounds {
        for change in Change::ALL {
            run.progress.set(format!("round {round} of {rounds}: {change:?}"));
            let violations = change_under_it(run, change, &mut random).await;
            finding.violations.take_in(violations.with_context(|| format!("{change:?}"))?);
        }
        run.progress.set(format!("round {round} of {rounds}: read-only"));
        finding.violations.take_in(read_only(run, &mut random).await?);
    }
    let changes = u64::try_from(Change::ALL.len()).unwrap_or(0);
    finding.count(rounds * changes, "folders deleted, replaced or moved under a server");
    finding.count(rounds, "made read-only");
    Ok(finding)
}

async fn change_under_it(run: &Run, change: Change, random: &mut Random) -> Result<Violations> {
    let (folder, mut violations) = (in_memory()?, Violations::default());
    let parent = folder.path().join("data");
    let (data, copy) = (parent.join("log"), folder.path().join("copy"));
    fs::create_dir(&parent)?;
    // A log as it was some time ago.
    let server = Server::start(run.program.command(&data)).await?;
    let judge = Arc::new(Judge::new());
    let mut writer = Writer::new(Arc::clone(&judge), random.fork(), PAYLOAD_BYTES);
    writer.append_until_refused(&server.client().await?, Whose::Users, APPENDS).await?;
    server.kill().await?;
    copy_folder(&data, &copy)?;

    let server = Server::start(run.program.command(&data)).await?;
    let store = server.client().await?;
    writer.append_until_refused(&store, Whose::Users, APPENDS).await?;
    let changed = Instant::now();
    let other = match change {
        Change::Deleted => {
            fs::remove_dir_all(&data)?;
            None
        }
        Change::Replaced | Change::ReplacedAndServed => {
            fs::rename(&data, folder.path().join("away"))?;
            fs::rename(&copy, &data)?;
            None
        }
        Change::ParentRenamed => {
            fs::rename(&parent, folder.path().join("away"))?;
            None
        }
    };
    let other: Option<Server> = match change {
        Change::ReplacedAndServed => Some(Server::start(run.program.command(&data)).await?),
        _ => other,
    };
    notices(&server, &mut writer, changed, change, &mut violations).await?;
    drop(other);
    server.kill().await?;
    Ok(violations)
}

/// Appends until the server has noticed, and for some time after.
async fn notices(
    server: &Server,
    writer: &mut Writer,
    changed: Instant,
    change: Change,
    violations: &mut Violations,
) -> Result<()> {
    let store = server.client().await?;
    let mut noticed: Option<(Instant, String)> = None;
    let end = |noticed: &Option<(Instant, String)>| match noticed {
        Some((at, _)) => *at + AFTERWARDS,
        None => changed + NOTICE_TIME_MAX + AFTERWARDS,
    };
    while Instant::now() < end(&noticed) {
        match (writer.append(&store, Whose::Users).await?, &noticed) {
            (Ok(()), None) if changed.elapsed() > NOTICE_TIME_MAX => {
                violations
                    .add(format!("{change:?}: an append was acknowledged {:?} later", changed.elapsed()));
                return Ok(());
            }
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => violations.add(format!("{change:?}: an append was acknowledged afterwards")),
            (Err(reason), None) => noticed = Some((Instant::now(), reason)),
            (Err(_), Some(_)) => {}
        }
        sleep(TRY_EVERY).await;
    }
    let Some((_, reason)) = noticed else {
        violations.add(format!("{change:?}: nobody noticed"));
        return Ok(());
    };
    violations.must(reason.contains("folder"), || format!("{change:?}: no clear reason: {reason}"));
    let health = get(&server.address(), "/health/ready").await?;
    violations.must(health.status == 503 && health.body.contains("folder"), || {
        format!("{change:?}: health says {} {}", health.status, health.body)
    });
    Ok(())
}

fn copy_folder(from: &Path, to: &PathBuf) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// A folder and its files become unwritable: appends end with a reason, reads go on, and everything acknowledged is
/// there once they are writable again.
async fn read_only(run: &Run, random: &mut Random) -> Result<Violations, Unjudged> {
    crate::disk::need(&["chattr"])?;
    let disk = PowerDisk::make()?;
    Ok(made_read_only(run, &disk, random).await?)
}

async fn made_read_only(run: &Run, disk: &PowerDisk, random: &mut Random) -> Result<Violations> {
    let judge = Arc::new(Judge::new());
    let mut writer = Writer::new(Arc::clone(&judge), random.fork(), PAYLOAD_BYTES);
    let server = Server::start(run.program.command(&disk.data())).await?;
    let store = server.client().await?;
    writer.append_until_refused(&store, Whose::Users, APPENDS).await?;
    let writes = Writes::forbid(disk.data()).await?;
    let (made, reason) = writer.append_until_refused(&store, Whose::Users, APPENDS).await?;
    match reason {
        None => judge.accuse(format!("{made} appends were acknowledged in a folder that takes no writes")),
        Some(_) => {
            let health = get(&server.address(), "/health/ready").await?;
            if health.status != 503 {
                judge.accuse(format!("health says {} {}", health.status, health.body));
            }
        }
    }
    if let Err(error) = store.head().await {
        judge.accuse(format!("reads ended: {error}"));
    }
    server.kill().await?;
    writes.allow().await?;
    let server = Server::start(run.program.command(&disk.data())).await?;
    judge.settle_all(&server.client().await?).await?;
    server.kill().await?;
    drop(writer);
    Ok(Arc::into_inner(judge).context("a client is still there")?.finish().1)
}

/// A folder that cannot be written to until this is dropped.
struct Writes(Option<PathBuf>);

impl Writes {
    async fn forbid(folder: PathBuf) -> Result<Self> {
        change_attribute("+i", &folder).await?;
        Ok(Self(Some(folder)))
    }

    async fn allow(mut self) -> Result<()> {
        match self.0.take() {
            Some(folder) => change_attribute("-i", &folder).await,
            None => Ok(()),
        }
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            // Otherwise the disk could not be removed.
            let _ = std::process::Command::new("chattr").args(["-R", "-i"]).arg(folder).status();
        }
    }
}

async fn change_attribute(how: &str, folder: &Path) -> Result<()> {
    let status = Command::new("chattr").args(["-R", how]).arg(folder).status().await?;
    ensure!(status.success(), "chattr {how} failed");
    Ok(())
}
