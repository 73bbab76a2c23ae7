//! Where things are in a log's files, by what they begin with.

use annals_log::sim::SimDisk;

pub fn segments(disk: &SimDisk) -> Vec<String> {
    disk.files().into_iter().filter(|name| name.ends_with(".segment")).collect()
}

pub fn take_derived_files(disk: &SimDisk) {
    for name in disk.files().iter().filter(|name| !name.ends_with(".segment")) {
        disk.take(name);
    }
}

/// Where the zeros at the end of a file begin.
pub fn used_bytes(disk: &SimDisk, name: &str) -> usize {
    let bytes = disk.content(name).unwrap_or_default();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// Where the frames of a segment begin, found by what frames begin with.
pub fn frames_at(bytes: &[u8]) -> Vec<usize> {
    (512..bytes.len() - 32).step_by(8).filter(|at| bytes[*at..].starts_with(b"AnF2")).collect()
}

/// Where the last frame with a `synced_to` begins that is beyond all others.
pub fn last_group_at(disk: &SimDisk, name: &str) -> usize {
    let bytes = disk.content(name).unwrap();
    let starts = frames_at(&bytes);
    let synced_to = |at: &usize| u64::from_le_bytes(bytes[at + 24..at + 32].try_into().unwrap());
    let last = starts.last().map(synced_to).unwrap();
    *starts.iter().find(|at| synced_to(at) == last).unwrap()
}
