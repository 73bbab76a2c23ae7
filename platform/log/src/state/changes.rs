//! What the appends of a group change, before the group is durable: each append is checked against all before it.

use crate::state::heads::StreamHash;
use crate::state::window::RequestHasher;
use annals_event::{MarkName, RequestId, Sequence, Version};
use hashbrown::HashTable;
use std::collections::HashMap;

pub(crate) struct Changes {
    hasher: RequestHasher,
    versions: HashTable<(StreamHash, Version)>,
    marks: HashMap<MarkName, Sequence>,
    /// Where the appends of the group are.
    requests: HashTable<(RequestId, Sequence)>,
}

impl Changes {
    pub(crate) fn new(hasher: RequestHasher) -> Self {
        Self { hasher, versions: HashTable::new(), marks: HashMap::new(), requests: HashTable::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.versions.clear();
        self.marks.clear();
        self.requests.clear();
    }

    /// Where the group leaves the stream; `None`: it does not touch it.
    pub(crate) fn version(&self, stream: StreamHash) -> Option<Version> {
        let held = self.versions.find(stream.table_hash(), |(held, _)| *held == stream)?;
        Some(held.1)
    }

    pub(crate) fn set_version(&mut self, stream: StreamHash, version: Version) {
        let is_held = |held: &(StreamHash, Version)| held.0 == stream;
        let entry = self.versions.entry(stream.table_hash(), is_held, |held| held.0.table_hash());
        entry.insert((stream, version));
    }

    /// Where the group leaves the mark; `None`: it does not touch it.
    pub(crate) fn mark(&self, mark: &MarkName) -> Option<Sequence> {
        self.marks.get(mark).copied()
    }

    pub(crate) fn set_mark(&mut self, mark: MarkName, value: Sequence) {
        self.marks.insert(mark, value);
    }

    /// All marks that the group sets.
    pub(crate) fn take_marks(&mut self) -> impl Iterator<Item = (MarkName, Sequence)> {
        self.marks.drain()
    }

    /// Where the append with this id is.
    pub(crate) fn request(&self, id: RequestId) -> Option<Sequence> {
        self.requests.find(self.hasher.hash(id), |(held, _)| *held == id).map(|(_, first)| *first)
    }

    pub(crate) fn add_request(&mut self, id: RequestId, first: Sequence) {
        let hasher = self.hasher;
        self.requests.insert_unique(hasher.hash(id), (id, first), |(id, _)| hasher.hash(*id));
    }
}
