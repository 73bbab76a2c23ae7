use super::{Harm, VerifyError, verify};
use crate::format::{FRAMES_AT, FrameHeader, Position, SegmentHeader};
use crate::{Log, Options, Retention};
use annals_event::{Append, EventType, ExpectedVersion, NewEvent, StreamName};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn append(log: &Log, number: u64) {
    let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 100]);
    let stream = StreamName::new(format!("s-{}", number % 7)).unwrap();
    log.append(Append::to(stream, ExpectedVersion::Any, vec![event])).unwrap();
}

fn small() -> Options {
    Options { checkpoint_segments: 2, ..Options::with_segment_bytes(8 << 10) }
}

#[test]
fn an_open_log_is_verified_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    (0..200).for_each(|number| append(&log, number));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 200;
            while !done.load(Relaxed) {
                append(&log, number);
                number += 1;
            }
        });
        for _ in 0..10 {
            let head = log.head().get();
            let report = log.verify(|_| {}).unwrap();
            assert_eq!(report.findings, []);
            assert!(report.events >= head);
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn a_folder_is_verified_without_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    (0..200).for_each(|number| append(&log, number));
    let in_use = verify(folder.path(), |_| {});
    assert!(matches!(in_use, Err(VerifyError::InUse { .. })), "{in_use:?}");
    log.close().unwrap();
    drop(log);
    for name in ["LOCK", "0000000001.index"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    let before = names();
    let report = verify(folder.path(), |_| {}).unwrap();
    assert_eq!((report.findings, report.events, names()), (vec![], 200, before));
    let missing = verify(&folder.path().join("missing"), |_| {});
    assert!(matches!(missing, Err(VerifyError::Io { .. })), "{missing:?}");
}

#[test]
fn a_flipped_bit_is_found_in_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    (0..200).for_each(|number| append(&log, number));
    let retained = log.retain(Retention { bytes_max: Some(20 << 10), ..Retention::default() }).unwrap();
    assert!(retained.segments > 0);
    assert_eq!(log.verify(|_| {}).unwrap().findings, []);
    (200..300).for_each(|number| append(&log, number));
    log.close().unwrap();
    drop(log);
    let report = verify(folder.path(), |_| {}).unwrap();
    assert_eq!((report.findings, report.events), (vec![], 301 - retained.first.get()));
    let base = folder.path().join("base");
    let bytes = std::fs::read(&base).unwrap();
    for at in (0..bytes.len()).step_by(9) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&base, flipped).unwrap();
        let findings = verify(folder.path(), |_| {}).unwrap().findings;
        assert!(!findings.is_empty(), "not found at {at}");
        for finding in findings {
            assert_eq!((&finding.damage.file, finding.harm), (&base, Harm::Primary), "{finding}");
            assert!(finding.damage.offset <= at as u64);
        }
    }
}

#[test]
fn a_log_whose_segments_are_all_gone_lacks_them_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    append(&log, 1);
    log.close().unwrap();
    drop(log);
    let segment = folder.path().join("0000000001.segment");
    std::fs::remove_file(&segment).unwrap();
    let findings = verify(folder.path(), |_| {}).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((&findings[0].damage.file, findings[0].damage.what), (&segment, "the segment is missing"));
}

#[test]
fn a_whole_frame_with_a_value_that_none_may_have_is_named() {
    let spoil: [fn(&mut FrameHeader); 2] =
        [|header| header.synced_to = header.position.plus(8), |header| header.group = 1];
    for spoil in spoil {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), small()).unwrap();
        append(&log, 1);
        log.close().unwrap();
        drop(log);
        let file = folder.path().join("0000000001.segment");
        let mut bytes = std::fs::read(&file).unwrap();
        let segment = SegmentHeader::decode(&bytes).ok().unwrap();
        let at = usize::try_from(FRAMES_AT).unwrap();
        let position = Position::new(FRAMES_AT);
        let mut header = FrameHeader::decode(&bytes[at..], segment.secret.frame_tag(), position).unwrap();
        spoil(&mut header);
        bytes[at..at + crate::format::FRAME_HEADER_BYTES].copy_from_slice(&header.encode());
        std::fs::write(&file, bytes).unwrap();
        let found = verify(folder.path(), |_| {}).unwrap().findings;
        assert!(found.iter().any(|found| found.damage.what.contains("no frame may have")), "{found:?}");
    }
}
