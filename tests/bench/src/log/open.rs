//! Opening a log after a clean stop and after a kill, and the memory that an open log takes, each in a process of its
//! own.

use super::load::Load;
use crate::{measure::lossy, report::Report};
use annals_store::EventStore;
use annals_store_log::LogStore;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// What is opened.
pub(crate) struct Sizes {
    pub(crate) events: usize,
    pub(crate) streams: usize,
}

const APPEND_EVENTS: usize = 10_000;
const FILLED: &str = "filled";

/// Fills a log.
#[derive(Args)]
pub(crate) struct Fill {
    folder: PathBuf,
    #[arg(long)]
    events: usize,
    #[arg(long)]
    streams: usize,
    /// Close the log and end, instead of waiting to be killed.
    #[arg(long)]
    close: bool,
}

#[derive(Serialize, Deserialize)]
struct Opened {
    open_ms: f64,
    resident_bytes: usize,
    head: u64,
}

impl Fill {
    #[expect(clippy::print_stdout, reason = "the parent waits for this line")]
    pub(crate) async fn run(&self) -> Result<()> {
        let store = LogStore::open(&self.folder, annals_store_log::Options::default()).await?;
        let load = Load::new()?;
        for first in (0..self.events).step_by(APPEND_EVENTS) {
            let count = APPEND_EVENTS.min(self.events - first).min(self.streams);
            let mut done = 0;
            while done < APPEND_EVENTS.min(self.events - first) {
                store.append(load.spread(first + done, count, self.streams)?).await?;
                done += count;
            }
        }
        if self.close {
            store.close().await?;
        }
        println!("{FILLED}");
        if !self.close {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads this line")]
pub(crate) async fn open_and_tell(folder: PathBuf) -> Result<()> {
    let begun = Instant::now();
    let store = LogStore::open(folder, annals_store_log::Options::default()).await?;
    let open_ms = begun.elapsed().as_secs_f64() * 1e3;
    let opened = Opened { open_ms, resident_bytes: resident_bytes()?, head: store.head().await?.last.get() };
    println!("{}", serde_json::to_string(&opened)?);
    Ok(())
}

pub(crate) fn run(report: &mut Report, folder: &Path, sizes: &Sizes) -> Result<()> {
    let clean = folder.join("clean");
    fill(&clean, sizes.events, sizes.streams, true)?;
    let with_streams = open(&clean, sizes.events)?;
    report.add("open.clean_ms", "ms", with_streams.open_ms, None);
    let killed = folder.join("killed");
    fill(&killed, sizes.events, sizes.streams, false)?;
    report.add("open.killed_ms", "ms", open(&killed, sizes.events)?.open_ms, None);
    std::fs::remove_dir_all(killed)?;

    let few = folder.join("few");
    let streams = 1_000;
    fill(&few, sizes.events, streams, true)?;
    let without = open(&few, sizes.events)?;
    let more = with_streams.resident_bytes.saturating_sub(without.resident_bytes);
    report.add("heads.bytes_per_stream", "bytes", lossy(more) / lossy(sizes.streams - streams), Some(48.0));
    report.add("open.resident_mib", "MiB", lossy(with_streams.resident_bytes >> 20), None);
    Ok(())
}

/// Fills a log in a process of its own, which then ends or is killed.
fn fill(folder: &Path, events: usize, streams: usize, close: bool) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("fill").arg(folder).arg(format!("--events={events}")).arg(format!("--streams={streams}"));
    if close {
        command.arg("--close");
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("no pipe")?;
    let line = BufReader::new(output).lines().next().transpose()?;
    if !close {
        child.kill()?;
    }
    child.wait()?;
    ensure!(line.as_deref() == Some(FILLED), "filling the log failed");
    Ok(())
}

fn open(folder: &Path, events: usize) -> Result<Opened> {
    let output =
        Command::new(std::env::current_exe()?).arg("open").arg(folder).stderr(Stdio::inherit()).output()?;
    let opened: Opened = serde_json::from_slice(&output.stdout).context("opening the log failed")?;
    ensure!(opened.head == u64::try_from(events)?, "{} of {events} events are there", opened.head);
    Ok(opened)
}

fn resident_bytes() -> Result<usize> {
    const PAGE_BYTES: usize = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = statm.split_whitespace().nth(1).context("statm has another form")?.parse()?;
    Ok(pages * PAGE_BYTES)
}
