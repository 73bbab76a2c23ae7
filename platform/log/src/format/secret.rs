//! The secret of a log: random bytes that never leave its folder, its backups and its archive.
//!
//! What always holds: no hash table can be filled by whoever chooses names or ids, and no payload can look like a frame,
//! since the keys of hashes and the tag of frames come from here and nobody outside knows them.

use crate::disk::Entropy;
use crate::format::frame::LogTag;
use crate::num::u64_at;
use crate::state::{RequestHasher, StreamHasher};
use std::fmt;

pub(crate) const SECRET_BYTES: usize = 32;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogSecret(pub(crate) [u8; SECRET_BYTES]);

impl LogSecret {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        for half in bytes.chunks_exact_mut(SECRET_BYTES / 2) {
            half.copy_from_slice(&entropy.next_u128().to_le_bytes());
        }
        Self(bytes)
    }

    /// What marks frames as this log's.
    pub(crate) fn frame_tag(&self) -> LogTag {
        LogTag(u64_at(&self.key("annals log, frame tag, format 2"), 0))
    }

    pub(crate) fn stream_hasher(&self) -> StreamHasher {
        StreamHasher::new(self.key("annals log, stream names, format 2"))
    }

    pub(crate) fn request_hasher(&self) -> RequestHasher {
        RequestHasher::new(u64_at(&self.key("annals log, request ids, format 2"), 0))
    }

    fn key(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

impl fmt::Debug for LogSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSecret")
    }
}
