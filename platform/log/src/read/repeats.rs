//! Finding the original of a repeated append, by its request id or by the ids of its events. This reads the disk, so it is never
//! done on the writer's thread.

use crate::error::{AppendError, ReadError};
use crate::format::{AppendPayload, FrameHeader};
use crate::num::to_u64;
use crate::read::blocks;
use crate::read::reader::{Direction, Reader, StreamRead};
use crate::state::{Pending, Records, event_id_of};
use annals_event::{
    EventBatch, EventId, Receipt, RecordedEvent, Sequence, SequenceRange, Timestamp, Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// The answer to an append whose request id is that of one at `first`.
pub(crate) fn by_request(
    reader: &Reader,
    pending: &Pending,
    first: Sequence,
) -> Result<Receipt, AppendError> {
    let original = |error| match error {
        ReadError::BelowStart { .. } => AppendError::OriginalDropped { request_id: pending.request_id },
        other => AppendError::Original(Arc::new(other)),
    };
    let found = blocks::frame_of(reader, pending.request_id, first).map_err(original)?;
    let (place, header, payload) =
        found.ok_or(AppendError::OriginalDropped { request_id: pending.request_id })?;
    let damaged = || original(reader.corrupted(place.segment, place.offset, FrameHeader::BAD_PAYLOAD));
    let parsed = AppendPayload::parse(&payload).ok_or_else(damaged)?;
    if header.digest != pending.digest {
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

/// The receipt of the append that wrote these very events at the versions that are expected of them; `None`: they are not
/// there, or no longer.
pub(crate) fn by_events(reader: &Reader, pending: &Pending) -> Result<Option<Receipt>, AppendError> {
    match find_frame(reader, pending) {
        Ok(Some((header, payload))) => compare(pending, &header, payload),
        Ok(None) | Err(ReadError::BelowStart { .. }) => Ok(None),
        Err(error) => Err(AppendError::Original(Arc::new(error))),
    }
}

/// The frame with the first of the append's events, if the one that tells is where it is expected.
fn find_frame(reader: &Reader, pending: &Pending) -> Result<Option<(FrameHeader, Bytes)>, ReadError> {
    let Some(pinned) = pending.pinned() else { return Ok(None) };
    let one = StreamRead { from: pinned.version, direction: Direction::Forward, events_max: 1 };
    let found = reader.read_stream(&pinned.condition.stream, one)?;
    let Some(event) = found.first() else { return Ok(None) };
    if pending.records().nth(pinned.index).map(event_id_of) != Some(*event.id().as_bytes()) {
        return Ok(None);
    }
    match event.sequence().get().checked_sub(to_u64(pinned.index)).filter(|&first| first > 0) {
        Some(first) => blocks::frame_from(reader, Sequence::new(first)),
        None => Ok(None),
    }
}

/// The receipt of the append that left the frame, if the append at hand is a repeat of it; `None`: it is another one.
fn compare(pending: &Pending, header: &FrameHeader, payload: Bytes) -> Result<Option<Receipt>, AppendError> {
    let Some(parsed) = AppendPayload::parse(&payload) else { return Ok(None) };
    if header.digest != pending.digest {
        let records = Records { rest: payload.get(parsed.records_at..).unwrap_or_default() };
        for (wanted, there) in pending.records().zip(records) {
            let id = event_id_of(wanted);
            if id != event_id_of(there) {
                return Ok(None);
            }
            if !is_repeat(wanted, there) {
                return Err(AppendError::EventIdReused { event_id: EventId::from_bytes(id) });
            }
        }
        let sets = |(mark, value): &(_, _)| {
            pending.marks.iter().any(|update| update.mark == *mark && update.value == *value)
        };
        let marks = parsed.marks().unwrap_or_default();
        let same_marks = marks.len() == pending.marks.len() && marks.iter().all(sets);
        if header.events != pending.events() || !same_marks {
            return Ok(None);
        }
    }
    let records = payload.slice(parsed.records_at..);
    Ok(versions_in(records).map(|versions| receipt(header, versions, Repeated::Yes)))
}

/// Whether two records are of the same event, but for its place and the trace of the attempt to write it.
fn is_repeat(wanted: &[u8], there: &[u8]) -> bool {
    const PLACE: std::ops::Range<usize> = 16..40;
    let same_bytes = wanted.get(..PLACE.start) == there.get(..PLACE.start)
        && wanted.get(PLACE.end..) == there.get(PLACE.end..);
    same_bytes
        || match (recorded(wanted), recorded(there)) {
            (Some(wanted), Some(there)) => {
                wanted.stream == there.stream && wanted.event.is_repeat_of(&there.event)
            }
            _ => false,
        }
}

fn recorded(record: &[u8]) -> Option<RecordedEvent> {
    let events = EventBatch::parse(Bytes::copy_from_slice(record)).ok()?;
    events.first()?.to_recorded().ok()
}

/// Whether a receipt is that of an earlier append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    Yes,
    No,
}

/// The receipt of the append that left this frame.
pub(crate) fn receipt(frame: &FrameHeader, versions: Vec<Version>, repeated: Repeated) -> Receipt {
    let last = frame.next().previous();
    Receipt {
        events: (frame.events > 0).then_some(SequenceRange { first: frame.first, last }),
        versions,
        head: last,
        recorded_at: Timestamp::from_micros(frame.recorded_at),
        repeated: repeated == Repeated::Yes,
    }
}

/// The last version of each stream, given the streams and versions of an append's events in order.
pub(crate) fn last_versions<'a>(events: impl Iterator<Item = (&'a str, Version)>) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    let mut stream = None;
    for (name, version) in events {
        match versions.last_mut() {
            Some(last) if stream == Some(name) => *last = version,
            _ => versions.push(version),
        }
        stream = Some(name);
    }
    versions
}
