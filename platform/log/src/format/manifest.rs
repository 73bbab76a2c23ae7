//! The manifest: what a backup is and what belongs to it, in lines for people and programs, the last one with the
//! checksum of those before it.
//!
//! What always holds: it is written last, so a backup without one is not whole; and it is true for as long as nobody
//! has opened the backup as a log, which takes it away.

use crate::disk::Disk;
use crate::files::{BASE, MANIFEST, is_known, read_file};
use crate::format::frame::Position;
use crate::format::segment::SegmentNumber;
use crate::num::{crc32c, to_u64, to_usize};
use annals_event::{LogId, Sequence, Timestamp};
use std::{fmt::Write, io, ops::ControlFlow};
use xxhash_rust::xxh3::Xxh3;

/// What a manifest begins with; its format follows.
const TITLE: &str = "annals backup, format ";
const FORMAT: u32 = 2;

/// A longer one is not looked at. One of this length is of a million segments.
const BYTES_MAX: u64 = 256 << 20;

/// How much of a file is read at a time.
const STEP_BYTES: u64 = 1 << 20;

/// What a backup holds. To restore it, copy its folder to where the log is to be, and open that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Of which log.
    pub log_id: LogId,
    /// The first event in it.
    pub first: Sequence,
    /// The last event in it; `ZERO`: there is none.
    pub head: Sequence,
    /// The chain at its end, after its last append: two backups with equal chains hold equal logs. Do not compare it with
    /// the log's fingerprint at `head`, which has the chain after the append with that event: the two differ if later appends
    /// only set marks.
    pub chain: u128,
    /// When copying began.
    pub taken_at: Timestamp,
}

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) backup: Backup,
    /// The log's end: everything before is in the backup.
    pub(crate) end: Position,
    /// All that belongs to it, but the lock and the manifest.
    pub(crate) files: Vec<Listed>,
}

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// XXH3-128 of all its bytes.
    pub(crate) digest: u128,
}

/// What is wrong with a file of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lack {
    #[error("{MISSING}")]
    Missing,
    #[error("{OTHER_SIZE}")]
    OtherSize,
    #[error("{OTHER_BYTES}")]
    OtherBytes,
    #[error("{NOT_LISTED}")]
    NotListed,
}

const MISSING: &str = "is missing, but the backup's manifest lists it";
const OTHER_SIZE: &str = "does not have the size that the backup's manifest says";
const OTHER_BYTES: &str = "does not have the bytes that the backup's manifest says";
const NOT_LISTED: &str = "is not listed in the backup's manifest";

impl Lack {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Missing => MISSING,
            Self::OtherSize => OTHER_SIZE,
            Self::OtherBytes => OTHER_BYTES,
            Self::NotListed => NOT_LISTED,
        }
    }
}

impl Manifest {
    /// The manifest in the folder; `None`: there is none, or it is damaged.
    pub(crate) fn in_folder(disk: &dyn Disk) -> Option<Self> {
        let bytes_max = |start: &[u8]| if start.starts_with(TITLE.as_bytes()) { BYTES_MAX } else { 0 };
        Self::parse(std::str::from_utf8(&read_file(disk, MANIFEST, bytes_max).ok()?).ok()?)
    }

    pub(crate) fn encode(&self) -> String {
        let Self { backup: Backup { log_id, first, head, chain, taken_at }, end, files } = self;
        let (end, taken_at) = (end.get(), taken_at.as_micros());
        let mut body = format!(
            "{TITLE}{FORMAT}\nlog {log_id}\nfirst {first}\nhead {head}\nchain {chain:032x}\nend {end}\ntaken_at_us {taken_at}\n"
        );
        for Listed { name, bytes, digest } in files {
            // Writing to a string does not fail.
            let _ = writeln!(body, "file {name} {bytes} {digest:032x}");
        }
        let crc = crc32c(body.as_bytes());
        format!("{body}crc32c {crc:08x}\n")
    }

    /// What the manifest says; `None` when it is damaged, or none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        if format_of(text)? != FORMAT {
            return None;
        }
        let _title = field("annals backup, format")?;
        let (log_id, first, head) = (field("log")?, field("first")?, field("head")?);
        let (chain, end, taken_at) = (field("chain")?, field("end")?, field("taken_at_us")?);
        let backup = Backup {
            log_id: log_id.parse().ok()?,
            first: Sequence::new(first.parse().ok()?),
            head: Sequence::new(head.parse().ok()?),
            chain: u128::from_str_radix(chain, 16).ok()?,
            taken_at: Timestamp::from_micros(taken_at.parse().ok()?),
        };
        let files = lines.map_while(|line| Listed::parse(line.strip_prefix("file ")?)).collect();
        let manifest = Self { backup, end: Position::new(end.parse().ok()?), files };
        (manifest.encode() == text).then_some(manifest)
    }

    /// The first file without which the log is not what the backup was of, if one lacks or is too many. Only names and
    /// sizes are looked at; of what can be made again nothing.
    pub(crate) fn lack(&self, disk: &dyn Disk, names: &[String]) -> io::Result<Option<(String, Lack)>> {
        let is_listed = |name: &&String| self.files.iter().any(|file| file.name == **name);
        if let Some(name) = names.iter().find(|name| is_primary(name) && !is_listed(name)) {
            return Ok(Some((name.clone(), Lack::NotListed)));
        }
        for Listed { name, bytes, .. } in self.files.iter().filter(|file| is_primary(&file.name)) {
            let lack = match disk.open(name).and_then(|file| file.len()) {
                Ok(found) if found == *bytes => continue,
                Ok(_) => Lack::OtherSize,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Lack::Missing,
                Err(error) => return Err(error),
            };
            return Ok(Some((name.clone(), lack)));
        }
        Ok(None)
    }
}

/// The format of a manifest, by its first line; `None`: it is none.
fn format_of(text: &str) -> Option<u32> {
    text.lines().next()?.strip_prefix(TITLE)?.parse().ok()
}

/// Whether a file of this name cannot be made again from others.
pub(crate) fn is_primary(name: &str) -> bool {
    name == BASE || SegmentNumber::of_file_name(name).is_some()
}

impl Listed {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next().filter(|name| is_known(name))?.to_owned();
        let bytes = words.next()?.parse().ok()?;
        let digest = u128::from_str_radix(words.next()?, 16).ok()?;
        Some(Self { name, bytes, digest })
    }

    /// Reads the whole file; `None`: it is what it was. `pass` hears of the bytes that were read and may stop it.
    pub(crate) fn differs(
        &self,
        disk: &dyn Disk,
        mut pass: impl FnMut(u64) -> ControlFlow<()>,
    ) -> io::Result<Option<Lack>> {
        let file = match disk.open(&self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Lack::Missing)),
            other => other?,
        };
        if file.len()? != self.bytes {
            return Ok(Some(Lack::OtherSize));
        }
        let (mut digest, mut buffer) = (Digest::default(), vec![0; to_usize(STEP_BYTES.min(self.bytes))]);
        while digest.bytes < self.bytes {
            let step = to_usize(STEP_BYTES.min(self.bytes - digest.bytes));
            let got = file.read_at(buffer.get_mut(..step).unwrap_or_default(), digest.bytes)?;
            digest.add(buffer.get(..got).unwrap_or_default());
            if got < step || pass(to_u64(got)).is_break() {
                break;
            }
        }
        Ok((digest.of(&self.name) != *self).then_some(Lack::OtherBytes))
    }
}

/// The digest of a file that is being read or written.
#[derive(Default)]
pub(crate) struct Digest {
    hasher: Xxh3,
    bytes: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += to_u64(bytes.len());
    }

    /// Zeros up to where the file ends.
    pub(crate) fn fill_to(&mut self, end: u64) {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while self.bytes < end {
            let step = to_usize(end - self.bytes).min(ZEROS.len());
            self.add(ZEROS.get(..step).unwrap_or_default());
        }
    }

    pub(crate) fn of(&self, name: &str) -> Listed {
        Listed { name: name.to_owned(), bytes: self.bytes, digest: self.hasher.digest128() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let backup = Backup {
            log_id: LogId::from_bytes([7; 16]),
            first: Sequence::FIRST,
            head: Sequence::new(99),
            chain: 0xABC,
            taken_at: Timestamp::from_micros(1_700_000_000_000_000),
        };
        let file = |name: &str, bytes: u64| {
            let mut digest = Digest::default();
            digest.add(b"abc");
            digest.fill_to(bytes);
            digest.of(name)
        };
        let files = vec![file("0000000001.segment", 4096), file("checkpoint", 3)];
        Manifest { backup, end: Position::new(2048), files }
    }

    #[test]
    fn a_manifest_has_these_lines() {
        let text = manifest().encode();
        let lines = [
            "annals backup, format 2",
            "log 07070707-0707-0707-0707-070707070707",
            "first 1",
            "head 99",
            "chain 00000000000000000000000000000abc",
            "end 2048",
            "taken_at_us 1700000000000000",
            "file 0000000001.segment 4096 e8488c209997a1abbd5cff3793549140",
            "file checkpoint 3 06b05ab6733a618578af5f94892f3950",
        ];
        assert_eq!(text.lines().take(9).collect::<Vec<_>>(), lines);
        assert_eq!(Manifest::parse(&text), Some(manifest()));
    }

    #[test]
    fn a_flipped_bit_makes_a_manifest_unusable() {
        let text = manifest().encode();
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(std::str::from_utf8(&bytes).ok().and_then(Manifest::parse).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_manifest_never_names_a_file_elsewhere() {
        let mut elsewhere = manifest();
        elsewhere.files[0].name = "../0000000001.segment".to_owned();
        assert_eq!(Manifest::parse(&elsewhere.encode()), None);
    }
}
