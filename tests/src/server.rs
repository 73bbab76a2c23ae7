//! A program that serves until it is told to stop, as a process whose every line of output is kept.

use crate::{Program, Running};
use anyhow::{Context, Result, bail, ensure};
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    ops::Range,
    process::{Command, ExitStatus},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// How long to wait for a server to say something. Long enough for a busy machine; nothing is decided by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    running: Running,
    saying: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    /// Starts it as a server.
    pub fn serve(&self, arguments: &[impl AsRef<OsStr>]) -> Result<Server> {
        Server::start(self.command(arguments))
    }
}

impl Server {
    /// Starts `command`, whose standard output and error are captured.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (said, saying) = mpsc::channel();
        listen_to(child.stdout.take().context("standard output is not caught")?, said.clone());
        listen_to(child.stderr.take().context("standard error is not caught")?, said);
        Ok(Self { running: Running(child), saying, said: Vec::new() })
    }

    /// The rest of the first line that begins like this, as soon as there is one.
    pub fn line(&mut self, begin: &str) -> Result<String> {
        let until = Instant::now() + PATIENCE;
        let mut looked_at = 0;
        loop {
            let news = self.said.get(looked_at..).unwrap_or_default();
            if let Some(rest) = news.iter().find_map(|line| line.strip_prefix(begin)) {
                return Ok(rest.to_owned());
            }
            looked_at = self.said.len();
            ensure!(self.hear(until)?, "it ended without {begin:?}: {}", self.said.join("\n"));
        }
    }

    /// Sends it this signal, e.g. `TERM`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let (signal, id) = (format!("-{name}"), self.running.0.id().to_string());
        ensure!(Command::new("kill").args([&signal, &id]).status()?.success(), "it cannot be signalled");
        Ok(())
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.running.0.id()))?.count())
    }

    /// Waits for its end; returns how it ended, and everything that it said.
    pub fn ended(mut self) -> Result<(ExitStatus, Vec<String>)> {
        let until = Instant::now() + PATIENCE;
        while self.hear(until)? {}
        Ok((self.running.0.wait()?, std::mem::take(&mut self.said)))
    }

    /// Tells it to stop, as a supervisor does, and waits until it has.
    pub fn stop(self) -> Result<()> {
        self.signal("TERM")?;
        let (status, said) = self.ended()?;
        ensure!(status.success(), "it ended with {status}: {}", said.join("\n"));
        Ok(())
    }

    /// Whether it said another line; `false`: there will be no more.
    fn hear(&mut self, until: Instant) -> Result<bool> {
        match self.saying.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => self.said.push(line),
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => bail!("it says no more: {}", self.said.join("\n")),
        }
        Ok(true)
    }
}

/// Passes on what is said there, line by line, until the end.
fn listen_to(output: impl Read + Send + 'static, said: Sender<String>) {
    thread::spawn(move || {
        let lines = BufReader::new(output).lines();
        lines.map_while(std::io::Result::ok).try_for_each(|line| said.send(line))
    });
}

/// A free address whose port the system does not hand out. Ports that it does hand out, for port 0 and for outgoing
/// connections, may be gone when a server wants its own back.
pub fn lasting_address() -> SocketAddr {
    const PORTS: Range<u16> = 20_000..30_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(37).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from(place % u32::from(PORTS.end - PORTS.start)).unwrap_or_default();
        let address = SocketAddr::from(([127, 0, 0, 1], PORTS.start + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
