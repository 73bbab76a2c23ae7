//! Whether a store still holds the log that a consumer has seen.
//!
//! A consumer keeps a [`SeenLog`] beside its own state, and checks it before going on: when it opens that state, and
//! each time it subscribes. A log that was restored from a backup has the same id, and once it has grown it is as
//! long as before: only the chain value tells it apart from the one that the consumer has seen.

use crate::{EventStore, ReadError};
use annals_event::{Fingerprint, LogId, Opening, Sequence};

/// What a consumer keeps about the log that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenLog {
    /// Which log it is.
    pub log_id: LogId,
    /// Up to where it was seen.
    pub through: Sequence,
    /// The chain value there: see [`chain_at`]. `None`: it was not known, and only id and length are compared.
    pub chain: Option<[u8; 16]>,
}

/// Why a consumer must not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogMismatch {
    /// The store holds another log.
    #[error("it was built from log {built_from}, but the store holds log {found}: connect to {built_from}")]
    OtherLog {
        /// The log that the consumer has seen.
        built_from: LogId,
        /// The log that is there.
        found: LogId,
    },
    /// The log ends before the consumer's place: it was restored from an older backup.
    #[error(
        "it was built from another history of the log: it has seen sequence number {seen}, but the log ends at {last}, \
         so the log was restored from an older backup"
    )]
    Ahead {
        /// Where the consumer is.
        seen: Sequence,
        /// Where the log ends.
        last: Sequence,
    },
    /// The log has other events up to the consumer's place: it was restored, and then continued differently.
    #[error(
        "it was built from another history of the log: up to sequence number {seen} it has seen other events than the log \
         holds, so the log was restored from a backup and went on differently"
    )]
    Diverged {
        /// Where the consumer is.
        seen: Sequence,
    },
    /// The log could not be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<Fingerprint> for SeenLog {
    fn from(Fingerprint { log_id, sequence, chain, .. }: Fingerprint) -> Self {
        Self { log_id, through: sequence, chain: Some(chain) }
    }
}

/// Whether a consumer that has seen the log up to `seen` may go on with what is in `store`.
///
/// Where the store keeps no fingerprints, or retention dropped the event at `seen`, only id and length are compared.
/// A consumer whose next event was dropped as well cannot go on anyway.
pub async fn check_same_log(store: &dyn EventStore, seen: &SeenLog) -> Result<(), LogMismatch> {
    let head = store.head().await?;
    if head.log_id != seen.log_id {
        return Err(LogMismatch::OtherLog { built_from: seen.log_id, found: head.log_id });
    }
    if head.last < seen.through {
        return Err(LogMismatch::Ahead { seen: seen.through, last: head.last });
    }
    match (seen.chain, chain_at(store, seen.through).await?) {
        (Some(seen_chain), Some(found)) if seen_chain != found => {
            Err(LogMismatch::Diverged { seen: seen.through })
        }
        _ => Ok(()),
    }
}

/// The chain value at `through`, to be kept beside what was made from the log up to there. `None`: the store keeps
/// none, retention has dropped the event, or the log does not reach that far.
pub async fn chain_at(store: &dyn EventStore, through: Sequence) -> Result<Option<[u8; 16]>, ReadError> {
    Ok(fingerprint_at(store, through).await?.map(|fingerprint| fingerprint.chain))
}

/// The same for what was made from events that were read in `opening`: in another one the log may have others there.
///
/// # Errors
///
/// [`ReadError::Unavailable`] if the log was reopened: read again.
pub async fn chain_in(
    store: &dyn EventStore,
    through: Sequence,
    opening: Opening,
) -> Result<Option<[u8; 16]>, ReadError> {
    let found = fingerprint_at(store, through).await?;
    // There is none beyond the head either, as of a log that was restored and is shorter.
    let of = match &found {
        Some(fingerprint) => fingerprint.opening,
        None => store.head().await?.opening,
    };
    if of != opening {
        return Err(ReadError::Unavailable { reason: "the log was reopened while it was being read".into() });
    }
    Ok(found.map(|fingerprint| fingerprint.chain))
}

async fn fingerprint_at(store: &dyn EventStore, through: Sequence) -> Result<Option<Fingerprint>, ReadError> {
    match store.fingerprint(through).await {
        Err(ReadError::BelowStart { .. }) => Ok(None),
        answer => answer,
    }
}
