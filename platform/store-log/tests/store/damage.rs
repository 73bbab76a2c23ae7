//! Damage is named with file and offset, what lies below it is read, and nothing is taken for another error.

use super::support::{SEGMENT_BYTES, append, log, open, write};
use annals_store::{EventStore, Filter, ReadError, Subscribe};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files of whole segments, in the order of their names.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let whole = files.filter(|file| file.metadata().unwrap().len() >= SEGMENT_BYTES);
    let mut paths: Vec<PathBuf> = whole.map(|file| file.path()).collect();
    paths.sort();
    paths
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
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
    let damaged = segments(folder.path())[1].clone();
    flip(&damaged, 30_000);

    let store = open(folder.path()).await;
    let (below, error) = log(&store).await;
    assert!(!below.is_empty() && below.len() < whole.len());
    assert_eq!(below, whole[..below.len()]);
    let Some(ReadError::Corrupted(damage)) = error else { panic!("the damage was not seen: {error:?}") };
    assert!(damaged.ends_with(Path::new(&damage.place).file_name().unwrap()), "{damage}");
    assert!(damage.offset.is_some_and(|offset| offset <= 30_000), "{damage}");

    let last = below.last().unwrap().sequence;
    let mut behind = store.subscribe(Subscribe::after(last, Filter::all())).await.unwrap();
    let told = behind.next().await.unwrap_err();
    assert!(matches!(told, ReadError::Corrupted(_)), "{told}");
}
