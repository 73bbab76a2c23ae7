//! The lines of the score card: what is promised, what the target is, and who judges.

mod catch_up;
mod clock;
mod conditional;
mod eio;
mod floods;
mod full;
mod kill;
mod moved;
mod open;
mod power;
mod stalled;
mod suites;

use crate::{
    card::{Finding, Unjudged},
    ground::Program,
    progress::Progress,
    random::Random,
};
use suites::Suite;
use tokio::sync::OnceCell;

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// A few minutes, for every change.
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
    /// Only these lines; none: all.
    pub(crate) wanted: Vec<u8>,
    pub(crate) program: Program,
    /// What the engine's own suite said, once it has run.
    pub(crate) suite: OnceCell<Suite>,
    /// How far the current line has come.
    pub(crate) progress: Progress,
}

impl Run {
    /// Whether this line is to be judged.
    pub(crate) fn wants(&self, line: u8) -> bool {
        self.wanted.is_empty() || self.wanted.contains(&line)
    }

    /// Random draws for a line; the same in every run with the same seed.
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
    /// Nobody yet.
    NotClaimed(&'static str),
}

/// Judges a line.
pub(crate) async fn judge(line: u8, run: &Run) -> Result<Finding, Unjudged> {
    match line {
        1 => Ok(kill::judge(run).await?),
        2 => power::judge(run).await,
        3..=7 | 15 => Ok(suites::finding(run, line).await?),
        8 => eio::judge(run).await,
        9 => full::judge(run).await,
        10 => Ok(conditional::judge(run).await?),
        11 => Ok(catch_up::judge(run).await?),
        14 => Ok(suites::replays(run).await?),
        16 => Ok(suites::fuzzing(run).await?),
        17 => Ok(floods::judge(run).await?),
        18 => Ok(stalled::judge(run).await?),
        21 => Ok(open::judge(run).await?),
        22 => Ok(suites::poison().await?),
        25 => clock::judge(run).await,
        26 => moved::judge(run).await,
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
        number: 2,
        promise: "power cut under load, during rotation, index and checkpoint writes too",
        target: "2,000 cuts, 0 lost, 0 phantom",
        how: How::Here,
    },
    Line {
        number: 3,
        promise: "simulated disk: crash after every operation, and again in recovery",
        target: "1,000,000 crash images, 0 bad",
        how: How::Here,
    },
    Line {
        number: 4,
        promise: "torn tail at every byte; zeros, garbage and stale bytes after it",
        target: "all positions, exactly what was acknowledged",
        how: How::Here,
    },
    Line {
        number: 5,
        promise: "flipped bits in sealed segments; damaged derived files",
        target: "all detected, file and offset named, no panic",
        how: How::Here,
    },
    Line {
        number: 6,
        promise: "damage in the middle of the active segment",
        target: "never taken for a torn tail",
        how: How::Here,
    },
    Line {
        number: 7,
        promise: "swapped, foreign, zeroed, cut and missing segments",
        target: "all detected",
        how: How::Here,
    },
    Line {
        number: 8,
        promise: "a write or sync fails, every k-th in turn",
        target: "nothing acknowledged afterwards, 0 lost after reopening",
        how: How::Here,
    },
    Line {
        number: 9,
        promise: "disk full, no inodes, no file handles",
        target: "clear error, reads go on, writing resumes without restart, starts on the full disk",
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
        promise: "catch-up to live with disconnects and kills, 50 subscribers",
        target: "10,000,000 deliveries, no gap, no reorder",
        how: How::Here,
    },
    Line {
        number: 12,
        promise: "projector killed at each failpoint",
        target: "12 points x 25 on SQLite and PostgreSQL, read model = fresh fold",
        how: How::NotClaimed(
            "no PostgreSQL yet; restarts on SQLite: `cargo test -p annals-projection --test projector`",
        ),
    },
    Line {
        number: 13,
        promise: "owner paused past its lease, second takes over, first wakes",
        target: "500 rounds, 0 stale writes",
        how: How::NotClaimed(
            "no leases yet; two reactor copies: `cargo test -p annals-reactor --test chaos`",
        ),
    },
    Line {
        number: 14,
        promise: "replay killed in each phase, resumed or aborted",
        target: "each phase x 25, never a mixed or empty view",
        how: How::Here,
    },
    Line {
        number: 15,
        promise: "planted bugs",
        target: "25 planted, all caught by a named test",
        how: How::Here,
    },
    Line {
        number: 16,
        promise: "fuzzing of frames, snapshots, gRPC, HTTP",
        target: "100,000,000 executions, 1,000,000 requests, no panic",
        how: How::Here,
    },
    Line {
        number: 17,
        promise: "floods: idle connections, slow headers and bodies, resets, giant headers and lengths, unfinished messages",
        target: "bounded memory, healthy p99 at most doubled",
        how: How::Here,
    },
    Line {
        number: 18,
        promise: "100 stalled subscribers with a backlog",
        target: "memory +64 MiB at most, append rate at least 0.9",
        how: How::Here,
    },
    Line {
        number: 19,
        promise: "every method x every role; a method without a rule",
        target: "denied, and fails the build",
        how: How::NotClaimed("no roles yet: whoever reaches the port reads and writes"),
    },
    Line {
        number: 20,
        promise: "hostile names through every interface; secrets in logs",
        target: "1,000 names, 0 escapes, 0 SQL errors, 0 scripts, 0 secrets",
        how: How::NotClaimed("no corpus yet"),
    },
    Line { number: 21, promise: "open after a kill", target: "10 GiB in 1 s", how: How::Here },
    Line {
        number: 22,
        promise: "a poison event of every kind for every consumer",
        target: "0 processes ended, 0 other consumers stopped",
        how: How::Here,
    },
    Line {
        number: 25,
        promise: "clock: forward 20 years, back, stuck",
        target: "order, window and retention unaffected, nothing dropped, a warning",
        how: How::Here,
    },
    Line {
        number: 26,
        promise: "folder deleted, replaced by a restored one, made read-only under its holder",
        target: "noticed within 5 s, no durable answer afterwards",
        how: How::Here,
    },
];
