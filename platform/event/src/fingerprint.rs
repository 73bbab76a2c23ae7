use crate::{LogId, Opening, Sequence};

/// What a log was like up to a place: a consumer that keeps it notices when it comes back to another log, or to the
/// same one restored from a backup that others have gone on from since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Which log it is.
    pub log_id: LogId,
    /// Up to where.
    pub sequence: Sequence,
    /// A digest of all appends up to the one with the event at `sequence`.
    pub chain: [u8; 16],
    /// Which opening of the log said so: for who must know whether it is the one that something else was read in. No part
    /// of what tells histories apart.
    pub opening: Opening,
}
