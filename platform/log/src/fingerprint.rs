//! Fingerprints: what tells two histories of a log apart.
//!
//! What always holds: a fingerprint once given stays the same for as long as its event is there. Two logs that give equal
//! ones hold the same appends up to it, damage and forgery of checksums apart.

use crate::error::ReadError;
use crate::frame::Chain;
use crate::reader::Reader;
use crate::scan::{Extent, Scanned, Scanner};
use annals_event::{Fingerprint, Sequence};

/// The log's fingerprint at `at`; `None`: it does not reach so far.
pub(crate) fn of(reader: &Reader, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
    if at > reader.head() {
        return Ok(None);
    }
    let chain = if at == Sequence::ZERO { Chain::default() } else { chain_at(reader, at)? };
    Ok(Some(Fingerprint { log_id: reader.id(), sequence: at, chain: chain.0.to_le_bytes() }))
}

/// The chain after the frame with the event at `at`, which is not beyond the head.
fn chain_at(reader: &Reader, at: Sequence) -> Result<Chain, ReadError> {
    let place = reader.locate(at)?;
    let (number, base) = (place.readable.segment.number, place.readable.segment.base);
    let file = reader.shared.files.get(number).map_err(|error| reader.io_error(number, error))?;
    let (log, from, to) = (reader.shared.tag, place.offset, place.readable.end);
    let mut scanner = Scanner::new(Extent { file: &*file, log, base, from, to });
    loop {
        let offset = scanner.offset();
        match scanner.next().map_err(|error| reader.io_error(number, error))? {
            Scanned::Frame { header, chain, .. } if header.next() > at => return Ok(chain),
            Scanned::Frame { .. } => {}
            Scanned::Bad(what) => return Err(reader.corrupted(number, offset, what)),
            Scanned::End => return Err(reader.corrupted(number, offset, "the event's frame is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Options, Retention, Writer};
    use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
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

    fn all(reader: &Reader) -> Vec<Fingerprint> {
        let sequences = reader.first().get()..=reader.head().get();
        sequences.map(|at| reader.fingerprint(Sequence::new(at)).unwrap().unwrap()).collect()
    }

    #[test]
    fn a_fingerprint_stays_while_the_log_grows_is_reopened_and_dropped_from() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path());
        for n in 0..60 {
            append(&mut writer, 1 + n % 3);
        }
        let before = all(&writer.reader());
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
        let dropped = crate::num::to_usize(first.get()) - 1;
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
