//! Repeated appends: found by request id, or by the ids of their events.

use crate::error::{AppendError, ReadError};
use crate::frame::{AppendPayload, Position};
use crate::group::{Repeated, last_versions, receipt};
use crate::num::{from_u32, to_u64};
use crate::pending::{Pending, event_id_of};
use crate::reader::{BAD_PAYLOAD, Direction, ReadBudget, Reader, StreamRead};
use crate::segment::SegmentNumber;
use annals_event::{EventBatch, ExpectedVersion, Receipt, Sequence, SequenceRange, Version};
use bytes::Bytes;
use std::sync::Arc;

/// The answer to an append whose request id left the frame at `position`.
pub(crate) fn by_request(
    reader: &Reader,
    pending: &Pending,
    position: Position,
) -> Result<Receipt, AppendError> {
    let original = |error| match error {
        ReadError::BelowStart { .. } => AppendError::OriginalDropped { request_id: pending.request_id },
        other => AppendError::Original(Arc::new(other)),
    };
    let (header, payload) = reader.frame(position).map_err(original)?;
    let damaged = || original(reader.corrupted(SegmentNumber::FIRST, position.get(), BAD_PAYLOAD));
    let parsed = AppendPayload::parse(&payload).ok_or_else(damaged)?;
    if header.request_id != pending.request_id || parsed.digest != pending.digest {
        return Err(AppendError::RequestIdReused { request_id: pending.request_id });
    }
    let records = payload.slice(parsed.records_at..);
    let versions = versions_in(records).ok_or_else(damaged)?;
    Ok(receipt(&header, versions, Repeated::Yes))
}

fn versions_in(records: Bytes) -> Option<Vec<Version>> {
    let events = EventBatch::parse(records).ok()?;
    Some(last_versions(events.iter().map(|event| (event.stream(), event.version()))))
}

/// A write whose expected version says where its events are if the append was made before.
struct Pinned<'a> {
    condition: &'a crate::pending::Condition,
    /// The version of its first event.
    version: Version,
    /// The place of its first event among the append's.
    index: usize,
}

fn pinned(pending: &Pending) -> Option<Pinned<'_>> {
    let mut index = 0;
    for write in &pending.writes {
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

/// The id of the event that tells whether the append was made before; `None`: nothing can tell.
pub(crate) fn telling_event(pending: &Pending) -> Option<[u8; 16]> {
    let index = pinned(pending)?.index;
    pending.records().nth(index).map(event_id_of)
}

/// The receipt of the append that wrote these very events at the versions that are expected of them; `None`: they
/// are not there, or no longer.
pub(crate) fn by_events(reader: &Reader, pending: &Pending) -> Result<Option<Receipt>, ReadError> {
    match find_events(reader, pending) {
        Err(ReadError::BelowStart { .. }) => Ok(None),
        found => found,
    }
}

fn find_events(reader: &Reader, pending: &Pending) -> Result<Option<Receipt>, ReadError> {
    let Some(pinned) = pinned(pending) else { return Ok(None) };
    let stream = &pinned.condition.stream;
    if reader.stream_version(stream) < pinned.version {
        return Ok(None);
    }
    let one = StreamRead { from: pinned.version, direction: Direction::Forward, events_max: 1 };
    let found = reader.read_stream(stream, one)?;
    let Some(event) = found.first() else { return Ok(None) };
    if telling_event(pending) != Some(*event.id().as_bytes()) {
        return Ok(None);
    }
    let index = to_u64(pinned.index);
    match event.sequence().get().checked_sub(index).filter(|&first| first > 0) {
        Some(first) => events_at(reader, pending, Sequence::new(first)),
        None => Ok(None),
    }
}

/// The receipt of the append, if its events stand one behind the other from `first` on.
fn events_at(reader: &Reader, pending: &Pending, first: Sequence) -> Result<Option<Receipt>, ReadError> {
    let count = from_u32(pending.events());
    let mut expected = pending.records().map(event_id_of);
    let mut batches = Vec::new();
    let (mut next, mut left, mut recorded_at) = (first, count, None);
    while left > 0 {
        let block = reader.read(next, ReadBudget { bytes_max: 1 << 20, events_max: left })?;
        let mut same = |event: &annals_event::EventRef<'_>| expected.next() == Some(*event.id().as_bytes());
        if block.events.is_empty() || !block.events.iter().all(|event| same(&event)) {
            return Ok(None);
        }
        recorded_at = recorded_at.or_else(|| block.events.first().map(|event| event.recorded_at()));
        left = left.saturating_sub(block.events.len());
        next = block.next;
        batches.push(block.events);
    }
    let events = batches.iter().flat_map(EventBatch::iter);
    let versions = last_versions(events.map(|event| (event.stream(), event.version())));
    let last = next.previous();
    Ok(Some(Receipt {
        events: Some(SequenceRange { first, last }),
        versions,
        head: last,
        recorded_at: recorded_at.unwrap_or_default(),
        repeated: true,
    }))
}
