//! The disk itself: write and fdatasync, without a log.

use anyhow::Result;
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

/// How a file takes new bytes.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Filled with zeros before: its blocks and its length exist.
    Preallocated,
    /// Each write makes it longer.
    Extending,
}

/// Times of `count` writes of `bytes` each, one after the other, each followed by fdatasync.
pub(crate) fn writes(folder: &Path, shape: Shape, bytes: usize, count: usize) -> Result<Vec<Duration>> {
    let path = folder.join("disk");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    if let Shape::Preallocated = shape {
        fill(&file, bytes * count)?;
    }
    let block = vec![0xA5; bytes];
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let begun = Instant::now();
        file.write_all_at(&block, u64::try_from(n * bytes)?)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(times)
}

fn fill(file: &File, bytes: usize) -> Result<()> {
    const STEP: usize = 1 << 20;
    let zeros = vec![0; STEP];
    for at in (0..bytes).step_by(STEP) {
        file.write_all_at(&zeros, u64::try_from(at)?)?;
    }
    file.sync_all()?;
    Ok(())
}
