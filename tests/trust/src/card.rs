//! The score card: what was found for each line, as a table and as JSON.

use crate::lines::{How, LINES, Line};
use serde::Serialize;
use std::fmt::Write;

/// How many violations of a line are quoted.
pub(crate) const VIOLATIONS_SHOWN_MAX: usize = 20;

/// What a judge found.
#[derive(Default)]
pub(crate) struct Finding {
    pub(crate) counts: Vec<Count>,
    pub(crate) violations: Violations,
    /// Figures and limits that a reader of the card should know.
    pub(crate) notes: Vec<String>,
}

impl Finding {
    pub(crate) fn count(&mut self, count: u64, what: impl Into<String>) {
        self.counts.push(Count { count, what: what.into() });
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// How often something was run.
#[derive(Clone, Serialize)]
pub(crate) struct Count {
    pub(crate) count: u64,
    pub(crate) what: String,
}

/// Broken promises: all are counted, the first ones are quoted.
#[derive(Clone, Default)]
pub(crate) struct Violations {
    pub(crate) count: u64,
    pub(crate) first: Vec<String>,
}

impl Violations {
    pub(crate) fn add(&mut self, violation: impl Into<String>) {
        self.count += 1;
        if self.first.len() < VIOLATIONS_SHOWN_MAX {
            self.first.push(violation.into());
        }
    }

    /// Adds a violation unless the condition holds.
    pub(crate) fn must(&mut self, condition: bool, violation: impl FnOnce() -> String) {
        if !condition {
            self.add(violation());
        }
    }

    pub(crate) fn take_in(&mut self, others: Self) {
        self.count += others.count;
        let room = VIOLATIONS_SHOWN_MAX.saturating_sub(self.first.len());
        self.first.extend(others.first.into_iter().take(room));
    }
}

/// Why a line was not judged.
pub(crate) enum Unjudged {
    /// The machine lacks something that it needs.
    Skipped(String),
    /// The judge itself could not finish.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Unjudged {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// A row of the card.
#[derive(Serialize)]
pub(crate) struct Row {
    line: u8,
    promise: &'static str,
    target: &'static str,
    verdict: Verdict,
    counts: Vec<Count>,
    violations: u64,
    first_violations: Vec<String>,
    notes: Vec<String>,
    seconds: f64,
    how: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// No violation was found.
    Kept,
    /// At least one violation.
    Broken,
    /// The machine lacks something that it needs.
    Skipped,
    /// The judge could not finish.
    Failed,
    /// Nobody judges it yet.
    NotClaimed,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "BROKEN",
            Self::Skipped => "skipped",
            Self::Failed => "FAILED",
            Self::NotClaimed => "not claimed",
        }
    }
}

impl Row {
    pub(crate) fn judged(line: &Line, found: Result<Finding, Unjudged>, seconds: f64, how: String) -> Self {
        let (verdict, finding) = match found {
            Ok(finding) if finding.violations.count == 0 => (Verdict::Kept, finding),
            Ok(finding) => (Verdict::Broken, finding),
            Err(Unjudged::Skipped(reason)) => (Verdict::Skipped, noted(reason)),
            Err(Unjudged::Failed(error)) => (Verdict::Failed, noted(format!("{error:#}"))),
        };
        Self::of(line, verdict, finding, seconds, how)
    }

    /// A line without a judge here.
    pub(crate) fn unjudged(line: &Line) -> Self {
        let (verdict, how) = match line.how {
            How::Here => (Verdict::Failed, "it has a judge and was not run"),
            How::NotClaimed(why) => (Verdict::NotClaimed, why),
        };
        Self::of(line, verdict, Finding::default(), 0.0, how.to_owned())
    }

    fn of(line: &Line, verdict: Verdict, finding: Finding, seconds: f64, how: String) -> Self {
        let Finding { counts, violations, notes } = finding;
        Self {
            line: line.number,
            promise: line.promise,
            target: line.target,
            verdict,
            counts,
            violations: violations.count,
            first_violations: violations.first,
            notes,
            seconds,
            how,
        }
    }

    /// Whether no promise was broken and everything that must be judged was.
    pub(crate) const fn is_good(&self, may_skip: bool) -> bool {
        match self.verdict {
            Verdict::Kept | Verdict::NotClaimed => true,
            Verdict::Skipped => may_skip,
            Verdict::Broken | Verdict::Failed => false,
        }
    }

    fn ran(&self) -> String {
        let counts: Vec<_> =
            self.counts.iter().map(|count| format!("{} {}", grouped(count.count), count.what)).collect();
        if counts.is_empty() { "-".to_owned() } else { counts.join(", ") }
    }
}

fn noted(note: String) -> Finding {
    Finding { notes: vec![note], ..Finding::default() }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The card as a Markdown table, with notes on single lines below it.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| # | promise | target | run | violations | verdict | s | how |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let (ran, word) = (row.ran(), row.verdict.word());
        let violations = if row.counts.is_empty() { "-".to_owned() } else { row.violations.to_string() };
        let Row { line, promise, target, seconds, how, .. } = row;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {line} | {promise} | {target} | {ran} | {violations} | {word} | {seconds:.1} | {how} |"
        );
    }
    for row in rows {
        for said in row.notes.iter().chain(&row.first_violations) {
            let _ = writeln!(text, "line {}: {said}", row.line);
        }
    }
    text
}

/// The line with this number.
pub(crate) fn line(number: u8) -> Option<&'static Line> {
    LINES.iter().find(|line| line.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown = [0, 12, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_skipped_line_is_a_failure_where_nothing_may_be_skipped() {
        let line = line(2).unwrap();
        let skipped = || Row::judged(line, Err(Unjudged::Skipped("no root".into())), 0.0, String::new());
        assert!(skipped().is_good(true));
        assert!(!skipped().is_good(false));
    }

    #[test]
    fn a_violation_makes_a_line_bad() {
        let mut finding = Finding::default();
        finding.violations.must(1 > 2, || "one is not more than two".into());
        let row = Row::judged(line(1).unwrap(), Ok(finding), 0.0, String::new());
        assert!(!row.is_good(true));
        assert!(table(&[row]).contains("BROKEN"));
    }
}
