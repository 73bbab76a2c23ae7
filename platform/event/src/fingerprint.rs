use crate::{LogId, Opening, Sequence};

/// What a log was like up to a place. A consumer that keeps one notices when it comes back to another log, or to the
/// same log restored from a backup and continued differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Which log it is.
    pub log_id: LogId,
    /// Up to where.
    pub sequence: Sequence,
    /// A digest of all appends up to the one with the event at `sequence`.
    pub chain: [u8; 16],
    /// The opening that answered, for callers that must know whether something else was read in the same one. It
    /// plays no part in telling histories apart.
    pub opening: Opening,
}
