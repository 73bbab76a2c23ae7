//! Damage is named with file and offset, what lies below it is read, and nothing is taken for another error.

use super::support::{append, log, open, write};
use annals_store::{EventStore, Filter, ReadError, Subscribe};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The segments, the oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<PathBuf> =
        files.filter(|path| path.extension() == Some("segment".as_ref())).collect();
    segments.sort();
    segments
}

/// Flips one bit in the middle of the file; returns its place.
fn damage(file: &Path) -> u64 {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
    u64::try_from(middle).unwrap()
}

#[tokio::test]
async fn damage_in_a_sealed_segment_is_named_and_what_lies_below_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for _ in 0..200 {
        append(&store, write("a", 2, 500)).await;
    }
    let whole = log(&store).await.0;
    store.close().await.unwrap();
    drop(store);
    let segments = segments(folder.path());
    assert!(segments.len() >= 4, "the log went through several segments");
    let damaged = segments[1].clone();
    let place = damage(&damaged);

    let store = open(folder.path()).await;
    let (below, error) = log(&store).await;
    assert!(!below.is_empty() && below.len() < whole.len());
    assert_eq!(below, whole[..below.len()]);
    let Some(ReadError::Corrupted(damage)) = error else { panic!("the damage was not seen: {error:?}") };
    assert!(damaged.ends_with(Path::new(&damage.place).file_name().unwrap()), "{damage}");
    assert!(damage.offset.is_some_and(|offset| offset <= place), "{damage}");

    let last = below.last().unwrap().sequence;
    let mut at_the_end = store.subscribe(Subscribe::after(last, Filter::all())).await.unwrap();
    let told = at_the_end.next().await.unwrap_err();
    assert!(matches!(told, ReadError::Corrupted(_)), "{told}");
}
