//! The lines of the score card: what is promised, what is aimed at, and who judges.

mod catch_up;
mod conditional;
mod kill;

use crate::{
    card::{Finding, Unjudged},
    ground::Program,
    random::Random,
};

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// In a few minutes, for every change.
    Gate,
    /// As much as the target says.
    Card,
}

impl Effort {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Card => "card",
        }
    }

    /// One figure for the gate, one for the card.
    pub(crate) const fn pick(self, gate: u64, card: u64) -> u64 {
        match self {
            Self::Gate => gate,
            Self::Card => card,
        }
    }
}

/// What all judges of a run share.
pub(crate) struct Run {
    pub(crate) effort: Effort,
    pub(crate) seed: u64,
    pub(crate) program: Program,
}

impl Run {
    /// Draws for a line; the same in every run with the same seed.
    pub(crate) fn random(&self, line: u8) -> Random {
        Random::new(self.seed ^ u64::from(line) << 56)
    }
}

/// A line of the card.
pub(crate) struct Line {
    pub(crate) number: u8,
    pub(crate) promise: &'static str,
    pub(crate) target: &'static str,
    pub(crate) how: How,
}

/// Who judges a line.
pub(crate) enum How {
    /// This program.
    Here,
    /// Other tests of this repository.
    Elsewhere(&'static str),
    /// Nobody yet.
    NotClaimed(&'static str),
}

/// Judges a line.
pub(crate) async fn judge(line: u8, run: &Run) -> Result<Finding, Unjudged> {
    match line {
        1 => Ok(kill::judge(run).await?),
        10 => Ok(conditional::judge(run).await?),
        11 => Ok(catch_up::judge(run).await?),
        other => Err(Unjudged::Skipped(format!("line {other} has no judge here"))),
    }
}

/// All lines, in order.
pub(crate) const LINES: &[Line] = &[
    Line {
        number: 1,
        promise: "kill -9 at random moments, real program, real clients",
        target: "10,000 kills, 0 lost, 0 phantom",
        how: How::Here,
    },
    Line {
        number: 10,
        promise: "conditional appends of 32 clients with kills",
        target: "1,000,000 operations linearizable, unknown stays unknown",
        how: How::Here,
    },
    Line {
        number: 11,
        promise: "catch-up to live with disconnects, 50 subscribers",
        target: "10,000,000 deliveries, no gap, no reorder",
        how: How::Here,
    },
];
