//! A tree of causes as text for a terminal, in ASCII except for names.

use super::{Branch, CauseTree, CausedEvent};
use std::fmt;

/// Deeper events are drawn at this depth, so that a long chain does not run off the screen.
const DEPTH_DRAWN_MAX: usize = 24;

impl fmt::Display for CauseTree {
    /// A line for each event: type, service, stream and version, sequence number, and milliseconds since the first
    /// event was recorded. Characters that could change how a terminal shows the rest are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let widths = widths(&rows);
        writeln!(f, "correlation {}: {}", self.correlation_id, self.summary())?;
        for row in &rows {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "{cell:width$}  ")?;
            }
            writeln!(f)?;
        }
        if !self.complete {
            writeln!(f, "... and later events, left out")?;
        }
        Ok(())
    }
}

const COLUMNS: usize = 5;
type Row = [String; COLUMNS];

impl CauseTree {
    fn summary(&self) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (events, services) = (count(self.events.len(), "event"), count(self.services().len(), "service"));
        format!("{events}, {services}, {}", self.since_first(self.events.last()))
    }

    fn rows(&self) -> Vec<Row> {
        let mut open = Vec::new();
        self.branches().map(|branch| self.row(&mut open, &branch)).collect()
    }

    /// `open` says for each level above whether siblings follow there, so that a line is drawn down to them.
    fn row(&self, open: &mut Vec<bool>, Branch { event, depth, is_last }: &Branch<'_>) -> Row {
        let depth = (*depth).min(DEPTH_DRAWN_MAX);
        open.truncate(depth);
        let drawn = open.iter().skip(1).map(|more| if *more { "|  " } else { "   " }).collect::<String>();
        let corner = match (depth, is_last) {
            (0, _) => "",
            (_, true) => "`- ",
            (_, false) => "|- ",
        };
        open.push(!is_last);
        [
            format!("{drawn}{corner}{}", event.event_type.as_str().escape_debug()),
            event.service.as_deref().unwrap_or("-").escape_debug().to_string(),
            format!("{}@{}", event.stream.as_str().escape_debug(), event.version),
            format!("#{}", event.sequence),
            format!("+{}", self.since_first(Some(event))),
        ]
    }

    fn since_first(&self, event: Option<&CausedEvent>) -> String {
        let micros = |event: Option<&CausedEvent>| event.map_or(0, |event| event.recorded_at.as_micros());
        let micros = micros(event).saturating_sub(micros(self.events.first()));
        format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
    }
}

/// How many characters each column needs.
fn widths(rows: &[Row]) -> [usize; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}
