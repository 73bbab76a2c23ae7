//! An append on its way to the writer: checked and encoded on its caller's thread, so that the writer only
//! compares numbers and copies bytes.

use crate::num::from_u32;
use crate::state::heads::{StreamHash, StreamHasher};
use annals_event::{
    Append, ExpectedVersion, InvalidAppend, MarkUpdate, Opening, RequestId, StreamName, Version, record,
};
use xxhash_rust::xxh3::Xxh3;

/// What an append expects of a stream.
pub(crate) struct Condition {
    pub(crate) stream: StreamName,
    pub(crate) hash: StreamHash,
    pub(crate) expected: ExpectedVersion,
}

/// Events for one stream.
pub(crate) struct PendingWrite {
    pub(crate) condition: Condition,
    pub(crate) events: u32,
}

/// A write whose expected version says where its events are if the append was made before.
pub(crate) struct Pinned<'a> {
    pub(crate) condition: &'a Condition,
    /// The version of its first event.
    pub(crate) version: Version,
    /// The place of its first event among the append's.
    pub(crate) index: usize,
}

pub(crate) struct Pending {
    pub(crate) request_id: RequestId,
    /// Tells whether an append with the same request id is the same append: over its records without their
    /// places and over all its conditions.
    pub(crate) digest: u128,
    pub(crate) writes: Vec<PendingWrite>,
    pub(crate) requires: Vec<Condition>,
    pub(crate) marks: Vec<MarkUpdate>,
    /// The opening of the log that it is to be done in.
    pub(crate) opening: Option<Opening>,
    /// The events' records without their places, one after the other.
    pub(crate) records: Vec<u8>,
}

impl Pending {
    pub(crate) fn encode(append: Append, hasher: &StreamHasher) -> Result<Self, InvalidAppend> {
        append.validate()?;
        let mut records = Vec::with_capacity(append.encoded_len());
        let mut writes = Vec::with_capacity(append.writes.len());
        for write in append.writes {
            write.events.iter().for_each(|event| record::encode(&write.stream, event, &mut records));
            let hash = hasher.hash_name(&write.stream);
            let condition = Condition { stream: write.stream, hash, expected: write.expected };
            writes.push(PendingWrite { condition, events: crate::num::to_u32(write.events.len()) });
        }
        let condition = |required: annals_event::Requirement| Condition {
            hash: hasher.hash_name(&required.stream),
            stream: required.stream,
            expected: required.expected,
        };
        let requires = append.requires.into_iter().map(condition).collect();
        let Append { request_id, marks, opening, .. } = append;
        let mut pending = Self { request_id, digest: 0, writes, requires, marks, opening, records };
        pending.digest = pending.compute_digest();
        Ok(pending)
    }

    /// Bytes that the append keeps in memory while it waits, about.
    pub(crate) fn weight_bytes(&self) -> usize {
        size_of::<Self>() + self.records.len() + self.writes.len() * size_of::<PendingWrite>()
    }

    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.writes.iter().map(|write| &write.condition).chain(&self.requires)
    }

    /// Whether the append, once it was made, would be refused if it came again, whatever others did meanwhile: the stream
    /// that it expects somewhere has moved on for good, or the mark has. Only who sets a mark back lets it be done anew.
    pub(crate) fn is_protected(&self) -> bool {
        use ExpectedVersion::{Any, Exact, Exists, NoStream};
        let pins = |write: &PendingWrite| match write.condition.expected {
            NoStream | Exact(_) => true,
            Any | Exists => false,
        };
        // A mark that moves back comes by where it was, and one that stays is there.
        let moves_on = |update: &MarkUpdate| update.expected.is_none_or(|expected| expected < update.value);
        self.writes.iter().any(pins) || self.marks.iter().any(moves_on)
    }

    /// The first write whose expected version says so; `None`: no place tells whether the append was made before.
    pub(crate) fn pinned(&self) -> Option<Pinned<'_>> {
        let mut index = 0;
        for write in &self.writes {
            let before = match write.condition.expected {
                ExpectedVersion::NoStream => Some(Version::ZERO),
                ExpectedVersion::Exact(version) => Some(version),
                ExpectedVersion::Any | ExpectedVersion::Exists => None,
            };
            if let Some(before) = before {
                return Some(Pinned { condition: &write.condition, version: before.next(), index });
            }
            index += from_u32(write.events);
        }
        None
    }

    pub(crate) fn events(&self) -> u32 {
        self.writes.iter().map(|write| write.events).sum()
    }

    /// Each record's bytes with the index of its write.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        Records { rest: &self.records }
    }

    fn compute_digest(&self) -> u128 {
        let mut digest = Xxh3::new();
        let text = |digest: &mut Xxh3, text: &str| {
            digest.update(&crate::num::to_u64(text.len()).to_le_bytes());
            digest.update(text.as_bytes());
        };
        for count in [self.writes.len(), self.requires.len(), self.marks.len()] {
            digest.update(&crate::num::to_u64(count).to_le_bytes());
        }
        digest.update(&self.records);
        for condition in self.conditions() {
            text(&mut digest, condition.stream.as_str());
            digest.update(&expected_bytes(condition.expected));
        }
        for mark in &self.marks {
            text(&mut digest, mark.mark.as_str());
            digest.update(&mark.expected.map_or(u64::MAX, u64::from).to_le_bytes());
            digest.update(&mark.value.get().to_le_bytes());
        }
        digest.digest128()
    }
}

fn expected_bytes(expected: ExpectedVersion) -> [u8; 9] {
    let (code, version) = match expected {
        ExpectedVersion::Any => (0, 0),
        // By definition the same requirement.
        ExpectedVersion::NoStream => (1, 0),
        ExpectedVersion::Exact(version) if version.get() == 0 => (1, 0),
        ExpectedVersion::Exists => (2, 0),
        ExpectedVersion::Exact(version) => (3, version.get()),
    };
    let mut bytes = [code; 9];
    crate::num::put(&mut bytes, 1, &u64::to_le_bytes(version));
    bytes
}

/// Goes over records that stand one after the other. Ends early at bytes that are none.
pub(crate) struct Records<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = from_u32(crate::num::u32_at(self.rest, 0));
        if length < record::HEADER_BYTES {
            return None;
        }
        let (record, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(record)
    }
}

/// The event id in a record.
pub(crate) fn event_id_of(record: &[u8]) -> [u8; 16] {
    const EVENT_ID_AT: usize = 40;
    crate::num::array_at(record, EVENT_ID_AT)
}
