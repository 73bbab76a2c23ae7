//! Whole-system benches. Every figure is shown beside a baseline that was measured in the same run on the same disk;
//! only the ratio may be compared between machines and days.

mod log;
mod measure;
mod process;
mod projection;
mod report;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Measures Annals against what the machine itself can do.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// The embedded log, through the `EventStore` interface, against write and fdatasync of the same bytes.
    Log(log::Options),
    /// Read models: rebuilds and the head of the log, against what the database itself can do.
    Projection(projection::Options),
    /// Fills a log and waits to be killed, or closes it. Started by `log` as a process of its own.
    #[command(hide = true)]
    Fill(log::Fill),
    /// Opens a log and prints how long it took and how much memory it takes. Started by `log`.
    #[command(hide = true)]
    Open {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Folds the few events of a log that a read model wants, and prints how much memory that took. Started by `log`.
    #[command(hide = true)]
    Fold {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Rebuilds a read model, and prints how long that took and how much memory it took. Started by `projection`.
    #[command(hide = true)]
    Rebuild(projection::Rebuild),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Options::parse().bench {
        Bench::Log(options) => log::run(&options).await,
        Bench::Projection(options) => projection::run(&options).await,
        Bench::Fill(fill) => fill.run().await,
        Bench::Open { folder } => log::open_and_tell(folder).await,
        Bench::Fold { folder } => log::fold_and_tell(&folder).await,
        Bench::Rebuild(rebuild) => rebuild.run().await,
    }
}
