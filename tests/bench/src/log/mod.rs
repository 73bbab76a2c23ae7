//! The embedded log compared with the disk that it is on.

mod append;
mod beside;
mod disk;
mod fold;
mod load;
mod open;
mod read;

pub(crate) use fold::fold_and_tell;
pub(crate) use load::Load;
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
    /// One client's appends beside a client that is refused, full segments, and subscribers to whom nothing happens.
    Beside,
    /// Reading what is in the page cache.
    Read,
    /// Opening, and the memory that an open log takes.
    Open,
    /// The memory of a fold that wants few events of many.
    Fold,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("annals-bench-").tempdir_in(&options.folder)?;
    let mut report = Report::new(options.json);
    let sizes = if options.quick { QUICK } else { FULL };
    if options.wants(Part::Append) {
        append::run(&mut report, folder.path(), &sizes.append).await?;
    }
    if options.wants(Part::Beside) {
        beside::run(&mut report, folder.path(), &sizes.beside).await?;
    }
    if options.wants(Part::Read) {
        read::run(&mut report, folder.path(), &sizes.read).await?;
    }
    if options.wants(Part::Open) {
        open::run(&mut report, folder.path(), &sizes.open)?;
    }
    if options.wants(Part::Fold) {
        fold::run(&mut report, folder.path(), &sizes.fold).await?;
    }
    report.finish()?;
    Ok(())
}

struct Sizes {
    append: append::Sizes,
    beside: beside::Sizes,
    read: read::Sizes,
    open: open::Sizes,
    fold: fold::Sizes,
}

const FULL: Sizes = Sizes {
    append: append::Sizes { single: 10_000, each_of_64: 5_000, batched: 400_000 },
    beside: beside::Sizes { appends: 10_000, indexed: 1_000_000, rotations: 8, subscribers: 500 },
    read: read::Sizes { events: 1_000_000, streams: 10_000, stream_reads: 5_000 },
    open: open::Sizes { events: 10_000_000, streams: 1_000_000 },
    fold: fold::Sizes { events: 3_000_000 },
};

const QUICK: Sizes = Sizes {
    append: append::Sizes { single: 2_000, each_of_64: 1_000, batched: 80_000 },
    beside: beside::Sizes { appends: 1_000, indexed: 200_000, rotations: 2, subscribers: 500 },
    read: read::Sizes { events: 1_000_000, streams: 10_000, stream_reads: 2_000 },
    open: open::Sizes { events: 500_000, streams: 250_000 },
    fold: fold::Sizes { events: 300_000 },
};
