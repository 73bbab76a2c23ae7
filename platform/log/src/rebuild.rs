//! The indexes of sealed segments: from memory, from their files, or made again from the segments.

use crate::error::ReadError;
use crate::files::{read_error, read_file, replace_file};
use crate::frame::{AppendPayload, Kind};
use crate::heads::StreamHash;
use crate::index::{ActiveIndex, IndexOf, SegmentIndex, Waypoint, runs};
use crate::num::to_u32;
use crate::options::planted;
use crate::reader::{Readable, Reader, readable_at};
use crate::records::records_in;
use crate::scan::{Extent, Scanned, Scanner};
use crate::segment::FRAMES_AT;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The index of a sealed segment.
pub(crate) fn index(reader: &Reader, readable: &Readable) -> Result<Arc<SegmentIndex>, ReadError> {
    let (shared, number) = (&reader.shared, readable.segment.number);
    if let Some(index) = shared.indexes.get(number) {
        return Ok(index);
    }
    let held = shared.state.read().unindexed.iter().find(|index| index.of().segment == number).cloned();
    if let Some(index) = held {
        return Ok(index);
    }
    let disk = &*shared.environment.disk;
    let stored = read_file(disk, &number.index_file_name()).ok();
    let mut of = index_of(readable);
    if planted!(shared.options, ForeignIndexUsed) {
        of.chain = stored.as_ref().map_or(of.chain, |bytes| SegmentIndex::chain_in(bytes));
    }
    let index = match stored.and_then(|bytes| SegmentIndex::parse(bytes, of)) {
        Some(index) => Arc::new(index),
        None => {
            rebuild_earlier(reader, readable)?;
            rebuild(reader, readable)?
        }
    };
    shared.indexes.put(index.clone());
    Ok(index)
}

/// Makes the missing indexes of earlier segments again, oldest first: each one's links need those before it.
fn rebuild_earlier(reader: &Reader, readable: &Readable) -> Result<(), ReadError> {
    let disk = &*reader.shared.environment.disk;
    let names = disk.list().map_err(|error| read_error(disk, "", error))?;
    let names: HashSet<String> = names.into_iter().collect();
    let segments = reader.shared.state.read().segments.clone();
    let earlier = segments.iter().take_while(|segment| segment.number < readable.segment.number);
    for (at, segment) in earlier.enumerate() {
        let held =
            reader.shared.state.read().unindexed.iter().any(|index| index.of().segment == segment.number);
        if !held && !names.contains(&segment.number.index_file_name()) {
            let before = readable_at(&reader.shared.state.read(), at);
            before.map_or(Ok(()), |before| rebuild(reader, &before).map(drop))?;
        }
    }
    Ok(())
}

fn index_of(readable: &Readable) -> IndexOf {
    let segment = &readable.segment;
    let chain = readable.next.map_or(segment.chain, |next| next.chain);
    IndexOf { log: segment.log_id, segment: segment.number, chain }
}

fn rebuild(reader: &Reader, readable: &Readable) -> Result<Arc<SegmentIndex>, ReadError> {
    let number = readable.segment.number;
    tracing::warn!(segment = number.0, "the segment's index is missing or damaged; making it again");
    let mut active = scan(reader, readable)?;
    let links = links(reader, readable, &active)?;
    active.relink(|stream, _| links.get(&stream).copied().unwrap_or(0));
    let index = Arc::new(active.seal(index_of(readable)));
    let disk = &*reader.shared.environment.disk;
    let _drafting = reader.shared.drafting.lock();
    let frozen = reader.shared.poison.reason().is_some() || reader.corruption().is_some();
    let dropped = reader.first_behind(number).is_some();
    if !frozen
        && !dropped
        && let Err(error) = replace_file(disk, &number.index_file_name(), index.as_bytes())
    {
        tracing::warn!(%error, "the segment's index was not written; it stays in memory");
    }
    Ok(index)
}

fn scan(reader: &Reader, readable: &Readable) -> Result<ActiveIndex, ReadError> {
    let (shared, segment) = (&reader.shared, &readable.segment);
    let io = |error| reader.io_error(segment.number, error);
    let file = shared.files.get(segment.number).map_err(io)?;
    let extent =
        Extent { file: &*file, log: shared.tag, base: segment.base, from: FRAMES_AT, to: readable.end };
    let mut scanner = Scanner::new(extent);
    let mut index = ActiveIndex::default();
    loop {
        let offset = scanner.offset();
        let damaged = |what| reader.corrupted(segment.number, offset, what);
        let (header, payload) = match scanner.next().map_err(io)? {
            Scanned::End => return Ok(index),
            Scanned::Bad(what) => return Err(damaged(what)),
            Scanned::Frame { header, payload, .. } => (header, payload),
        };
        if header.kind != Kind::Append || header.events == 0 {
            continue;
        }
        let parsed = AppendPayload::parse(payload).ok_or_else(|| damaged("the payload is too short"))?;
        let records = records_in(&shared.hasher, &header, payload, parsed.records_at, offset, |_, _| true);
        for run in runs(&records.map_err(damaged)?) {
            index.add(run, 0);
        }
        let offset = to_u32(crate::num::to_usize(offset));
        index.pass(Waypoint { first: header.first, recorded_at: header.recorded_at, offset });
    }
}

/// For each stream that began before the segment: the newest earlier segment that has events of it.
fn links(
    reader: &Reader,
    readable: &Readable,
    active: &ActiveIndex,
) -> Result<HashMap<StreamHash, u32>, ReadError> {
    let mut open: HashSet<StreamHash> = active.continued().collect();
    let mut links = HashMap::new();
    let mut earlier = {
        let state = reader.shared.state.read();
        state.segments.partition_point(|segment| segment.number < readable.segment.number)
    };
    while !open.is_empty() && earlier > 0 {
        earlier -= 1;
        let before = readable_at(&reader.shared.state.read(), earlier);
        let Some(before) = before else { break };
        let index = index(reader, &before)?;
        open.retain(|&stream| {
            let here = index.contains(stream);
            if here {
                links.insert(stream, before.segment.number.0);
            }
            !here
        });
    }
    Ok(links)
}
