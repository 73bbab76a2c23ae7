//! The chain: what tells two histories of a log apart.

use crate::num::put;
use annals_event::{RequestId, Sequence};

/// A digest of all appends up to a place: equal chains mean equal histories, on any disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain(pub(crate) u128);

/// What of an append is in the chain.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    /// The first event's sequence number; without events the next event's.
    pub(crate) first: Sequence,
    pub(crate) events: u32,
    pub(crate) recorded_at: i64,
    pub(crate) request_id: RequestId,
    /// Over the records without their places and over all conditions.
    pub(crate) digest: u128,
    /// Over the marks and the records in their places.
    pub(crate) payload_crc: u32,
}

const LINK_BYTES: usize = 72;

impl Chain {
    /// The chain after one more append.
    pub(crate) fn after(self, link: &Link) -> Self {
        let mut bytes = [0; LINK_BYTES];
        put(&mut bytes, 0, &self.0.to_le_bytes());
        put(&mut bytes, 16, &link.first.get().to_le_bytes());
        put(&mut bytes, 24, &link.recorded_at.to_le_bytes());
        put(&mut bytes, 32, link.request_id.as_bytes());
        put(&mut bytes, 48, &link.digest.to_le_bytes());
        put(&mut bytes, 64, &link.events.to_le_bytes());
        put(&mut bytes, 68, &link.payload_crc.to_le_bytes());
        Self(xxhash_rust::xxh3::xxh3_128(&bytes))
    }
}
