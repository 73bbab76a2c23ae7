//! Servers as processes: started on a free port, watched from outside, ended by their own id.

use annals_store_grpc::GrpcStore;
use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use std::{fs, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// How long a server may take before it serves.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// How much of what a server says on standard error is kept.
const SAID_BYTES_MAX: usize = 16 << 10;

/// A server in a process of its own, killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    url: String,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Runs `command` until it says where it listens. If it does not, what it says is the error.
    pub(crate) async fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let said = Arc::new(Mutex::new(String::new()));
        let listening = tokio::spawn(listen_to(stderr.context("no standard error")?, Arc::clone(&said)));
        let mut lines = BufReader::new(stdout.context("no standard output")?).lines();
        let line = timeout(START_TIME_MAX, lines.next_line())
            .await
            .context("the server did not start in time")??;
        let url = line.as_deref().and_then(|line| line.strip_prefix("listening on "));
        let Some(url) = url.map(str::to_owned) else {
            child.wait().await?;
            listening.await?;
            bail!("the server did not start: {}", said.lock().lines().next().unwrap_or("it said nothing"));
        };
        Ok(Self { child, url, said })
    }

    /// Its address, as `--listen` takes it.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// What it said on standard error.
    pub(crate) fn said(&self) -> String {
        self.said.lock().trim().to_owned()
    }

    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }

    /// A client that gives up at the first failure, so that the judge hears of each.
    pub(crate) async fn client(&self) -> Result<GrpcStore> {
        self.client_with(impatient()).await
    }

    pub(crate) async fn client_with(&self, options: annals_store_grpc::Options) -> Result<GrpcStore> {
        Ok(GrpcStore::connect(&self.url, options).await?)
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// How much memory the process has to itself (anonymous pages), in bytes.
    pub(crate) fn memory_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib: u64 = line.context("no RssAnon")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }
}

/// Collects what a server says, up to a limit, until it ends.
async fn listen_to(mut stderr: ChildStderr, said: Arc<Mutex<String>>) {
    let mut part = vec![0; 4 << 10];
    while let Ok(count @ 1..) = stderr.read(&mut part).await {
        let text = String::from_utf8_lossy(part.get(..count).unwrap_or_default()).into_owned();
        let mut said = said.lock();
        if said.len() < SAID_BYTES_MAX {
            said.push_str(&text);
        }
    }
}

/// Options of a client that tries each request once.
pub(crate) fn impatient() -> annals_store_grpc::Options {
    annals_store_grpc::Options { retry_time_max: Duration::ZERO, ..annals_store_grpc::Options::default() }
}

/// Options of a client that tries each request again, for as long as a subscription.
pub(crate) fn patient() -> annals_store_grpc::Options {
    let options = annals_store_grpc::Options::default();
    annals_store_grpc::Options { call_time_max: options.retry_time_max, ..options }
}
