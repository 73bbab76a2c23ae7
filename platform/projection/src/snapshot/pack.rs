//! The rows of a snapshot as bytes, compressed and hashed as they pass.
//!
//! ```text
//! for each table, by name:   one or more pages: the number of rows, then their cells, row by row; then a page of no rows
//! ```
//!
//! A page's number of rows is a varint, and a cell stands as [`packed`](crate::packed) has it, the sequence number of each row last.
//! The whole is one zstd stream.

use super::manifest::Packed;
use crate::{
    Value,
    backend::Batch,
    packed::{pack, put, take, unpack},
};
use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

/// zstd's own default: more costs much time and saves little on rows.
const LEVEL: i32 = 3;
/// How many bytes of rows are decompressed at once.
const CHUNK_BYTES: usize = 256 << 10;
/// A page of a snapshot has at most so many rows.
const PAGE_ROWS_MAX: u64 = 65_536;

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

/// The file of a snapshot that is being taken.
pub(super) struct Packer {
    encoder: zstd::Encoder<'static, Measured<File>>,
    rows: u64,
    rows_bytes: u64,
}

impl Packer {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let encoder = zstd::Encoder::new(Measured::new(File::create(path)?), LEVEL)?;
        Ok(Self { encoder, rows: 0, rows_bytes: 0 })
    }

    /// Adds a page of a table's rows; one of no rows ends the table.
    pub(super) fn page(&mut self, rows: Batch) -> io::Result<()> {
        let count = u64::try_from(rows.rows()).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        put(&mut bytes, count);
        rows.into_rows().flatten().for_each(|cell| pack(&mut bytes, &cell));
        self.rows += count;
        self.rows_bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.encoder.write_all(&bytes)
    }

    /// Makes the file durable.
    pub(super) fn finish(self) -> io::Result<Packed> {
        let measured = self.encoder.finish()?;
        measured.inner.sync_all()?;
        let checksum = measured.hasher.finalize().to_hex().to_string();
        let (rows, rows_bytes) = (self.rows, self.rows_bytes);
        Ok(Packed { checksum, compressed_bytes: measured.bytes, rows_bytes, rows })
    }
}

/// Size and checksum of a compressed file.
pub(super) fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut measured = Measured::new(File::open(path)?);
    io::copy(&mut measured, &mut io::sink())?;
    Ok((measured.bytes, measured.hasher.finalize().to_hex().to_string()))
}

/// The rows of a snapshot's file, one page after the other.
pub(super) struct Unpacker {
    decoder: io::Take<zstd::Decoder<'static, BufReader<File>>>,
    /// What was decompressed last, and how much of it was taken.
    buffer: Vec<u8>,
    taken: usize,
}

impl Unpacker {
    /// Reads at most `rows_bytes` bytes of rows, so that a file that lies about its size fills no memory and no disk.
    pub(super) fn open(path: &Path, rows_bytes: u64) -> io::Result<Self> {
        let decoder = zstd::Decoder::with_buffer(BufReader::new(File::open(path)?))?;
        Ok(Self { decoder: decoder.take(rows_bytes), buffer: Vec::new(), taken: 0 })
    }

    /// The next page, of rows with so many cells.
    pub(super) fn page(&mut self, cells: usize) -> io::Result<Batch> {
        let rows = self.next(take)?;
        if rows > PAGE_ROWS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a page of {rows} rows")));
        }
        let mut page = Batch::with_capacity(cells, 0);
        for _ in 0..rows {
            let row: Vec<Value> = (0..cells).map(|_| self.next(unpack)).collect::<io::Result<_>>()?;
            page.push(row);
        }
        Ok(page)
    }

    /// An error if there is more.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.fill()?;
        match self.taken == self.buffer.len() {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "more rows than it should have")),
        }
    }

    fn next<T>(&mut self, read: impl Fn(&mut &[u8]) -> Option<T>) -> io::Result<T> {
        loop {
            let mut left = self.buffer.get(self.taken..).unwrap_or_default();
            if let Some(found) = read(&mut left) {
                self.taken = self.buffer.len() - left.len();
                return Ok(found);
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn fill(&mut self) -> io::Result<u64> {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        let chunk = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        let read = self.decoder.by_ref().take(chunk).read_to_end(&mut self.buffer)?;
        Ok(u64::try_from(read).unwrap_or(u64::MAX))
    }
}
