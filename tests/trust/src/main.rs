//! The score card: outside judges of real processes, real disks and real power cuts. Each line is a promise with a
//! target; a judge remembers what was answered and reports what does not hold.
//!
//! The gate is for every change, the card for a release. Both fail if a promise is broken.

mod card;
mod cycles;
mod disk;
mod ground;
mod http;
mod judge;
mod lines;
mod load;
mod process;
mod progress;
mod random;
mod serve;
mod workload;
mod writer;

use anyhow::{Context, Result};
use card::Row;
use clap::{Args, Parser, Subcommand};
use ground::Program;
use lines::{Effort, How, LINES, Line, Run};
use progress::Progress;
use serve::Serve;
use std::{env, path::PathBuf, process::ExitCode, time::Instant};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::OnceCell,
};

/// Judges what Annals promises, and prints the score card.
///
/// Lines that need root, loop devices, strace or libfaketime are skipped where those are missing, and say so. With
/// ANNALS_MAY_NOT_SKIP=1 that is a failure.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The quick gate, in a few minutes.
    Gate(Wanted),
    /// The full score card, in some hours.
    Card(Wanted),
    /// Serves a log with small segments. Started for power cuts as a process of its own.
    #[command(hide = true)]
    Serve(Serve),
}

#[derive(Args)]
struct Wanted {
    /// Only this line; may be given several times
    #[arg(long, value_name = "N", value_parser = known_line)]
    line: Vec<u8>,

    /// The card as one JSON array on standard output, everything else on standard error
    #[arg(long)]
    json: bool,

    /// Seed of all random draws; when a process dies still depends on the machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The event store's program to be judged; built unless it is named
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

fn known_line(text: &str) -> Result<u8, String> {
    let number = text.parse().map_err(|_| "it must be the number of a line".to_owned())?;
    card::line(number).map(|line| line.number).ok_or_else(|| "the card has no such line".to_owned())
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let (effort, wanted) = match Arguments::parse().command {
        Command::Gate(wanted) => (Effort::Gate, wanted),
        Command::Card(wanted) => (Effort::Card, wanted),
        Command::Serve(serve) => return serve.run().await.map(|()| ExitCode::SUCCESS),
    };
    let rows = tokio::select! {
        rows = judge_all(effort, &wanted) => rows?,
        stopped = stopped() => return stopped,
    };
    print(&rows, wanted.json)?;
    let may_skip = env::var("ANNALS_MAY_NOT_SKIP").is_ok_and(|word| word == "1");
    let good = rows.iter().all(|row| row.is_good(!may_skip));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for Ctrl-C or SIGTERM. Dropping the judges then ends their servers and takes their disks away.
async fn stopped() -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    eprintln!("stopped before the end: there is no card");
    Ok(ExitCode::FAILURE)
}

async fn judge_all(effort: Effort, wanted: &Wanted) -> Result<Vec<Row>> {
    let program = match &wanted.program {
        Some(file) => Program::at(file)?,
        None => Program::build().await?,
    };
    let run = Run {
        effort,
        seed: wanted.seed,
        wanted: wanted.line.clone(),
        program,
        suite: OnceCell::new(),
        progress: Progress::default(),
    };
    let mut rows = Vec::new();
    for line in LINES.iter().filter(|line| run.wants(line.number)) {
        rows.push(judge_one(line, &run).await);
    }
    Ok(rows)
}

async fn judge_one(line: &Line, run: &Run) -> Row {
    if !matches!(line.how, How::Here) {
        return Row::unjudged(line);
    }
    eprintln!("line {}: {} ...", line.number, line.promise);
    let begun = Instant::now();
    let found = tokio::select! {
        found = lines::judge(line.number, run) => found,
        never = run.progress.keep_saying(line.number) => never,
    };
    let how = format!("`-- {} --line {} --seed {}`", run.effort.word(), line.number, run.seed);
    Row::judged(line, found, begun.elapsed().as_secs_f64(), how)
}

#[expect(clippy::print_stdout, reason = "the card is what the program is for")]
fn print(rows: &[Row], json: bool) -> Result<()> {
    if json {
        eprint!("{}", card::table(rows));
        println!("{}", serde_json::to_string_pretty(rows)?);
    } else {
        print!("{}", card::table(rows));
    }
    Ok(())
}
