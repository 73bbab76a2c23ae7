//! Line 25: the clock of a server is moved while it serves, and between two of its lives. Order, request ids and
//! retention are not affected, appends go on, and the server says that its clock is not to be trusted.

use super::Run;
use crate::{
    card::{Finding, Unjudged, Violations},
    ground::{in_memory, own_program},
    http::get,
    judge::Judge,
    process::Server,
    random::Random,
    writer::{Whose, Writer},
};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
use annals_store::EventStore;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::sleep;

/// Small ones, so that there is something to drop.
const SEGMENT_BYTES: &str = "65536";
const PAYLOAD_BYTES: usize = 2_000;
/// With a correct clock, this retention drops nothing.
const RETAIN_SECONDS: &str = "86400";
const RETAIN_EVERY_MS: &str = "20";
/// Long enough for retention to look many times.
const PAUSE: Duration = Duration::from_millis(300);
const APPENDS: u64 = 100;
/// Where distributions install it: in a folder of this name, or one folder deeper.
const LIBRARY_ROOTS: &[&str] = &["/usr/lib", "/usr/lib64"];
const LIBRARY_FOLDER: &str = "faketime";
const LIBRARY: &str = "libfaketimeMT.so.1";

/// What happens to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jump {
    Forward,
    Back,
    Stuck,
}

impl Jump {
    const ALL: [Self; 3] = [Self::Forward, Self::Back, Self::Stuck];

    /// In libfaketime's notation.
    const fn as_told(self) -> &'static str {
        match self {
            Self::Forward => "+20y",
            Self::Back => "-400d",
            // A thousandth of the right speed.
            Self::Stuck => "+0 x0.001",
        }
    }
}

/// The correct clock.
const RIGHT: &str = "+0";

pub(super) async fn judge(run: &Run) -> Result<Finding, Unjudged> {
    let library = library().ok_or_else(|| Unjudged::Skipped("no libfaketime on this machine".into()))?;
    let (mut finding, mut random) = (Finding::default(), run.random(25));
    let rounds = run.effort.pick(2, 20);
    for round in 0..rounds {
        for jump in Jump::ALL {
            run.progress.set(format!("round {round} of {rounds}: {jump:?}"));
            let violations = jump_while_it_serves(&library, jump, &mut random).await;
            finding.violations.take_in(violations.with_context(|| format!("{jump:?}"))?);
            finding.count(1, format!("clock: {jump:?}"));
        }
    }
    finding.counts.clear();
    let jumps = u64::try_from(Jump::ALL.len()).unwrap_or(0);
    finding.count(rounds * jumps, "clocks moved under a server, and between its lives");
    Ok(finding)
}

fn library() -> Option<PathBuf> {
    let deeper = |root: &str| fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let folders = LIBRARY_ROOTS.iter().flat_map(|root| {
        let here = PathBuf::from(root);
        std::iter::once(here).chain(deeper(root).map(|entry| entry.path()))
    });
    folders.map(|folder| folder.join(LIBRARY_FOLDER).join(LIBRARY)).find(|library| library.is_file())
}

/// A log whose server's clock can be moved.
struct Clocked {
    folder: TempDir,
    library: PathBuf,
}

impl Clocked {
    fn clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    fn set(&self, told: &str) -> Result<()> {
        // Replaced as a whole: the server may read it at any moment.
        let draft = self.folder.path().join("clock.new");
        fs::write(&draft, told)?;
        Ok(fs::rename(draft, self.clock())?)
    }

    async fn start(&self) -> Result<Server> {
        let mut command = own_program()?;
        command.arg("serve").arg(self.folder.path().join("log")).args(["--segment-bytes", SEGMENT_BYTES]);
        command.args(["--retain-seconds", RETAIN_SECONDS, "--retain-every-ms", RETAIN_EVERY_MS]);
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.clock());
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Server::start(command).await
    }
}

async fn jump_while_it_serves(library: &Path, jump: Jump, random: &mut Random) -> Result<Violations> {
    let log = Clocked { folder: in_memory()?, library: library.to_owned() };
    let judge = Arc::new(Judge::new());
    let mut writer = Writer::new(Arc::clone(&judge), random.fork(), PAYLOAD_BYTES);
    log.set(RIGHT)?;
    let server = log.start().await?;
    let repeated = before(&server, &mut writer, &judge).await?;
    log.set(jump.as_told())?;
    goes_on(&server, &mut writer, &judge, &repeated, jump).await?;
    if jump == Jump::Forward {
        let stats = get(&server.address(), "/v1/stats").await?;
        if !has_warning(&stats.body)? {
            judge.accuse(format!("nobody is told that the clock is wrong: {}", stats.body));
        }
    }
    // The clock stays as it is over a restart; then it is correct again.
    server.kill().await?;
    let server = log.start().await?;
    goes_on(&server, &mut writer, &judge, &repeated, jump).await?;
    log.set(RIGHT)?;
    goes_on(&server, &mut writer, &judge, &repeated, jump).await?;
    server.kill().await?;
    let server = log.start().await?;
    judge.settle_all(&server.client().await?).await?;
    server.kill().await?;
    drop(writer);
    Ok(Arc::into_inner(judge).context("a client is still there")?.finish().1)
}

/// Some appends, one of which is to be repeated later.
async fn before(server: &Server, writer: &mut Writer, judge: &Arc<Judge>) -> Result<Append> {
    let store = server.client().await?;
    let event = NewEvent::json(EventType::new("happened")?, b"{}".as_slice());
    let append = Append::to(StreamName::new("repeated-1")?, ExpectedVersion::Any, vec![event]);
    let asked = judge.ask(&Arc::new(append.clone()));
    let answer = store.append(append.clone()).await;
    judge.hear(&asked, &answer);
    answer?;
    append_some(writer, &store).await?;
    Ok(append)
}

async fn append_some(writer: &mut Writer, store: &annals_store_grpc::GrpcStore) -> Result<Option<String>> {
    Ok(writer.append_until_refused(store, Whose::Users, APPENDS).await?.1)
}

/// Appends are accepted, a repeat is recognised, nothing was dropped.
async fn goes_on(
    server: &Server,
    writer: &mut Writer,
    judge: &Arc<Judge>,
    repeated: &Append,
    jump: Jump,
) -> Result<()> {
    let store = server.client().await?;
    if let Some(reason) = append_some(writer, &store).await? {
        judge.accuse(format!("with {jump:?} an append is refused: {reason}"));
    }
    // A request made now by a client whose clock is correct, and one that was made before.
    let event = NewEvent::json(EventType::new("happened")?, b"{}".as_slice());
    let now = Append::to(StreamName::new("now-1")?, ExpectedVersion::Any, vec![event]);
    for (append, known) in [(&now, false), (repeated, true)] {
        let asked = judge.ask(&Arc::new(append.clone()));
        let answer = store.append(append.clone()).await;
        judge.hear(&asked, &answer);
        match answer {
            Ok(receipt) if receipt.repeated == known => {}
            other => judge.accuse(format!("with {jump:?}, known before: {known}: {other:?}")),
        }
    }
    sleep(PAUSE).await;
    append_some(writer, &store).await?;
    judge.settle(&store).await?;
    let first = store.head().await?.first;
    if first != Sequence::FIRST {
        judge.accuse(format!("with {jump:?} the log begins at {first}: events were dropped"));
    }
    Ok(())
}

fn has_warning(stats: &str) -> Result<bool> {
    let stats: serde_json::Value = serde_json::from_str(stats)?;
    Ok(stats.pointer("/clock/warning").is_some_and(serde_json::Value::is_string))
}
