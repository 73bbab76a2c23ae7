//! Figures as they are printed: each on its own line as it comes, and all as JSON at the end.

use serde::Serialize;

/// One measured figure.
#[derive(Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// The machine's own figure for the same work, in the same unit; `None`: there is nothing to compare with.
    baseline: Option<f64>,
    /// `value` divided by `baseline`.
    ratio: Option<f64>,
}

/// The figures of a run.
pub(crate) struct Report {
    figures: Vec<Figure>,
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        let report = Self { figures: Vec::new(), json };
        report.line(&format!(
            "{:<44} {:>14} {:<10} {:>14} {:>7}",
            "figure", "value", "unit", "baseline", "ratio"
        ));
        report
    }

    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        baseline: Option<f64>,
    ) {
        let name = name.into();
        let ratio = baseline.map(|baseline| value / baseline);
        let shown = |number: Option<f64>, digits| number.map_or("-".to_owned(), |n| format!("{n:.digits$}"));
        let (b, r) = (shown(baseline, 1), shown(ratio, 2));
        self.line(&format!("{name:<44} {value:>14.1} {unit:<10} {b:>14} {r:>7}"));
        self.figures.push(Figure { name, value, unit, baseline, ratio });
    }

    /// Says how a figure was measured that is not like the others.
    pub(crate) fn note(&self, note: &str) {
        self.line(&format!("  ({note})"));
    }

    #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
    fn line(&self, line: &str) {
        if self.json { eprintln!("{line}") } else { println!("{line}") }
    }

    /// Prints all figures as one JSON array, if that was asked for.
    #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
    pub(crate) fn finish(self) -> serde_json::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(&self.figures)?);
        }
        Ok(())
    }
}
