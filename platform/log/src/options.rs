//! How a log is to behave. The defaults suit a server; tests make everything small.

use std::{num::NonZeroU64, time::Duration};

/// The settings of a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Where a segment is full. A new log's first segments are smaller ([`Options::first_segment_bytes`]) and
    /// grow fourfold up to this, so that a small log is a small folder. A group that does not fit into an empty
    /// segment makes that segment longer.
    pub segment_bytes: u64,
    /// The size of a new log's first segment.
    pub first_segment_bytes: u64,
    /// How many appends may wait for the writer; one more is [`SubmitError::Full`](crate::SubmitError::Full).
    pub queue_appends_max: usize,
    /// How many bytes of appends may wait for the writer.
    pub queue_bytes_max: usize,
    /// How many bytes of the newest events are kept in memory for live readers.
    pub tail_bytes_max: usize,
    /// How many bytes of sealed segments' indexes are kept in memory.
    pub index_cache_bytes_max: usize,
    /// How many segments may be sealed before the next checkpoint; it bounds what an open after a crash replays. More
    /// where the checkpoint, 32 bytes a stream, would be larger than the segments.
    pub checkpoint_segments: u32,
    /// How many bytes of the disk appends leave free, so that a full disk never stops what frees it: the platform's own
    /// appends to `$` streams, which leave a quarter of it, and retention, for which what it writes first is kept free on
    /// top: 24 bytes a stream and remembered request. 0: appends go on until the disk is full.
    pub reserve_bytes: u64,
    /// Whether the clock is believed at the open although it is more than a year ahead of the last event: an operator's
    /// word for a log that was not used for so long. Without it such a clock is taken for a wrong one.
    pub trust_clock: bool,
    /// How many request ids are remembered at least, so that a repeated append is known; up to four times as many where
    /// so many come within ten seconds. Each takes about 45 bytes of memory.
    pub requests: usize,
    /// How sealed segments are verified in the background; `None`: they are not.
    pub scrub: Option<Scrub>,
    /// A bug to run with, to prove that the tests catch it.
    #[cfg(feature = "planted-bugs")]
    pub planted_bug: Option<PlantedBug>,
}

/// How a log is scrubbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scrub {
    /// Most bytes a second.
    pub bytes_per_s: NonZeroU64,
    /// How long to wait when all sealed segments were gone over.
    pub rest: Duration,
}

impl Scrub {
    /// At this rate, with an hour's rest after each pass.
    pub const fn at(bytes_per_s: NonZeroU64) -> Self {
        Self { bytes_per_s, rest: Duration::from_hours(1) }
    }

    /// How long going over so many bytes is to take at least.
    pub(crate) fn time_for(&self, bytes: u64) -> Duration {
        Duration::from_micros(bytes.saturating_mul(1_000_000) / self.bytes_per_s)
    }
}

/// How many request ids are remembered at least, unless the options say otherwise.
const REQUESTS_DEFAULT: usize = 1 << 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            first_segment_bytes: 1 << 20,
            queue_appends_max: 65_536,
            queue_bytes_max: 64 << 20,
            tail_bytes_max: 16 << 20,
            index_cache_bytes_max: 128 << 20,
            checkpoint_segments: 4,
            requests: REQUESTS_DEFAULT,
            scrub: None,
            reserve_bytes: 16 << 20,
            trust_clock: false,
            #[cfg(feature = "planted-bugs")]
            planted_bug: None,
        }
    }
}

impl Options {
    /// Settings with segments of this size from the first on.
    pub fn with_segment_bytes(bytes: u64) -> Self {
        Self { segment_bytes: bytes, first_segment_bytes: bytes, ..Self::default() }
    }
}

/// Bugs that real logs had, each switched on at the very place in the engine.
#[cfg(feature = "planted-bugs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// Answers an append without syncing it.
    AcknowledgeBeforeSync,
    /// Answers a refusal that rests on unsynced appends although their sync failed.
    RefuseBeforeSync,
    /// Takes a valid frame of the torn group for proof of corruption.
    SiblingFrameIsCorruption,
    /// Ends the log at the first zeros, without looking beyond.
    ZeroSectorEndsLog,
    /// Leaves the bytes of a torn tail where they are.
    TailNotWiped,
    /// Wipes only what it sees of a torn tail, and not what may be on the disk below.
    TailWipedInCache,
    /// Serves what it read in recovery without writing and syncing it again.
    RecoveryTrustsCache,
    /// Does not sync the folder after a segment got its name.
    DirectoryNotSynced,
    /// Removes segments before the base that stands for them is durable.
    BaseAfterDrop,
    /// Syncs once more after a failed sync, and believes the second one.
    SyncRetried,
    /// Writes on after a failed sync.
    GoesOnAfterFailedSync,
    /// Shows readers a group whose sync failed.
    FailedGroupVisible,
    /// Gives an event an earlier time than the one before it when the clock was set back.
    TimeGoesBack,
    /// Names a segment before its header is durable.
    HeaderNotSynced,
    /// Writes a segment's footer before the name of the one that follows is durable.
    FooterBeforeName,
    /// Leaves a footer that may be in the cache alone as it is.
    FooterNotRewritten,
    /// Restores heads and marks from a checkpoint or base, and not the request ids.
    RequestsForgotten,
    /// Checks conditions against what is durable, without the group that is under way.
    ConditionsIgnoreGroup,
    /// Serves frames whose payload does not match its checksum.
    PayloadNotChecked,
    /// Serves records whose bytes do not match the checksum in their index.
    RecordNotChecked,
    /// Takes in frames whether or not they follow the chain.
    ChainNotChecked,
    /// Takes the end of a log for its end although a checkpoint knows that it went on.
    LostEndNotNoticed,
    /// Opens a log whose base is damaged as if nothing had been dropped.
    BaseDamageIgnored,
    /// Uses the index of another history of the log.
    ForeignIndexUsed,
    /// Drops segments with events that are held.
    HoldIgnored,
    /// Scrubs all sealed segments but the last one.
    LastSealedNotScrubbed,
}

/// Whether a bug is planted; without the feature this is the constant `false`.
macro_rules! planted {
    ($options:expr, $bug:ident) => {{
        #[cfg(feature = "planted-bugs")]
        {
            $options.planted_bug == Some($crate::options::PlantedBug::$bug)
        }
        #[cfg(not(feature = "planted-bugs"))]
        {
            let _ = &$options;
            false
        }
    }};
}
pub(crate) use planted;
