use super::*;
use crate::{AppendError, Direction, ReadBudget, StreamRead};
use annals_event::{
    Append, EventBatch, EventType, ExpectedVersion, MarkName, NewEvent, Receipt, RequestId, Sequence,
    StreamName, Version,
};
use std::path::Path;

const ALL: ReadBudget = ReadBudget { bytes_max: usize::MAX, events_max: usize::MAX };

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}
fn mark(name: &str) -> MarkName {
    MarkName::new(name).unwrap()
}
fn event(text: &str) -> NewEvent {
    NewEvent::json(EventType::new("t").unwrap(), format!("{{\"text\":\"{text}\"}}"))
}
fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|n| event(&n.to_string())).collect()
}
fn append(name: &str, count: usize) -> Append {
    Append::to(stream(name), ExpectedVersion::Any, events(count))
}

fn open(folder: &Path) -> Writer {
    try_open(folder).unwrap()
}
fn try_open(folder: &Path) -> Result<Writer, OpenError> {
    Writer::open(Environment::real(folder).unwrap(), Options::with_segment_bytes(8 << 10))
}

fn one(writer: &mut Writer, append: Append) -> Result<Receipt, AppendError> {
    let mut results = writer.commit(vec![append]);
    assert_eq!(results.len(), 1);
    results.pop().unwrap()
}

/// All events, read block by block.
fn read_all(reader: &Reader, budget: ReadBudget) -> Vec<(u64, String, u64, Vec<u8>)> {
    let (mut from, mut all) = (Sequence::FIRST, Vec::new());
    loop {
        let block = reader.read(from, budget).unwrap();
        if block.events.is_empty() {
            return all;
        }
        all.extend(facts(&block.events));
        from = block.next;
    }
}
fn facts(events: &EventBatch) -> Vec<(u64, String, u64, Vec<u8>)> {
    let fact = |event: annals_event::EventRef<'_>| {
        let (sequence, version) = (event.sequence().get(), event.version().get());
        (sequence, event.stream().to_owned(), version, event.payload().to_vec())
    };
    events.iter().map(fact).collect()
}
fn versions(reader: &Reader, name: &str, from: u64, direction: Direction, events_max: usize) -> Vec<u64> {
    let read = StreamRead { from: Version::new(from), direction, events_max };
    let events = reader.read_stream(&stream(name), read).unwrap();
    assert!(events.iter().all(|event| event.stream() == name));
    events.iter().map(|event| event.version().get()).collect()
}

#[test]
fn what_was_appended_is_read_and_found_again_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let results = writer.commit(vec![append("a", 2), append("b", 1), append("a", 3)]);
    let receipts: Vec<Receipt> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(receipts[2].events.unwrap().first, Sequence::new(4));
    assert_eq!(receipts[2].versions, [Version::new(5)]);
    assert_eq!(writer.stats().syncs, 1, "one group, one sync");
    let before = read_all(&writer.reader(), ALL);
    assert_eq!(before.len(), 6);
    drop(writer);

    let mut writer = open(folder.path());
    let reader = writer.reader();
    assert_eq!(read_all(&reader, ALL), before);
    assert_eq!(reader.head(), Sequence::new(6));
    assert_eq!(versions(&reader, "a", 1, Direction::Forward, 9), [1, 2, 3, 4, 5]);
    assert_eq!(versions(&reader, "a", 4, Direction::Backward, 2), [4, 3]);
    assert_eq!(one(&mut writer, append("b", 1)).unwrap().versions, [Version::new(2)]);
}

#[test]
fn segments_follow_each_other_and_everything_is_found_in_them() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let mut writer = open(folder.path());
        for n in 0..40 {
            one(&mut writer, append(&format!("s-{}", n % 7), 1 + n % 3)).unwrap();
        }
        match round % 3 {
            0 => writer.close().unwrap(),
            1 => writer.checkpoint().unwrap(),
            _ => writer.write_indexes().unwrap(),
        }
    }
    let writer = open(folder.path());
    let reader = writer.reader();
    assert!(writer.stats().segments > 4, "{:?}", writer.stats());
    let all = read_all(&reader, ALL);
    let small = ReadBudget { bytes_max: 300, events_max: 2 };
    assert_eq!(read_all(&reader, small), all);
    assert!(all.iter().enumerate().all(|(at, fact)| fact.0 == at as u64 + 1), "dense");
    for from in 1..=all.len() {
        let block = reader.read(Sequence::new(from as u64), small).unwrap();
        assert_eq!(facts(&block.events)[0], all[from - 1]);
    }
    for n in 0..7 {
        let name = format!("s-{n}");
        let of_stream: Vec<u64> = all.iter().filter(|fact| fact.1 == name).map(|fact| fact.2).collect();
        assert_eq!(versions(&reader, &name, 1, Direction::Forward, 10_000), of_stream);
        let last = of_stream.len() as u64;
        assert_eq!(reader.stream_version(&stream(&name)), Version::new(last));
        let backward = versions(&reader, &name, u64::MAX, Direction::Backward, 10_000);
        assert!(backward.iter().rev().eq(of_stream.iter()));
        for from in (1..last).step_by(5) {
            let two = versions(&reader, &name, from, Direction::Forward, 2);
            assert_eq!(two, [from, from + 1]);
        }
    }
    drop(writer);

    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "index") || path.ends_with("checkpoint") {
            std::fs::write(path, b"garbage").unwrap();
        }
    }
    let reader = open(folder.path()).reader();
    assert_eq!(read_all(&reader, ALL), all, "derived files are made again");
    let of_stream = all.iter().filter(|fact| fact.1 == "s-3").count();
    assert_eq!(versions(&reader, "s-3", 1, Direction::Forward, 10_000).len(), of_stream);
}

#[test]
fn an_append_whose_conditions_do_not_hold_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    one(&mut writer, append("a", 2)).unwrap();
    let exact = |version| ExpectedVersion::Exact(Version::new(version));
    let cases = [
        Append::to(stream("b"), ExpectedVersion::NoStream, events(1)).write(stream("a"), exact(1), events(1)),
        Append::to(stream("b"), ExpectedVersion::Exists, events(1)),
        append("b", 1).require(stream("a"), ExpectedVersion::NoStream),
        append("b", 1).set_mark(mark("m"), Some(Sequence::FIRST), Sequence::FIRST),
    ];
    for append in cases {
        let error = one(&mut writer, append).unwrap_err();
        assert!(matches!(error, AppendError::Conflict(_)), "{error}");
    }
    assert_eq!(writer.reader().head(), Sequence::new(2));
    let error = one(&mut writer, Append::to(stream("a"), exact(1), events(1))).unwrap_err();
    assert_eq!(error.to_string(), "stream \"a\" is at version 2; the append expected version 1");
    one(&mut writer, Append::to(stream("a"), exact(2), events(1))).unwrap();
}

#[test]
fn appends_of_one_group_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let exact = |version| Append::to(stream("a"), ExpectedVersion::Exact(Version::new(version)), events(1));
    let marked = |expected, value| Append::new().set_mark(mark("m"), expected, Sequence::new(value));
    let results = writer.commit(vec![
        exact(0),
        exact(0),
        exact(1),
        marked(None, 5),
        marked(None, 6),
        marked(Some(Sequence::new(5)), 7),
    ]);
    let fine: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true, true, false, true]);
    assert_eq!(writer.reader().mark(&mark("m")), Some(Sequence::new(7)));
    assert_eq!(writer.stats().groups, 1);
    drop(writer);
    assert_eq!(open(folder.path()).reader().mark(&mark("m")), Some(Sequence::new(7)));
}

#[test]
fn a_repeated_request_gets_the_original_receipt_also_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let first = append("a", 2).write(stream("b"), ExpectedVersion::NoStream, events(3)).set_mark(
        mark("m"),
        None,
        Sequence::new(9),
    );
    let results = writer.commit(vec![first.clone(), append("a", 1), first.clone()]);
    let [original, _, repeat] = results.try_into().unwrap();
    let original = original.unwrap();
    assert!(!original.repeated);
    let expected = Receipt { repeated: true, ..original };
    assert_eq!(repeat.unwrap(), expected);
    for round in 0..3 {
        if round == 1 {
            writer.close().unwrap();
            writer = open(folder.path());
        }
        assert_eq!(one(&mut writer, first.clone()).unwrap(), expected);
    }
    assert_eq!(writer.reader().head(), Sequence::new(6));
    let other = Append { request_id: first.request_id, ..append("a", 2) };
    assert!(matches!(one(&mut writer, other), Err(AppendError::RequestIdReused { .. })));
}

#[test]
fn an_exact_append_that_finds_its_own_events_gets_the_original_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    one(&mut writer, append("x", 3)).unwrap();
    let first = append("any", 2).write(stream("a"), ExpectedVersion::NoStream, events(3));
    let again = |append: &Append| Append { request_id: RequestId::generate(), ..append.clone() };
    let results = writer.commit(vec![first.clone(), again(&first)]);
    let [original, repeat] = results.try_into().unwrap();
    let expected = Receipt { repeated: true, ..original.unwrap() };
    assert_eq!(repeat.unwrap(), expected, "in the same group");
    one(&mut writer, append("a", 1)).unwrap();
    assert_eq!(one(&mut writer, again(&first)).unwrap(), expected);
    let mut other = again(&first);
    other.writes[1].events[2] = event("other");
    assert!(matches!(one(&mut writer, other), Err(AppendError::Conflict(_))));
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let writer = open(folder.path());
    let error = try_open(folder.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(writer);
    open(folder.path());
}

#[test]
fn a_folder_with_other_files_is_not_taken_for_a_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(try_open(folder.path()), Err(OpenError::NotALog { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn an_append_larger_than_a_segment_gets_a_segment_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let large = NewEvent { payload: vec![b' '; 100_000].into(), ..event("") };
    for n in 0..3 {
        one(&mut writer, append("a", 1)).unwrap();
        let large = NewEvent { id: annals_event::EventId::generate(), ..large.clone() };
        one(&mut writer, Append::to(stream(&format!("l-{n}")), ExpectedVersion::Any, vec![large])).unwrap();
    }
    let all = read_all(&writer.reader(), ALL);
    drop(writer);
    assert_eq!(read_all(&open(folder.path()).reader(), ALL), all);
    assert_eq!(all.iter().filter(|fact| fact.3.len() == 100_000).count(), 3);
}

#[test]
fn a_time_is_found_in_every_segment() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(one(&mut writer, append("a", 1)).unwrap().recorded_at.as_micros());
    }
    assert!(writer.stats().segments > 2);
    let reader = writer.reader();
    let at = |micros| reader.sequence_at(annals_event::Timestamp::from_micros(micros)).unwrap().get();
    for &time in &times {
        let first = times.iter().position(|&other| other >= time).unwrap() as u64 + 1;
        assert_eq!(at(time), first);
        assert!(at(time - 1) <= first);
    }
    assert_eq!(at(0), 1);
    assert_eq!(at(i64::MAX), 201);
}

#[test]
fn a_damaged_log_is_read_below_the_damage_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    for _ in 0..100 {
        one(&mut writer, append("a", 1)).unwrap();
    }
    writer.close().unwrap();
    let segment = folder.path().join("0000000002.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4000] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    std::fs::remove_file(folder.path().join("checkpoint")).unwrap();
    let mut writer = open(folder.path());
    let corruption = writer.corruption().unwrap();
    assert_eq!(corruption.file, segment);
    assert!((3500..=4000).contains(&corruption.offset), "{corruption}");
    let error = one(&mut writer, append("a", 1)).unwrap_err();
    assert!(matches!(error, AppendError::ReadOnly { .. }), "{error}");
    let (reader, head) = (writer.reader(), writer.reader().head());
    assert!(head > Sequence::new(20) && head < Sequence::new(100), "{head}");
    assert!(reader.read(head, ALL).is_ok());
    assert!(matches!(reader.read(head.next(), ALL), Err(crate::ReadError::Corrupted(_))));
    drop(writer);
    assert_eq!(std::fs::read(&segment).unwrap(), bytes, "nothing is changed");
}

/// Rotates until this many segments more were begun.
fn rotate(writer: &mut Writer, times: u64) {
    let before = writer.stats().segments;
    let mut n = 0;
    while writer.stats().segments < before + times {
        one(writer, append(&format!("s-{}", n % 7), 3)).unwrap();
        n += 1;
    }
}

#[test]
fn sealing_a_segment_sorts_nothing_on_the_writer_and_readers_find_all() {
    let sealed_here = || crate::format::SEALED_HERE.with(std::cell::Cell::get);
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    rotate(&mut writer, 3);
    assert_eq!(sealed_here(), 0, "indexes sorted by the writer");
    let reader = writer.reader();
    let read = |reader: &Reader| -> Vec<Vec<u64>> {
        (0..7).map(|n| versions(reader, &format!("s-{n}"), 1, Direction::Forward, 1_000)).collect()
    };
    let (before, all) = (read(&reader), read_all(&reader, ALL));
    assert!(before.iter().all(|versions| versions.iter().copied().eq(1..=versions.len() as u64)));
    assert_eq!(before.iter().map(Vec::len).sum::<usize>(), all.len());
    let in_the_middle = Sequence::new(all.len() as u64 / 2);
    assert_eq!(reader.read(in_the_middle, ALL).unwrap().events.first().unwrap().sequence(), in_the_middle);
    assert_eq!(sealed_here(), 0, "indexes sorted by a reader");
    writer.write_indexes().unwrap();
    assert_eq!(sealed_here(), 3, "indexes sorted by who writes their files");
    assert_eq!(read(&reader), before);
    drop(writer);
    assert_eq!(read(&open(folder.path()).reader()), before);
}

#[test]
fn unwritten_indexes_do_not_pile_up_and_dropped_ones_are_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path());
    rotate(&mut writer, 12);
    let unwritten = |writer: &Writer| writer.shared.state.read().unindexed.clone();
    assert_eq!(unwritten(&writer).len(), 12);
    let newest = crate::read::unwritten_bytes(&unwritten(&writer)[9..]);
    let given_up = writer.shared.state.write().give_up_unwritten(newest);
    assert_eq!((given_up.len(), unwritten(&writer).len()), (9, 3), "the oldest");
    let reader = writer.reader();
    let count = versions(&reader, "s-3", 1, Direction::Forward, 1_000).len() as u64;
    assert_eq!(reader.stream_version(&stream("s-3")), Version::new(count));
    writer.write_indexes().unwrap();
    assert!(unwritten(&writer).is_empty());
    assert!(writer.shared.state.write().give_up_unwritten(0).is_empty());
    let indexes = std::fs::read_dir(folder.path()).unwrap();
    let is_index = |name: &str| name.ends_with(".index");
    let indexes = indexes.filter(|entry| is_index(entry.as_ref().unwrap().file_name().to_str().unwrap()));
    assert_eq!(indexes.count(), 12);
}

#[test]
fn settings_of_any_size_are_taken_for_the_nearest_that_can_be() {
    const GIB: u64 = 1 << 30;
    for (segment_bytes, first_segment_bytes, held) in [
        (u64::MAX, 0, (GIB, 4 << 10)),
        (0, u64::MAX, (4 << 10, 4 << 10)),
        (u64::MAX, 8 << 10, (GIB, 8 << 10)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            checkpoint_segments: 2,
            requests: usize::MAX,
            tail_bytes_max: usize::MAX,
            index_cache_bytes_max: usize::MAX,
            segment_bytes,
            first_segment_bytes,
            ..Options::default()
        };
        let mut writer = Writer::open(Environment::real(folder.path()).unwrap(), options).unwrap();
        rotate(&mut writer, 2);
        let options = &writer.shared.options;
        assert!(writer.maintenance().is_checkpoint_due(), "{options:?}");
        assert_eq!((options.segment_bytes, options.first_segment_bytes), held);
        let keep_all = Retention { age_max: Some(std::time::Duration::MAX), bytes_max: Some(u64::MAX) };
        assert_eq!(writer.retain(keep_all).unwrap().segments, 0);
        assert_eq!(writer.retain_when_due(keep_all).unwrap().segments, 0);
        writer.close().unwrap();
    }
}
