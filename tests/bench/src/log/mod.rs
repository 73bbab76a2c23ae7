//! The embedded log against the disk that it stands on.

mod append;
mod disk;
mod load;
mod open;
mod read;

pub(crate) use open::{Fill, open_and_tell};

use crate::report::Report;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Smaller sizes: ends within 40 seconds.
    #[arg(long)]
    quick: bool,
    /// Print one JSON array of {name, value, unit, baseline, ratio} on standard output, and the table on standard
    /// error.
    #[arg(long)]
    json: bool,
    /// Only this part; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// A folder on the disk to measure; a temporary one inside it is used and removed. Default: the current folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Durable appends beside the disk's own writes and syncs.
    Append,
    /// Reading what is in the page cache.
    Read,
    /// Opening, and the memory that an open log takes.
    Open,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("annals-bench-").tempdir_in(&options.folder)?;
    let mut report = Report::new(options.json);
    let (appends, reads, opens) = if options.quick { quick() } else { full() };
    if options.wants(Part::Append) {
        append::run(&mut report, folder.path(), &appends).await?;
    }
    if options.wants(Part::Read) {
        read::run(&mut report, folder.path(), &reads).await?;
    }
    if options.wants(Part::Open) {
        open::run(&mut report, folder.path(), &opens)?;
    }
    report.finish()?;
    Ok(())
}

fn full() -> (append::Sizes, read::Sizes, open::Sizes) {
    (
        append::Sizes { single: 10_000, each_of_64: 5_000, batched: 400_000 },
        read::Sizes { events: 1_000_000, streams: 10_000, stream_reads: 5_000 },
        open::Sizes { events: 10_000_000, streams: 1_000_000 },
    )
}

fn quick() -> (append::Sizes, read::Sizes, open::Sizes) {
    (
        append::Sizes { single: 2_000, each_of_64: 1_000, batched: 80_000 },
        read::Sizes { events: 1_000_000, streams: 10_000, stream_reads: 2_000 },
        open::Sizes { events: 500_000, streams: 250_000 },
    )
}
