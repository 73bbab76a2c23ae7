//! Whole-system benches. Every figure stands beside a baseline that was taken in the same run, on the same disk:
//! the ratio is what may be compared between machines and days.

mod log;
mod measure;
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
    /// Fills a log and waits to be killed, or closes it. What `log` starts as a process of its own.
    #[command(hide = true)]
    Fill(log::Fill),
    /// Opens a log and prints how long it took and how much memory it has. What `log` starts.
    #[command(hide = true)]
    Open {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Folds the few events that a read model wants of a log, and prints how much memory that took. What `log` starts.
    #[command(hide = true)]
    Fold {
        /// The log's folder.
        folder: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Options::parse().bench {
        Bench::Log(options) => log::run(&options).await,
        Bench::Fill(fill) => fill.run().await,
        Bench::Open { folder } => log::open_and_tell(folder).await,
        Bench::Fold { folder } => log::fold_and_tell(&folder).await,
    }
}
