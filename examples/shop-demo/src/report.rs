//! What the main job tells at its end: for people, or as one JSON object for programs.

use annals_service::counted;
use annals_shop::money::Cents;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Orders in the read models.
    pub orders: i64,
    /// Customers in the read models.
    pub customers: i64,
    /// CDs that they ordered.
    pub items: i64,
    /// What they paid.
    pub revenue_cents: Cents,
    /// What the log wrote in this run.
    #[serde(flatten)]
    pub log: LogReport,
    /// How long the job took.
    pub seconds: f64,
    /// Whether the data folder had orders before.
    pub resumed: bool,
    /// What came of the file.
    pub feed: FeedReport,
    /// The replay.
    pub replay: ReplayReport,
    /// The tree of causes of one order.
    pub trace: TraceReport,
    /// Where the shop serves HTTP.
    pub listen: String,
    /// Where the data is.
    pub data_dir: PathBuf,
}

/// What the log wrote since it was opened. A log in another process does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Events.
    pub events: Option<u64>,
    /// Appends.
    pub appends: Option<u64>,
    /// Groups of appends that were written together.
    pub groups: Option<u64>,
    /// Syncs that made them durable.
    pub syncs: Option<u64>,
}

/// What came of the file of purchases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FeedReport {
    /// Orders that were new.
    pub placed: u64,
    /// Orders that were known.
    pub known: u64,
    /// Lines that are no purchase.
    pub bad_lines: u64,
    /// How long the file took.
    pub seconds: f64,
    /// How long the reactions and read models took after the last order was answered.
    pub settle_seconds: f64,
}

/// How one read model was rebuilt.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReplayReport {
    /// Which read model.
    pub read_model: String,
    /// From which sequence number on.
    pub from: u64,
    /// The snapshot that it began with; 0: none.
    pub snapshot_sequence: u64,
    /// Events that were folded.
    pub events: u64,
    /// How long it took, from the request to the promotion.
    pub seconds: f64,
    /// How fast.
    pub events_per_second: f64,
    /// Whether the rebuilt rows are complete and equal to the live ones.
    pub verified: bool,
    /// Whether the rebuilt rows are live now.
    pub promoted: bool,
    /// Queries that were answered, and checked, meanwhile.
    pub queries: u64,
}

/// How the events of one order caused each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TraceReport {
    /// The order.
    pub order: String,
    /// The services that took part, in the order in which they did.
    pub services: Vec<String>,
    /// How many events.
    pub events: usize,
    /// From the first event to the last.
    pub milliseconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, customers, items, revenue_cents, log, seconds, .. } = self;
        let (orders, customers) = (counted(orders, "order"), counted(customers, "customer"));
        writeln!(f, "{orders} by {customers}: {} for {revenue_cents} dollars", counted(items, "item"))?;
        writeln!(f, "the log {log}")?;
        write!(f, "done in {seconds:.1} s; the data is in {}", self.data_dir.display())
    }
}

impl LogReport {
    /// Reads it from the shop's metrics, where a log in another process is not.
    pub fn read(metrics: &str) -> Self {
        let count = |name: &str| {
            let begin = format!("annals_log_{name}_total ");
            metrics.lines().find_map(|line| line.strip_prefix(&begin)?.parse().ok())
        };
        let (events, appends) = (count("events"), count("appends"));
        Self { events, appends, groups: count("groups"), syncs: count("syncs") }
    }
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events: Some(events), appends: Some(appends), groups: Some(groups), syncs: Some(syncs) } =
            self
        else {
            return f.write_str("is that of another process, which knows what it wrote");
        };
        let (events, appends) = (counted(events, "event"), counted(appends, "append"));
        write!(f, "wrote {events} in {appends}, {} and {}", counted(groups, "group"), counted(syncs, "sync"))
    }
}

impl fmt::Display for FeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { placed, known, bad_lines, seconds, settle_seconds } = self;
        write!(f, "{} placed, {known} known, {}", counted(placed, "order"), counted(bad_lines, "bad line"))?;
        write!(f, " in {seconds:.1} s; all settled {settle_seconds:.1} s later")
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read_model, from, snapshot_sequence, events, seconds, queries, .. } = self;
        let word = |yes, word| if yes { word } else { "NOT " };
        write!(f, "{read_model} from {from} on, snapshot at {snapshot_sequence}, ")?;
        f.write_str(&counted(events, "event"))?;
        write!(f, " in {seconds:.2} s, {:.0} a second; ", self.events_per_second)?;
        write!(f, "{}verified, ", word(self.verified, ""))?;
        write!(f, "{}promoted; {queries} queries answered meanwhile", word(self.promoted, ""))
    }
}
