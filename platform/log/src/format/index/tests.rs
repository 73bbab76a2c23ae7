use super::*;

thread_local! {
    /// How many indexes this thread sorted.
    pub(crate) static SEALED_HERE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn of() -> IndexOf {
    IndexOf { log: LogId::from_bytes([3; 16]), segment: SegmentNumber(2), chain: Chain(99) }
}

fn posting(n: u32) -> Posting {
    Posting { offset: n, bytes: 60, crc: n * 7 }
}

fn record(stream: u128, version: u64, n: u32) -> IndexedRecord {
    IndexedRecord { stream: StreamHash(stream), version: Version::new(version), posting: posting(n) }
}

fn index() -> ActiveIndex {
    let mut index = ActiveIndex::default();
    index.add(&[record(5, 1, 100)], 0);
    index.add(&[record(9, 4, 200), record(9, 5, 300)], 1);
    index.add(&[record(9, 6, 400)], 1);
    for n in 0..10 {
        let first = Sequence::new(u64::from(n) + 1);
        index.pass(Waypoint { first, recorded_at: i64::from(n), offset: n * 40_000 });
    }
    index
}

fn versions(from: u64, to: u64) -> VersionRange {
    VersionRange { from: Version::new(from), to: Version::new(to) }
}

#[test]
fn the_active_and_the_sealed_index_find_the_same() {
    let active = index();
    let sealed = index().seal(of());
    for stream in [5, 9, 7] {
        for (from, to) in [(1, 9), (4, 4), (5, 6), (6, 9), (7, 9), (1, 3)] {
            let stream = StreamHash(stream);
            let (one, other) =
                (active.find(stream, versions(from, to)), sealed.find(stream, versions(from, to)));
            assert_eq!(one, other);
        }
    }
    let found = sealed.find(StreamHash(9), versions(5, 6)).unwrap();
    assert_eq!(found.postings, [posting(300), posting(400)]);
    assert_eq!((found.first_version, found.previous_segment), (Version::new(4), 1));
    let way = sealed.waypoint(|way| way.first <= Sequence::new(4)).unwrap();
    assert_eq!((way.first, way.offset), (Sequence::new(3), 80_000));
}

#[test]
fn a_flipped_bit_or_a_missing_byte_makes_an_index_unusable() {
    let bytes = index().seal(of()).as_bytes().to_vec();
    assert!(SegmentIndex::parse(bytes.clone().into(), of()).is_some());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(SegmentIndex::parse(flipped.into(), of()).is_none(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(SegmentIndex::parse(bytes[..length].to_vec().into(), of()).is_none());
    }
    let other = IndexOf { segment: SegmentNumber(3), ..of() };
    assert!(SegmentIndex::parse(bytes.into(), other).is_none());
}

#[test]
fn an_index_with_a_link_that_does_not_go_down_is_unusable() {
    for (link, usable) in [(0, true), (1, true), (2, false), (3, false), (u32::MAX, false)] {
        let mut index = ActiveIndex::default();
        index.add(&[record(5, 1, 100)], 0);
        index.add(&[record(9, 4, 200)], link);
        let bytes = index.seal(of()).as_bytes().clone();
        assert_eq!(SegmentIndex::parse(bytes, of()).is_some(), usable, "a link to {link} in segment 2");
    }
}

#[test]
fn an_index_file_has_these_bytes() {
    let mut index = ActiveIndex::default();
    index.add(&[record(0x0102, 4, 0x2000)], 1);
    index.pass(Waypoint { first: Sequence::new(7), recorded_at: -1, offset: 512 });
    let bytes = index.seal(of()).as_bytes().to_vec();
    let golden = [
        "416e6e616c496478",
        "02000000",
        "02000000",
        "03030303030303030303030303030303",
        "01000000",
        "01000000",
        "01000000",
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&bytes[..44]), golden.concat());
    assert_eq!(hex(&bytes[52..68]), "63000000000000000000000000000000");
    assert_eq!(hex(&bytes[72..96]), "0700000000000000ffffffffffffffff0002000000000000");
    let stream = [
        "02010000000000000000000000000000",
        "0400000000000000",
        "01000000",
        "01000000",
        "00000000",
        "00000000",
    ];
    assert_eq!(hex(&bytes[96..136]), stream.concat());
    assert_eq!(hex(&bytes[136..]), "002000003c00000000e00000");
}
