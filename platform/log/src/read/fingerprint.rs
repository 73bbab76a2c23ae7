//! Fingerprints: what tells two histories of a log apart.
//!
//! What always holds: a fingerprint once given stays the same for as long as its event is there. Two logs with equal
//! fingerprints hold the same appends up to there, damage and forged checksums aside.

use crate::error::ReadError;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::num::to_usize;
use crate::read::reader::{Place, Reader, first_of};
use crate::state::Chain;
use annals_event::{Fingerprint, Sequence};

/// How much is read at a time: about as far as waypoints are apart.
const CHUNK_BYTES: u64 = 64 << 10;

/// The log's fingerprint at `at`; `None`: it does not reach so far.
pub(crate) fn of(reader: &Reader, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
    if at > reader.head() {
        return Ok(None);
    }
    match recent(reader, at) {
        Some(recent) => Ok(Some(recent)),
        None => chain_at(reader, at).map(|chain| Some(fingerprint(reader, at, chain))),
    }
}

/// The same as far as it can be told from memory.
pub(crate) fn recent(reader: &Reader, at: Sequence) -> Option<Fingerprint> {
    if at == Sequence::ZERO {
        return Some(fingerprint(reader, at, Chain::default()));
    }
    let state = reader.shared.state.read();
    let chain = state.chains.at(at).filter(|_| at >= first_of(&state))?;
    Some(fingerprint(reader, at, chain))
}

fn fingerprint(reader: &Reader, sequence: Sequence, chain: Chain) -> Fingerprint {
    Fingerprint { log_id: reader.id(), sequence, chain: chain.0.to_le_bytes(), opening: reader.opening() }
}

/// The chain after the frame with the event at `at`, which is not beyond the head. Headers are enough: each is checked before
/// its length is believed, and has the checksum of its payload in it.
fn chain_at(reader: &Reader, at: Sequence) -> Result<Chain, ReadError> {
    let Place { readable, mut offset, .. } = reader.locate(at)?;
    let number = readable.segment.number;
    let (mut chunk, mut chunk_at) = (Vec::new(), offset);
    loop {
        let Some(bytes) = header_at(&chunk, offset - chunk_at) else {
            let left = readable.end.saturating_sub(offset);
            (chunk, chunk_at) = (reader.read_bytes(number, offset, to_usize(left.min(CHUNK_BYTES)))?, offset);
            if header_at(&chunk, 0).is_none() {
                return Err(reader.corrupted(number, offset, "the event's frame is missing"));
            }
            continue;
        };
        let position = readable.segment.base.plus(offset);
        let header = FrameHeader::decode(bytes, reader.shared.tag, position)
            .ok_or_else(|| reader.corrupted(number, offset, FrameHeader::NONE))?;
        if header.next() > at {
            return Ok(header.chain());
        }
        offset += header.frame_bytes();
    }
}

/// The header's bytes at `at` in the chunk, if they are all there.
fn header_at(chunk: &[u8], at: u64) -> Option<&[u8; FRAME_HEADER_BYTES]> {
    chunk.get(to_usize(at)..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Options, Retention, Writer};
    use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Opening, StreamName};
    use std::path::Path;

    fn open(folder: &Path) -> Writer {
        Writer::open(Environment::real(folder).unwrap(), Options::with_segment_bytes(4 << 10)).unwrap()
    }

    fn append(writer: &mut Writer, events: usize) {
        let event = || NewEvent::json(EventType::new("t").unwrap(), "{}");
        let events = (0..events).map(|_| event()).collect();
        let append = Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, events);
        writer.commit(vec![append]).pop().unwrap().unwrap();
    }

    /// What the reader says of all events, whatever its opening.
    fn all(reader: &Reader) -> Vec<Fingerprint> {
        let sequences = reader.first().get()..=reader.head().get();
        let at = |at| reader.fingerprint(Sequence::new(at)).unwrap().unwrap();
        sequences
            .map(|sequence| Fingerprint { opening: Opening::from_bytes([0; 16]), ..at(sequence) })
            .collect()
    }

    #[test]
    fn a_fingerprint_stays_while_the_log_grows_is_reopened_and_dropped_from() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path());
        for n in 0..60 {
            append(&mut writer, 1 + n % 3);
        }
        let before = all(&writer.reader());
        let from_disk = |fingerprint: &Fingerprint| chain_at(&writer.reader(), fingerprint.sequence).unwrap();
        assert!(before.iter().all(|known| from_disk(known).0.to_le_bytes() == known.chain));
        assert_eq!(before[1].chain, before[2].chain, "events of one append share it");
        assert_ne!(before[0].chain, before[1].chain);
        assert_eq!(writer.reader().fingerprint(writer.reader().head().next()).unwrap(), None);
        writer.close().unwrap();

        let mut writer = open(folder.path());
        append(&mut writer, 1);
        assert!(writer.stats().segments > 3);
        assert_eq!(all(&writer.reader())[..before.len()], before);
        let start = writer.reader().fingerprint(Sequence::ZERO).unwrap().unwrap();
        assert_eq!(start.chain, [0; 16]);

        let first = writer.retain(Retention { bytes_max: Some(8 << 10), age_max: None }).unwrap().first;
        let below = writer.reader().fingerprint(first.previous());
        assert!(matches!(below, Err(ReadError::BelowStart { .. })));
        let kept = all(&writer.reader());
        let dropped = to_usize(first.get()) - 1;
        assert_eq!(kept[..kept.len() - 1], before[dropped..]);
    }

    #[test]
    fn logs_that_went_on_differently_differ_from_there_on() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut writer = open(folder.path());
        append(&mut writer, 2);
        writer.close().unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let (mut one, mut other) = (open(folder.path()), open(copy.path()));
        append(&mut one, 1);
        append(&mut other, 1);
        let (one, other) = (all(&one.reader()), all(&other.reader()));
        assert_eq!(one[..2], other[..2]);
        assert_eq!(one[2].log_id, other[2].log_id);
        assert_ne!(one[2].chain, other[2].chain);
    }
}
