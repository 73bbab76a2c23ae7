use crate::format::{FrameHeader, Kind, LogSecret, LogTag, Position, SECRET_BYTES, SegmentNumber};
use crate::num::to_u64;
use crate::sim::{SimClock, SimDisk, SimEntropy};
use crate::state::Chain;
use crate::{Environment, Options, ReadBudget, Writer};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, RequestId, Sequence, StreamName};
use std::sync::Arc;

/// What survives a power cut in one piece.
const SECTOR_BYTES: usize = 512;
const PAYLOAD_BYTES: usize = 8 * SECTOR_BYTES;

fn open(disk: &SimDisk) -> Writer {
    let (clock, entropy) = (Arc::new(SimClock::new(1)), Arc::new(SimEntropy::new(7)));
    let environment = Environment { disk: Arc::new(disk.clone()), clock, entropy };
    Writer::open(environment, Options::with_segment_bytes(64 << 10)).unwrap()
}

fn append(payload: Vec<u8>) -> Append {
    let event = NewEvent::json(EventType::new("t").unwrap(), payload);
    Append::to(StreamName::new("a").unwrap(), ExpectedVersion::Any, vec![event])
}

/// The header of a frame that stands at `at` and says that everything before was durable.
fn forged(log: LogTag, at: usize) -> Vec<u8> {
    let position = Position::new(to_u64(at));
    let header = FrameHeader {
        kind: Kind::Append,
        log,
        position,
        synced_to: position,
        group: 0,
        first: Sequence::FIRST,
        events: 0,
        payload_bytes: 0,
        recorded_at: 0,
        request_id: RequestId::from_bytes([0; 16]),
        digest: 0,
        previous: Chain(0),
        payload_crc: 0,
    };
    header.encode().to_vec()
}

/// A client can reckon where its append will stand, and knows how tags are made, so it can make a payload that holds what
/// looks like a frame. Then the power goes while the append is written, and the sector with its real header is lost.
/// Whether the log opens as damaged then.
fn opens_as_damaged(tag_of: impl Fn(&Writer) -> LogTag) -> bool {
    let (disk, name) = (SimDisk::new(), SegmentNumber::FIRST.file_name());
    let mut writer = open(&disk);
    let used = |disk: &SimDisk| {
        let bytes = disk.content(&name).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        (bytes, end.next_multiple_of(8))
    };
    let (_, first_at) = used(&disk);
    let first_at = first_at.max(SECTOR_BYTES);
    writer.commit(vec![append(vec![b'x'; PAYLOAD_BYTES])]).pop().unwrap().unwrap();
    let (bytes, frame_at) = used(&disk);
    let payload_at = bytes.windows(8).position(|eight| eight == [b'x'; 8]).unwrap();
    let payload_at = frame_at + payload_at - first_at;

    let forged_at = (payload_at + 2 * SECTOR_BYTES).next_multiple_of(8);
    let mut payload = vec![b'x'; PAYLOAD_BYTES];
    let header = forged(tag_of(&writer), forged_at);
    payload[forged_at - payload_at..][..header.len()].copy_from_slice(&header);
    writer.commit(vec![append(payload.clone())]).pop().unwrap().unwrap();
    let read =
        writer.reader().read(Sequence::new(2), ReadBudget { bytes_max: 1 << 20, events_max: 1 }).unwrap();
    assert_eq!(read.events.first().unwrap().payload(), payload, "it is an event like any other");

    let (mut bytes, _) = used(&disk);
    assert_eq!(bytes[forged_at..][..header.len()], header[..], "it stands where it says");
    let torn_to = (frame_at + 1).next_multiple_of(SECTOR_BYTES);
    bytes[frame_at..torn_to].fill(0);
    let disk = disk.restarted();
    disk.replace(&name, bytes);
    let writer = open(&disk);
    assert_eq!(writer.reader().head(), Sequence::FIRST);
    writer.corruption().is_some()
}

#[test]
fn only_who_knows_the_secret_can_forge_a_frame_in_a_payload() {
    assert!(!opens_as_damaged(|_| LogSecret([0; SECRET_BYTES]).frame_tag()));
    assert!(opens_as_damaged(|writer| writer.reader().shared.tag), "else this test could not fail");
}
