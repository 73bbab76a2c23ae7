//! Line 8: the k-th write or sync of each of the real program's threads fails. Nothing is acknowledged after the log
//! said that it stopped, reads go on, and nothing is lost after the next start. The simulated disk does the same for
//! every operation of many lives.

use super::{Run, suites};
use crate::{
    card::{Finding, Unjudged, Violations},
    disk::need,
    ground::in_memory,
    judge::Judge,
    process::Server,
    random::Random,
    writer::{Whose, Writer},
};
use annals_store::EventStore;
use anyhow::{Context, Result};
use std::{path::Path, sync::Arc};
use tokio::process::Command;

/// What the log says once a write or sync of an append has failed.
const STOPPED: &str = "stopped writing";
/// What it says while it lacks room, before it goes on.
const NO_ROOM: &str = "no room";
const APPENDS_MAX: u64 = 60;
const PAYLOAD_BYTES: usize = 40_000;
const TRIES_AFTERWARDS: u64 = 5;

/// A system call that fails, and how.
#[derive(Clone, Copy)]
struct Fault {
    call: &'static str,
    error: &'static str,
}

const FAULTS: [Fault; 4] = [
    Fault { call: "fdatasync", error: "EIO" },
    Fault { call: "pwrite64", error: "EIO" },
    Fault { call: "pwrite64", error: "ENOSPC" },
    Fault { call: "fsync", error: "EIO" },
];

/// The results of the trials.
#[derive(Default)]
struct Trials {
    run: u64,
    stopped: u64,
    not_started: u64,
}

pub(super) async fn judge(run: &Run) -> Result<Finding, Unjudged> {
    let mut finding = suites::finding(run, 8).await?;
    need(&["strace"])?;
    let (mut random, mut trials) = (run.random(8), Trials::default());
    let last = run.effort.pick(10, 150);
    for fault in FAULTS {
        for at in 1..=last {
            run.progress.set(format!("{} {at} of {last} of {}", fault.error, fault.call));
            let violations = fail(run, fault, at, &mut random, &mut trials).await;
            let violations = violations.with_context(|| format!("{} {at} of {}", fault.error, fault.call))?;
            finding.violations.take_in(violations);
        }
    }
    finding.count(trials.run, "faults in the real program");
    finding.count(trials.stopped, "of them stopped it");
    finding.count(trials.not_started, "of them kept it from starting");
    Ok(finding)
}

/// The `at`-th such call of each thread fails.
async fn fail(
    run: &Run,
    fault: Fault,
    at: u64,
    random: &mut Random,
    trials: &mut Trials,
) -> Result<Violations> {
    let (folder, judge) = (in_memory()?, Arc::new(Judge::new()));
    trials.run += 1;
    match Server::start(under_strace(run, folder.path(), fault, at)).await {
        Ok(server) => {
            let store = server.client().await?;
            let mut writer = Writer::new(Arc::clone(&judge), random.fork(), PAYLOAD_BYTES);
            let (_, reason) = writer.append_until_refused(&store, Whose::Users, APPENDS_MAX).await?;
            if let Some(reason) = reason {
                let told = format!("after {} {at} of {}: {reason}", fault.error, fault.call);
                let is_clear = [STOPPED, NO_ROOM].iter().any(|word| reason.contains(word));
                if !is_clear {
                    judge.accuse(format!("no clear error {told}"));
                }
                if reason.contains(STOPPED) {
                    trials.stopped += 1;
                    stays_stopped(&mut writer, &judge, &store, &told).await?;
                }
                if let Err(error) = store.head().await {
                    judge.accuse(format!("reads ended {told}: {error}"));
                }
            }
            server.kill().await?;
        }
        Err(_) => trials.not_started += 1,
    }
    let server = Server::start(run.program.command(folder.path())).await?;
    judge.settle_all(&server.client().await?).await?;
    server.kill().await?;
    Ok(Arc::into_inner(judge).context("a client is still there")?.finish().1)
}

async fn stays_stopped(
    writer: &mut Writer,
    judge: &Judge,
    store: &annals_store_grpc::GrpcStore,
    told: &str,
) -> Result<()> {
    for _ in 0..TRIES_AFTERWARDS {
        if writer.append(store, Whose::Users).await?.is_ok() {
            judge.accuse(format!("an append was acknowledged {told}"));
        }
    }
    Ok(())
}

/// The program under strace: it stays a child of this process, so it can be killed by its id.
fn under_strace(run: &Run, data: &Path, fault: Fault, at: u64) -> Command {
    let Fault { call, error } = fault;
    let plain = run.program.command(data);
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-q", "-o", "/dev/null"]);
    command.arg(format!("--trace={call}")).arg(format!("--inject={call}:error={error}:when={at}"));
    command.arg(run.program.path()).args(plain.as_std().get_args());
    crate::ground::quiet(&mut command);
    command
}
