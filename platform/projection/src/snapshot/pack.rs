//! Compressing and checking, on a thread that may block.

use super::manifest::Packed;
use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

/// zstd's own default: more costs much time and saves little on a database.
const LEVEL: i32 = 3;

/// Hashes and counts what passes through.
struct Measured<I> {
    inner: I,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<I> Measured<I> {
    fn new(inner: I) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), bytes: 0 }
    }
    fn passed(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.passed(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Compresses `from` into `to` and makes it durable.
pub(super) fn pack(from: &Path, to: &Path) -> io::Result<Packed> {
    let mut from = File::open(from)?;
    let mut measured = Measured::new(File::create(to)?);
    let mut encoder = zstd::Encoder::new(&mut measured, LEVEL)?;
    let database_bytes = io::copy(&mut from, &mut encoder)?;
    encoder.finish()?;
    measured.inner.sync_all()?;
    let checksum = measured.hasher.finalize().to_hex().to_string();
    Ok(Packed { checksum, compressed_bytes: measured.bytes, database_bytes })
}

/// Size and checksum of a compressed file.
pub(super) fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut measured = Measured::new(File::open(path)?);
    io::copy(&mut measured, &mut io::sink())?;
    Ok((measured.bytes, measured.hasher.finalize().to_hex().to_string()))
}

/// Decompresses `from` into `to` and makes it durable. Writes at most one byte more than `database_bytes`, so that a
/// file that lies about its size fills no disk. Gives how much it was.
pub(super) fn unpack(from: &Path, to: &Path, database_bytes: u64) -> io::Result<u64> {
    let decoder = zstd::Decoder::with_buffer(BufReader::new(File::open(from)?))?;
    let mut file = File::create(to)?;
    let written = io::copy(&mut decoder.take(database_bytes.saturating_add(1)), &mut file)?;
    file.sync_all()?;
    Ok(written)
}
