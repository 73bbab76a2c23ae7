//! Each stored structure under a fuzzer: no bytes make a decoder panic, hang, or take memory beyond
//! what it is given. The checksums are made right again, else decoding would stop at them. `tests/fuzz.rs` does the same to a
//! whole folder and leaves the checksums as they are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::files::{BASE, CHECKPOINT};
use crate::format::{
    AppendPayload, Base, Checkpoint, FRAME_HEADER_BYTES, FrameHeader, IndexOf, LogSecret, LogTag, Position,
    SEGMENT_HEADER_BYTES, SegmentHeader, SegmentIndex, SegmentNumber, VersionRange,
};
use crate::num::{array_at, crc32c, from_u32, put, u32_at, u64_at};
use crate::sim::{SimClock, SimDisk, SimEntropy};
use crate::state::{Decided, Records};
use crate::{Environment, Options, Retention, Writer};
use annals_event::{Append, EventBatch, EventType, ExpectedVersion, LogId, MarkName, NewEvent, Sequence};
use annals_event::{StreamName, Version};
use bytes::Bytes;
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

const SEGMENT_BYTES: u64 = 4 << 10;

/// Sound structures, as a log wrote them.
struct Sound {
    segment: Vec<u8>,
    frame: Vec<u8>,
    index: Vec<u8>,
    checkpoint: Vec<u8>,
    base: Vec<u8>,
}

static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let disk = SimDisk::new();
    let (clock, entropy) = (Arc::new(SimClock::new(1)), Arc::new(SimEntropy::new(7)));
    let environment = Environment { disk: Arc::new(disk.clone()), clock, entropy };
    let mut writer = Writer::open(environment, Options::with_segment_bytes(SEGMENT_BYTES)).unwrap();
    for n in 0..60_u64 {
        let event = || NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 90]);
        let stream = StreamName::new(format!("a-{}", n % 4)).unwrap();
        let mark = MarkName::new("m").unwrap();
        let before = n.checked_sub(1).map(Sequence::new);
        let append = Append::to(stream, ExpectedVersion::Any, vec![event(), event()]);
        writer.commit(vec![append.set_mark(mark, before, Sequence::new(n))]).pop().unwrap().unwrap();
    }
    writer.write_indexes().unwrap();
    writer.checkpoint().unwrap();
    writer.retain(Retention { bytes_max: Some(3 * SEGMENT_BYTES), ..Retention::default() }).unwrap();
    let file = |name: &str| disk.content(name).unwrap();
    let named = |end: &str| disk.files().into_iter().find(|name| name.ends_with(end)).unwrap();
    let segment = file(&named(".segment"));
    Sound {
        frame: segment[SEGMENT_HEADER_BYTES..].to_vec(),
        segment,
        index: file(&named(".index")),
        checkpoint: file(CHECKPOINT),
        base: file(BASE),
    }
});

/// Changes bytes as the fuzzer says: each four of its bytes are one change.
fn changed(sound: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for change in changes.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[1], change[2]]));
        if bytes.is_empty() {
            break;
        }
        // The header most of the time: there the lengths and counts are.
        let at = if change[0] & 1 == 0 { at % bytes.len().min(128) } else { at % bytes.len() };
        match change[0] >> 1 & 7 {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_slice(&sound[..at.min(sound.len())]),
            2 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = change[3]),
            3 => bytes[at] ^= 1 << (change[3] % 8),
            _ => bytes[at] = change[3],
        }
    }
    bytes
}

/// Puts the checksum of `from..to` at `at`.
fn seal(bytes: &mut [u8], from: usize, to: usize, at: usize) {
    let crc = crc32c(bytes.get(from..to).unwrap_or_default());
    put(bytes, at, &crc.to_le_bytes());
}

fn seal_end(bytes: &mut [u8]) {
    let end = bytes.len().saturating_sub(4);
    seal(bytes, 0, end, end);
}

fn decode_segment(mut bytes: Vec<u8>) {
    seal(&mut bytes, 0, 508, 508);
    if let Ok(header) = SegmentHeader::decode(&bytes) {
        assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    }
}

fn decode_frame(mut bytes: Vec<u8>) {
    let payload_end = FRAME_HEADER_BYTES.saturating_add(from_u32(u32_at(&bytes, 52)));
    seal(&mut bytes, FRAME_HEADER_BYTES, payload_end, 112);
    seal(&mut bytes, 0, 116, 116);
    let (log, position) = (LogTag(u64_at(&bytes, 8)), Position::new(u64_at(&bytes, 16)));
    let Some(header) = FrameHeader::decode(&bytes, log, position) else { return };
    let _ = (header.frame_bytes(), header.end(), header.next());
    let Some(payload) = bytes.get(FRAME_HEADER_BYTES..payload_end) else { return };
    let Some(parsed) = AppendPayload::parse(payload) else { return };
    let _ = parsed.marks();
    let records = payload.get(parsed.records_at..).unwrap_or_default();
    let mut at = 0;
    for record in (Records { rest: records }) {
        read(EventBatch::parse_at(Bytes::copy_from_slice(records), vec![at]).unwrap_or_default());
        at += u32::try_from(record.len()).unwrap();
    }
    read(EventBatch::parse(Bytes::copy_from_slice(records)).unwrap_or_default());
}

/// Looks at all that an event has.
fn read(events: EventBatch) {
    for event in events.iter() {
        let _ = (event.sequence(), event.version(), event.recorded_at(), event.id(), event.category());
        let _ = (event.stream().len(), event.event_type().len(), event.content_type().len());
        let _ = (event.payload().len(), event.as_bytes().len(), event.metadata().is_ok());
    }
}

fn decode_index(mut bytes: Vec<u8>) {
    let streams_at = 72_usize.saturating_add(from_u32(u32_at(&bytes, 32)).saturating_mul(24));
    let end = bytes.len();
    seal(&mut bytes, 72, streams_at, 44);
    seal(&mut bytes, streams_at, end, 48);
    seal(&mut bytes, 0, 68, 68);
    let of = IndexOf {
        log: LogId::from_bytes(array_at(&bytes, 16)),
        segment: SegmentNumber(u32_at(&bytes, 12)),
        chain: SegmentIndex::chain_in(&bytes),
    };
    let Some(index) = SegmentIndex::parse(bytes.into(), of) else { return };
    let hasher = LogSecret([8; 32]).stream_hasher();
    for n in 0..4 {
        let stream = hasher.hash_name(&StreamName::new(format!("a-{n}")).unwrap());
        let range = VersionRange { from: Version::FIRST, to: Version::new(8) };
        let _ = (index.contains(stream), index.find(stream, range));
    }
    let _ = index.waypoint(|waypoint| waypoint.first <= Sequence::new(50));
}

fn nothing_decided() -> Decided {
    Decided::nothing(LogSecret([8; 32]).request_hasher(), Options::default().requests)
}

fn decode_checkpoint(mut bytes: Vec<u8>) {
    seal_end(&mut bytes);
    let Some(checkpoint) = Checkpoint::parse(bytes.into()) else { return };
    let _ = checkpoint.heads().count();
    let _ = checkpoint.restore(&mut nothing_decided());
}

fn decode_base(mut bytes: Vec<u8>) {
    seal(&mut bytes, 0, 108, 108);
    seal_end(&mut bytes);
    let Ok(base) = Base::parse(bytes.into()) else { return };
    if base.restore(&mut nothing_decided()).is_some() {
        let contents = base.contents().unwrap();
        assert!(Base::parse(contents.encode().into()).is_ok());
    }
}

#[test]
fn sound_structures_decode() {
    let sound = &*SOUND;
    assert!(SegmentHeader::decode(&sound.segment).is_ok());
    assert!(Checkpoint::parse(sound.checkpoint.clone().into()).is_some());
    assert!(Base::parse(sound.base.clone().into()).is_ok_and(|base| base.contents().is_some()));
    decode_frame(sound.frame.clone());
    decode_index(sound.index.clone());
}

#[test]
fn no_bytes_make_a_decoder_panic_or_hang() {
    static RUN: AtomicU64 = AtomicU64::new(0);
    bolero::check!().for_each(|input: &[u8]| {
        let Some((which, changes)) = input.split_first() else { return };
        let sound = &*SOUND;
        RUN.fetch_add(1, Ordering::Relaxed);
        match which % 5 {
            0 => decode_segment(changed(&sound.segment[..600], changes)),
            1 => decode_frame(changed(&sound.frame, changes)),
            2 => decode_index(changed(&sound.index, changes)),
            3 => decode_checkpoint(changed(&sound.checkpoint, changes)),
            _ => decode_base(changed(&sound.base, changes)),
        }
    });
    println!("{} stored structures decoded", RUN.load(Ordering::Relaxed));
}
