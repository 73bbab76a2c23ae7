//! Feeds a file of purchases to the orders service: one line, one `POST /orders`, several in flight.
//!
//! * The file is streamed: memory does not grow with it.
//! * A line that is no purchase is reported with its number and counted, and the rest goes on.
//! * Feeding a file again changes nothing: each line is the same order every time.

pub mod client;
pub mod lines;
pub mod purchase;

use client::{Answer, ClientError, OrdersClient, PlacedAt};
use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use lines::{Line, Lines};
use purchase::{HEADER, Purchase};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// How many requests are in flight at once.
pub const IN_FLIGHT: usize = 16;
/// How many lines are read ahead of the requests.
const READ_AHEAD_LINES: usize = 256;

/// What came of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Orders that were new.
    pub placed: u64,
    /// Orders that the shop knew already.
    pub known: u64,
    /// Lines that are no purchase, or one that the shop refuses.
    pub bad_lines: u64,
    /// The first order of the file.
    pub first: Option<PlacedAt>,
    /// The newest order: a read model that has reached it has seen them all.
    pub newest: Option<PlacedAt>,
}

/// Why a feed ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The file cannot be read.
    #[error("cannot read the purchases in {}: {cause}; name a readable CSV file with --purchases", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The service cannot be fed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A file that is there and can be read.
#[derive(Debug)]
pub struct PurchaseFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl PurchaseFile {
    /// Opens the file, so that one that is not there is noticed before anything is started.
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let failed = |cause| FeedError::File { path: path.to_owned(), cause };
        let file = File::open(path).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if facts.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { path: path.to_owned(), file, bytes: facts.len() })
    }

    /// Places every purchase of the file as an order.
    pub async fn feed(self, client: &OrdersClient, progress: &ProgressBar) -> Result<Fed, FeedError> {
        progress.set_length(self.bytes);
        let (path, lines) = (self.path, read_ahead(self.file));
        let failed = |cause| FeedError::File { path: path.clone(), cause };
        let fed = tokio_stream::wrappers::ReceiverStream::new(lines)
            .map_err(failed)
            .map(async |line| place(client, line?).await)
            .buffer_unordered(IN_FLIGHT)
            .try_fold(Fed::default(), async |fed, outcome| Ok(fed.with(outcome, progress)))
            .await?;
        progress.finish();
        Ok(fed)
    }
}

/// A progress bar for a feed, on standard error.
pub fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length().with_prefix("orders");
    let template = "{prefix:>8} {wide_bar} {percent:>3}%  {msg}  {eta} left";
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What one line came to.
struct Outcome {
    line: u64,
    end_bytes: u64,
    result: LineResult,
}

enum LineResult {
    Skipped,
    Bad(String),
    Placed(PlacedAt),
    Known(PlacedAt),
}

fn read_ahead(file: File) -> mpsc::Receiver<io::Result<Line>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD_LINES);
    tokio::task::spawn_blocking(move || {
        for line in Lines::new(BufReader::new(file)) {
            let ends = line.is_err();
            if sender.blocking_send(line).is_err() || ends {
                return;
            }
        }
    });
    receiver
}

async fn place(client: &OrdersClient, line: Line) -> Result<Outcome, FeedError> {
    let Line { number, end_bytes, text } = line;
    let result = match text.map(|text| read(number, &text)) {
        Ok(None) => LineResult::Skipped,
        Ok(Some(Ok(purchase))) => answer(client.place(&purchase).await?),
        Ok(Some(Err(error))) => LineResult::Bad(error.to_string()),
        Err(reason) => LineResult::Bad(reason.to_owned()),
    };
    Ok(Outcome { line: number, end_bytes, result })
}

/// `None`: the line is the header or empty.
fn read(number: u64, text: &str) -> Option<Result<Purchase, purchase::BadPurchase>> {
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
    if text.trim().is_empty() || number == 1 && text.trim() == HEADER {
        return None;
    }
    Some(Purchase::parse(number, text))
}

fn answer(answer: Answer) -> LineResult {
    match answer {
        Answer::Placed(order) => LineResult::Placed(order),
        Answer::Known(order) => LineResult::Known(order),
        Answer::Refused(detail) => LineResult::Bad(format!("the shop refused it: {detail}")),
    }
}

impl Fed {
    /// How many lines were orders.
    pub fn orders(&self) -> u64 {
        self.placed + self.known
    }

    fn with(mut self, outcome: Outcome, progress: &ProgressBar) -> Self {
        let Outcome { line, end_bytes, result } = outcome;
        match result {
            LineResult::Skipped => {}
            LineResult::Bad(reason) => {
                self.bad_lines += 1;
                progress.suspend(|| eprintln!("purchases line {line}: {reason}"));
            }
            LineResult::Placed(order) => {
                self.placed += 1;
                self.see(order);
            }
            LineResult::Known(order) => {
                self.known += 1;
                self.see(order);
            }
        }
        progress.set_message(format!("{} orders", self.orders()));
        // Lines are done out of order; the bar never goes back.
        progress.set_position(progress.position().max(end_bytes));
        self
    }

    fn see(&mut self, order: PlacedAt) {
        if self.first.as_ref().is_none_or(|first| order.token < first.token) {
            self.first = Some(order.clone());
        }
        if self.newest.as_ref().is_none_or(|newest| order.token > newest.token) {
            self.newest = Some(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_and_empty_lines_are_no_purchases_and_not_bad_either() {
        assert!(read(1, "\u{feff}customer_id,date,items,total_usd").is_none());
        assert!(read(9, " ").is_none());
        assert!(read(9, HEADER).unwrap().is_err(), "only the first line is a header");
        assert!(read(1, "0001,1997-01-01,2,29.33").unwrap().is_ok(), "a file may have no header");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = PurchaseFile::open(Path::new("/no/such/file.csv")).unwrap_err().to_string();
        assert!(error.contains("/no/such/file.csv") && error.contains("--purchases"), "{error}");
        assert!(PurchaseFile::open(Path::new("/")).is_err());
    }
}
