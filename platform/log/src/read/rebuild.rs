//! The indexes of sealed segments: from memory, from their files, or made again from the segments.
//!
//! What always holds:
//!
//! * An index is made again from one view of the log's segments, taken at the start. Retention may drop some of them
//!   meanwhile; then they count as having no events, and no link leads anywhere but to an earlier segment.
//! * Making one never makes another: of an earlier segment it asks only which streams have events there, and where no index
//!   says that, the frames do. So the stack stays the same however many indexes are unusable.

use crate::error::ReadError;
use crate::files::{read_file, replace_file};
use crate::format::{ActiveIndex, FRAMES_AT, IndexOf, SegmentHeader, SegmentIndex, SegmentNumber};
use crate::options::planted;
use crate::read::frames::{Wanted, each_frame};
use crate::read::reader::{Readable, Reader};
use crate::read::sealed::{SealedIndex, Unwritten};
use crate::state::StreamHash;
use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    sync::Arc,
};

/// The index of a sealed segment.
pub(crate) fn index(reader: &Reader, readable: &Readable) -> Result<SealedIndex, ReadError> {
    if let Some(found) = find(reader, readable) {
        return Ok(found);
    }
    let segments = reader.shared.state.read().segments.clone();
    let earlier = segments.partition_point(|segment| segment.number < readable.segment.number);
    let earlier = segments.get(..earlier).unwrap_or_default();
    make_earlier(reader, earlier, &readable.segment)?;
    make(reader, earlier, readable).map(SealedIndex::File)
}

/// The index, if it need not be made again.
fn find(reader: &Reader, readable: &Readable) -> Option<SealedIndex> {
    held(reader, readable.segment.number).or_else(|| {
        let index = Arc::new(stored(reader, readable)?);
        reader.shared.indexes.put(index.clone());
        Some(SealedIndex::File(index))
    })
}

/// What tells which streams have events in the segment: its index, or without one its frames.
fn find_or_scan(reader: &Reader, readable: &Readable) -> Result<SealedIndex, ReadError> {
    if let Some(found) = find(reader, readable) {
        return Ok(found);
    }
    let index = scan(reader, readable)?;
    Ok(SealedIndex::Unwritten(Arc::new(Unwritten { of: index_of(readable), index })))
}

/// The sealed segments before `segment`, oldest first, each with those before it.
fn each<'a>(
    earlier: &'a [SegmentHeader],
    segment: &'a SegmentHeader,
) -> impl DoubleEndedIterator<Item = (&'a [SegmentHeader], Readable)> {
    (0..earlier.len()).filter_map(move |at| {
        let (before, from) = earlier.split_at_checked(at)?;
        let next = from.get(1).unwrap_or(segment);
        from.first().map(|this| (before, Readable::sealed(this, next)))
    })
}

/// Makes the indexes of earlier segments again that are missing or of another kind, oldest first: each one's links need
/// those before it.
fn make_earlier(
    reader: &Reader,
    earlier: &[SegmentHeader],
    segment: &SegmentHeader,
) -> Result<(), ReadError> {
    for (before, readable) in each(earlier, segment) {
        let number = readable.segment.number;
        if held(reader, number).is_none() && !seems_stored(reader, &readable) {
            match make(reader, before, &readable) {
                // Dropped meanwhile: nobody reads there any more.
                Err(_) if reader.first_if_dropped(number).is_some() => {}
                made => drop(made?),
            }
        }
    }
    Ok(())
}

/// The index, if it is in memory.
fn held(reader: &Reader, segment: SegmentNumber) -> Option<SealedIndex> {
    let cached = reader.shared.indexes.get(segment).map(SealedIndex::File);
    cached.or_else(|| reader.shared.state.read().unwritten(segment))
}

/// The index in its file, if that is there and whole.
fn stored(reader: &Reader, readable: &Readable) -> Option<SegmentIndex> {
    let name = readable.segment.number.index_file_name();
    let bytes = read_file(&*reader.shared.environment.disk, &name, SegmentIndex::bytes_max).ok()?;
    let of = expected(reader, readable, &bytes);
    SegmentIndex::parse(bytes, of)
}

/// Whether the index's file is there, by its first bytes: whether the rest holds is seen when it is read.
fn seems_stored(reader: &Reader, readable: &Readable) -> bool {
    let name = readable.segment.number.index_file_name();
    let mut header = [0; SegmentIndex::HEADER_BYTES];
    let read = reader.shared.environment.disk.open(&name).and_then(|file| file.read_at(&mut header, 0));
    read.is_ok() && SegmentIndex::begins(&header, expected(reader, readable, &header))
}

/// Which index a file with these bytes must be.
fn expected(reader: &Reader, readable: &Readable, bytes: &[u8]) -> IndexOf {
    let mut of = index_of(readable);
    if planted!(reader.shared.options, ForeignIndexUsed) {
        of.chain = SegmentIndex::chain_in(bytes);
    }
    of
}

fn index_of(readable: &Readable) -> IndexOf {
    let segment = &readable.segment;
    let chain = readable.next.map_or(segment.chain, |next| next.chain);
    IndexOf { log: segment.log_id, segment: segment.number, chain }
}

fn make(
    reader: &Reader,
    earlier: &[SegmentHeader],
    readable: &Readable,
) -> Result<Arc<SegmentIndex>, ReadError> {
    let number = readable.segment.number;
    tracing::warn!(segment = number.0, "the segment's index is missing or damaged; making it again");
    let mut active = scan(reader, readable)?;
    let links = links(reader, earlier, readable, &active)?;
    active.relink(|stream, _| links.get(&stream).copied().unwrap_or(0));
    let index = Arc::new(active.seal(index_of(readable)));
    let disk = &*reader.shared.environment.disk;
    let _drafting = reader.shared.drafting.lock();
    let frozen = reader.shared.poison.reason().is_some() || reader.corruption().is_some();
    let dropped = reader.first_if_dropped(number).is_some();
    if !frozen
        && !dropped
        && let Err(error) = replace_file(disk, &number.index_file_name(), index.as_bytes())
    {
        tracing::warn!(%error, "the segment's index was not written; it stays in memory");
    }
    reader.shared.indexes.put(index.clone());
    Ok(index)
}

fn scan(reader: &Reader, readable: &Readable) -> Result<ActiveIndex, ReadError> {
    let hasher = &reader.shared.hasher;
    let mut index = ActiveIndex::default();
    each_frame(reader, readable, FRAMES_AT, Wanted::All, |frame| {
        let records = frame.records(hasher, |_, _| true)?;
        index.take_in(&frame.header, frame.offset, &records, |_| 0);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(index)
}

/// For each stream that began before the segment: the newest earlier segment that has events of it.
fn links(
    reader: &Reader,
    earlier: &[SegmentHeader],
    readable: &Readable,
    active: &ActiveIndex,
) -> Result<HashMap<StreamHash, u32>, ReadError> {
    let mut open: HashSet<StreamHash> = active.continued().collect();
    let mut links = HashMap::new();
    for (_, readable) in each(earlier, &readable.segment).rev() {
        let number = readable.segment.number;
        if open.is_empty() {
            break;
        }
        let index = match find_or_scan(reader, &readable) {
            // Dropped meanwhile, and so is all that is older.
            Err(_) if reader.first_if_dropped(number).is_some() => break,
            index => index?,
        };
        open.retain(|&stream| {
            let here = index.contains(stream);
            if here {
                links.insert(stream, number.0);
            }
            !here
        });
    }
    Ok(links)
}

#[cfg(test)]
mod tests;
