//! Many recorded events in one shared buffer.
//!
//! Whoever holds a batch holds its whole buffer. So a batch that keeps little of a buffer gets one of its own
//! ([`EventBatch::compact`]): what [`EventBatch::filter`] returns holds at most twice the bytes of its events.

use crate::record::{self, DecodeError, RecordRef};
use crate::{
    EventId, Metadata, NewEvent, RecordedEvent, Sequence, StreamName, Tag, Timestamp, Version,
    name::category_of,
};
use bytes::Bytes;
use std::{fmt, sync::Arc};

/// Recorded events in order, in one shared buffer that is decoded lazily. Cloning it copies two pointers.
#[derive(Clone, Default)]
pub struct EventBatch {
    bytes: Bytes,
    offsets: Arc<[u32]>,
}

/// Collects records into an [`EventBatch`].
#[derive(Default)]
pub struct EventBatchBuilder {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
}

/// One event of a batch, borrowed. Reading the fields of the header costs nothing; metadata and tags are
/// decoded by each call.
#[derive(Clone, Copy)]
pub struct EventRef<'a> {
    batch: &'a EventBatch,
    at: usize,
    record: RecordRef<'a>,
}

impl EventBatch {
    /// A batch without events.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The records that fill `bytes`, back to back.
    pub fn parse(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut offsets = Vec::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            offsets.push(offset(at)?);
            at += RecordRef::parse(rest)?.len();
        }
        Ok(Self { bytes, offsets: offsets.into() })
    }

    /// The records that begin at `offsets` in `bytes`; what lies between them is ignored.
    pub fn parse_at(bytes: Bytes, offsets: Vec<u32>) -> Result<Self, DecodeError> {
        for &at in &offsets {
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
            RecordRef::parse(rest.unwrap_or_default())?;
        }
        Ok(Self::of_records(bytes, offsets))
    }

    /// The same for records that are known to be well-formed because [`record::encode`] made them or they were parsed
    /// before. The fields of one that is not read as empty or zero.
    pub fn of_records(bytes: Bytes, offsets: Vec<u32>) -> Self {
        Self { bytes, offsets: offsets.into() }
    }

    /// How many events the batch has.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }
    /// Whether the batch has no events.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }
    /// The event at `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<EventRef<'_>> {
        let at = usize::try_from(*self.offsets.get(index)?).ok()?;
        Some(EventRef { batch: self, at, record: RecordRef::parsed_before(self.bytes.get(at..)?) })
    }
    /// The first event.
    pub fn first(&self) -> Option<EventRef<'_>> {
        self.get(0)
    }
    /// The last event.
    pub fn last(&self) -> Option<EventRef<'_>> {
        self.get(self.len().checked_sub(1)?)
    }
    /// The events in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> + DoubleEndedIterator + Clone {
        self.offsets.iter().map(|&at| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            EventRef {
                batch: self,
                at,
                record: RecordRef::parsed_before(self.bytes.get(at..).unwrap_or_default()),
            }
        })
    }
    /// The events that `keep` accepts: in the same buffer if they fill most of it, otherwise in one of their own.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&EventRef<'_>) -> bool) -> Self {
        let kept = self.iter().zip(self.offsets.iter()).filter(|(event, _)| keep(event)).map(|(_, &at)| at);
        Self { bytes: self.bytes.clone(), offsets: kept.collect() }.compact()
    }
    /// The same events in a buffer of their own, if they take less than half of this one. Otherwise nothing is copied.
    #[must_use]
    pub fn compact(self) -> Self {
        let kept_bytes = self.size_bytes();
        if kept_bytes >= self.bytes.len().div_ceil(2) {
            return self;
        }
        let (mut bytes, mut offsets) = (Vec::with_capacity(kept_bytes), Vec::with_capacity(self.len()));
        let mut at = 0_u32;
        for record in self.iter().map(|event| event.as_bytes()) {
            offsets.push(at);
            bytes.extend_from_slice(record);
            // Half of a buffer of at most 4 GiB: the sum fits.
            at = at.saturating_add(u32::try_from(record.len()).unwrap_or(u32::MAX));
        }
        Self { bytes: bytes.into(), offsets: offsets.into() }
    }
    /// The events at these indices, in the same buffer however few they are. A range beyond the end is cut short.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let to = range.end.min(self.len());
        let kept = self.offsets.get(range.start.min(to)..to).unwrap_or_default();
        Self { bytes: self.bytes.clone(), offsets: kept.into() }
    }
    /// The events in the opposite order, in the same buffer.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { bytes: self.bytes.clone(), offsets: self.offsets.iter().rev().copied().collect() }
    }
    /// Bytes of all the records of the batch.
    pub fn size_bytes(&self) -> usize {
        self.iter().map(|event| event.record.len()).sum()
    }
    /// Bytes of memory that the batch keeps alive, whether or not its events use them.
    pub fn buffer_bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for EventBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for EventBatch {
    /// The same events in the same order; the buffers may differ.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a.as_bytes() == b.as_bytes())
    }
}

impl EventBatchBuilder {
    /// Adds a recorded event.
    pub fn push(&mut self, event: &RecordedEvent) -> Result<(), DecodeError> {
        self.push_new(&event.stream, &event.event, event.sequence, event.version, event.recorded_at)
    }

    /// Adds `event` on `stream` at its place.
    pub fn push_new(
        &mut self,
        stream: &StreamName,
        event: &NewEvent,
        sequence: Sequence,
        version: Version,
        recorded_at: Timestamp,
    ) -> Result<(), DecodeError> {
        let at = self.bytes.len();
        self.offsets.push(offset(at)?);
        record::encode(stream, event, &mut self.bytes);
        let record = self.bytes.get_mut(at..).unwrap_or_default();
        record::set_place(record, sequence, version, recorded_at);
        Ok(())
    }

    /// The batch.
    pub fn build(self) -> Result<EventBatch, DecodeError> {
        EventBatch::parse_at(self.bytes.into(), self.offsets)
    }
}

fn offset(at: usize) -> Result<u32, DecodeError> {
    u32::try_from(at).map_err(|_| DecodeError::new("the batch is larger than 4 GiB"))
}

impl<'a> EventRef<'a> {
    /// Its place in the log.
    pub fn sequence(&self) -> Sequence {
        self.record.sequence()
    }
    /// Its place in its stream.
    pub fn version(&self) -> Version {
        self.record.version()
    }
    /// When the log recorded it.
    pub fn recorded_at(&self) -> Timestamp {
        self.record.recorded_at()
    }
    /// Its id.
    pub fn id(&self) -> EventId {
        self.record.id()
    }
    /// The name of its stream.
    pub fn stream(&self) -> &'a str {
        self.record.stream()
    }
    /// The category of its stream.
    pub fn category(&self) -> &'a str {
        category_of(self.record.stream())
    }
    /// Its type.
    pub fn event_type(&self) -> &'a str {
        self.record.event_type()
    }
    /// Its schema version.
    pub fn schema_version(&self) -> u32 {
        self.record.schema_version()
    }
    /// The media type of its payload.
    pub fn content_type(&self) -> &'a str {
        self.record.content_type()
    }
    /// Its payload.
    pub fn payload(&self) -> &'a [u8] {
        self.record.payload()
    }
    /// Its payload, sharing the batch's buffer.
    pub fn payload_bytes(&self) -> Bytes {
        let from = self.at + self.record.payload_offset();
        self.batch.bytes.slice(from..from + self.record.payload().len())
    }
    /// Its metadata.
    pub fn metadata(&self) -> Result<Metadata, DecodeError> {
        self.record.metadata()
    }
    /// Its tags.
    pub fn tags(&self) -> Result<Vec<Tag>, DecodeError> {
        self.record.tags()
    }
    /// The whole record as stored.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.batch.bytes.get(self.at..self.at + self.record.len()).unwrap_or_default()
    }
    /// The event on its own. The payload is copied, so that one event does not keep a whole batch in memory.
    pub fn to_recorded(&self) -> Result<RecordedEvent, DecodeError> {
        self.record.to_recorded(Bytes::copy_from_slice(self.payload()))
    }
}

impl fmt::Debug for EventRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sequence, version) = (self.sequence(), self.version());
        write!(f, "{sequence} {} {}@{version}", self.event_type(), self.stream())
    }
}
