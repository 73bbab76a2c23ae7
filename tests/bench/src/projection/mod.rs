//! Read models: rebuilds and the head of the log, compared with the database that the rows are in.

mod baseline;
mod database;
mod head;
mod model;
mod payments;
mod rare;
mod rebuild;
mod sqlite;
mod wide;

pub(crate) use rebuild::Rebuild;

use crate::{process::mib, report::Report};
use anyhow::Result;
use clap::{Args, ValueEnum};
use database::Database;
use rebuild::{Case, Source};
use std::path::PathBuf;

/// The log with rare events is so many times as long as the one that is rebuilt.
const RARE_TIMES: usize = 10;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer events and cases: ends within a minute.
    #[arg(long)]
    quick: bool,
    /// How many events are rebuilt, instead of 1,000,000 or, with --quick, 100,000; the log with rare events has ten times as
    /// many.
    #[arg(long, value_name = "N")]
    events: Option<usize>,
    /// Print one JSON array of {name, value, unit, baseline, ratio} on standard output, and the table on standard
    /// error.
    #[arg(long)]
    json: bool,
    /// Only this part; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Only this database; may be given several times.
    #[arg(long, value_name = "DATABASE")]
    database: Vec<Database>,
    /// A folder on the disk to measure; a temporary one inside it is used and removed. Default: the current folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rebuilds with few and with many keys, beside the plain loop and the bare database.
    Rebuild,
    /// From an append to the row at the head of the log.
    Head,
    /// One event that changes 100,000 rows.
    Wide,
    /// A read model that wants few events of a long log.
    Rare,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn sizes(&self) -> Sizes {
        let mut sizes = if self.quick { QUICK } else { FULL };
        sizes.rebuild.events = self.events.unwrap_or(sizes.rebuild.events);
        sizes
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("annals-bench-").tempdir_in(&options.folder)?;
    let mut report = Report::new(options.json);
    let sizes = options.sizes();
    let all = Database::value_variants().iter();
    let wanted = |database: &&Database| options.database.is_empty() || options.database.contains(database);
    let (mut most_bytes, mut slowest_us) = (None, None);
    for database in all.copied().filter(|database| wanted(&database)) {
        let folder = tempfile::tempdir_in(folder.path())?;
        if options.wants(Part::Rebuild) {
            let bytes = rebuild::run(&mut report, folder.path(), database, &sizes.rebuild).await?;
            most_bytes = most_bytes.max(Some(bytes));
        }
        if options.wants(Part::Head) {
            let latencies = head::run(&mut report, folder.path(), database, sizes.head_events).await?;
            slowest_us = Some(latencies.quantile_us(0.99).max(slowest_us.unwrap_or(0.0)));
        }
        if options.wants(Part::Wide) {
            wide::run(&mut report, folder.path(), database).await?;
        }
        if options.wants(Part::Rare) {
            rare::run(&mut report, folder.path(), database, sizes.rebuild.events * RARE_TIMES).await?;
        }
    }
    // The worst of all databases.
    most_bytes.iter().for_each(|bytes| report.add("projection.rss_mib", "MiB", mib(*bytes), None));
    slowest_us.iter().for_each(|slowest| report.add("projection.latency.p99_us", "us", *slowest, None));
    report.finish()?;
    Ok(())
}

struct Sizes {
    rebuild: rebuild::Sizes,
    head_events: usize,
}

const FULL: Sizes = Sizes {
    rebuild: rebuild::Sizes {
        events: 1_000_000,
        cases: &[
            Case { name: "keys10k", customers: 10_000, sources: &[Source::Embedded, Source::Grpc] },
            Case { name: "keys1m", customers: 1_000_000, sources: &[Source::Embedded, Source::Grpc] },
        ],
    },
    head_events: 5_000,
};

const QUICK: Sizes = Sizes {
    rebuild: rebuild::Sizes {
        events: 100_000,
        cases: &[
            Case { name: "keys10k", customers: 10_000, sources: &[Source::Embedded, Source::Grpc] },
            Case { name: "keys1m", customers: 1_000_000, sources: &[Source::Embedded] },
        ],
    },
    head_events: 1_000,
};
