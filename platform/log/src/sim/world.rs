//! The whole simulated disk: names, files, faults and the record of what was done.
//!
//! * A name that was created, renamed or removed is pending until the directory is synced; a crash applies any
//!   subset of the pending changes, in their order. A rename is one change: it survives whole or not at all.
//! * Operations that change something are counted from 1. After the one at which the power is cut nothing
//!   succeeds any more; a fault makes one of them, or one and all that follow, fail.
//! * Every operation, reads too, goes into the trace: two runs with the same trace did the same.

use super::{
    fault::{FaultKind, Faults},
    file::{SECTOR_BYTES, SimFile},
    random::{Random, mix},
};
use crate::{FileId, FolderLost};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// What a crash leaves of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything that a sync could still have brought to the platter.
    Everything,
    /// One of the possible subsets; the same seed gives the same one.
    Seeded(u64),
}

/// What an operation did, for messages about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Io {
    /// Its number among the operations that change something; the first is 1.
    pub number: u64,
    /// What it was.
    pub kind: IoKind,
    /// The file; empty for the directory.
    pub name: String,
}

/// The operations that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IoKind {
    /// Bytes into a file.
    Write,
    /// The length of a file.
    SetLen,
    /// A sync of a file.
    Sync,
    /// A new file.
    Create,
    /// A file under another name.
    Rename,
    /// A file that is no more.
    Remove,
    /// A sync of the directory.
    SyncDirectory,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set { name: String, file: u64 },
    Rename { from: String, to: String, file: u64 },
    Remove { name: String },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    files: BTreeMap<u64, SimFile>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending_names: Vec<NameChange>,
    next_file: u64,
    locked: BTreeSet<String>,
    pub(crate) faults: Faults,
    /// What became of the folder, for whoever goes to its path.
    pub(crate) lost: Option<FolderLost>,
    ios: u64,
    last: Option<Io>,
    trace: u64,
}

impl World {
    /// The disk after the process died and was started again: the page cache lives on.
    pub(crate) fn restarted(&self) -> Self {
        let (locked, faults) = (BTreeSet::new(), Faults::default());
        Self { locked, faults, lost: None, ios: 0, last: None, ..self.clone() }
    }

    /// The disk after a power cut that left `survival`.
    pub(crate) fn crashed(&self, survival: Survival) -> Self {
        let mut random = Random::new(if let Survival::Seeded(seed) = survival { seed } else { 0 });
        // Few, half or most of the sectors: with one rate alone, nearly whole and nearly empty groups are rare.
        let parts = [1, 4, 7].get(random.index(3)).copied().unwrap_or(4);
        let names = self.surviving_names(survival, &mut random);
        let mut left = Self { next_file: self.next_file, ..Self::default() };
        for (name, file) in names {
            let Some(content) = self.files.get(&file) else { continue };
            let survivor = match survival {
                Survival::Nothing => content.oldest_survivor(),
                Survival::Everything => content.newest_survivor(),
                Survival::Seeded(_) => content.random_survivor(&mut random, parts),
            };
            left.files.insert(file, survivor);
            left.names.insert(name, file);
        }
        left.durable_names = left.names.clone();
        left
    }

    fn surviving_names(&self, survival: Survival, random: &mut Random) -> BTreeMap<String, u64> {
        let mut names = self.durable_names.clone();
        for change in &self.pending_names {
            let survives = match survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::Seeded(_) => random.chance(1, 2),
            };
            if survives {
                change.apply(&mut names);
            }
        }
        names
    }

    pub(crate) const fn ios(&self) -> u64 {
        self.ios
    }
    pub(crate) const fn last(&self) -> Option<&Io> {
        self.last.as_ref()
    }
    pub(crate) const fn trace(&self) -> u64 {
        self.trace
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    pub(crate) fn content(&self, name: &str) -> Option<&[u8]> {
        Some(self.files.get(self.names.get(name)?)?.bytes())
    }

    /// Puts `bytes` into the file `name`, durable at once: damage from outside.
    pub(crate) fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.next_file += 1;
        let file = self.next_file;
        self.files.insert(file, SimFile::durable(bytes));
        self.names.insert(name.to_owned(), file);
        self.durable_names.insert(name.to_owned(), file);
    }

    /// Takes the file `name` away, durably and at once: damage from outside.
    pub(crate) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.durable_names.remove(name);
        let file = self.names.remove(name)?;
        self.files.remove(&file).map(|file| file.bytes().to_vec())
    }

    pub(crate) fn list(&self) -> io::Result<Vec<String>> {
        self.faults.reachable()?;
        Ok(self.names.keys().cloned().collect())
    }

    pub(crate) fn look_up(&mut self, name: &str) -> io::Result<u64> {
        self.note(7, name, &[], 0);
        self.faults.reachable()?;
        self.names.get(name).copied().ok_or_else(|| not_found(name))
    }

    pub(crate) fn create(&mut self, name: &str) -> io::Result<u64> {
        self.begin(IoKind::Create, name, &[], 0)?;
        if self.names.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} exists already")));
        }
        self.next_file += 1;
        let file = self.next_file;
        self.files.insert(file, SimFile::default());
        self.change(NameChange::Set { name: name.to_owned(), file });
        Ok(file)
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.begin(IoKind::Rename, from, to.as_bytes(), 0)?;
        let file = self.names.get(from).copied().ok_or_else(|| not_found(from))?;
        self.change(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.begin(IoKind::Remove, name, &[], 0)?;
        if !self.names.contains_key(name) {
            return Err(not_found(name));
        }
        self.change(NameChange::Remove { name: name.to_owned() });
        Ok(())
    }

    /// Makes all names durable. A failure leaves them pending, as a journalling file system does.
    pub(crate) fn sync_names(&mut self) -> io::Result<()> {
        self.begin(IoKind::SyncDirectory, "", &[], 0)?;
        for change in self.pending_names.drain(..) {
            change.apply(&mut self.durable_names);
        }
        Ok(())
    }

    /// The lock's file is made when it is missing. A lock is a matter of the running system: it is never durable.
    pub(crate) fn lock(&mut self, name: &str) -> io::Result<()> {
        if !self.names.contains_key(name) {
            self.create(name)?;
        }
        self.note(9, name, &[], 0);
        self.faults.reachable()?;
        if self.locked.insert(name.to_owned()) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Which file has the name. Looking changes nothing, so it is not in the trace.
    pub(crate) fn id_of(&self, name: &str) -> io::Result<FileId> {
        self.names.get(name).copied().map(id).ok_or_else(|| not_found(name))
    }

    pub(crate) fn unlock(&mut self, name: &str) {
        self.locked.remove(name);
    }

    pub(crate) fn read_at(&mut self, file: u64, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.note(8, "", &file.to_le_bytes(), offset ^ u64::try_from(buffer.len()).unwrap_or(0));
        self.faults.reachable()?;
        Ok(self.file(file)?.read_at(buffer, place(offset)))
    }

    pub(crate) fn len(&self, file: u64) -> io::Result<u64> {
        self.faults.reachable()?;
        let len = self.files.get(&file).ok_or_else(|| not_found("the open file"))?.len();
        u64::try_from(len).map_err(io::Error::other)
    }

    pub(crate) fn write_at(&mut self, file: u64, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (name, at) = (self.name_of(file), place(offset));
        if let Err(refused) = self.begin(IoKind::Write, &name, bytes, offset) {
            self.write_partly(file, bytes, at)?;
            return Err(refused);
        }
        let needed = self.file(file)?.sectors_needed(at, bytes.len());
        if needed > self.free_sectors() {
            self.write_partly(file, bytes, at)?;
            return Err(FaultKind::NoSpace.error());
        }
        self.file(file)?.write_at(bytes, at);
        Ok(())
    }

    /// A write that fails may have got some way, unless the power is off.
    fn write_partly(&mut self, file: u64, bytes: &[u8], at: usize) -> io::Result<()> {
        self.faults.reachable()?;
        let fits = self.free_sectors().saturating_mul(SECTOR_BYTES);
        let written = Random::new(mix(self.trace)).index(bytes.len() + 1).min(fits);
        self.file(file)?.write_at(bytes.get(..written).unwrap_or_default(), at);
        Ok(())
    }

    pub(crate) fn set_len(&mut self, file: u64, len: u64) -> io::Result<()> {
        let name = self.name_of(file);
        self.begin(IoKind::SetLen, &name, &[], len)?;
        self.file(file)?.set_len(place(len));
        Ok(())
    }

    pub(crate) fn sync(&mut self, file: u64) -> io::Result<()> {
        let name = self.name_of(file);
        let begun = self.begin(IoKind::Sync, &name, &[], 0);
        if begun.is_err() && self.faults.reachable().is_ok() {
            let mut random = Random::new(mix(self.trace));
            self.file(file)?.fail_sync(&mut random);
        }
        begun?;
        self.file(file)?.sync();
        Ok(())
    }

    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        self.faults.reachable()?;
        Ok(u64::try_from(self.free_sectors().saturating_mul(SECTOR_BYTES)).unwrap_or(u64::MAX))
    }

    fn free_sectors(&self) -> usize {
        let Some(capacity) = self.faults.capacity_bytes else { return usize::MAX };
        let used: usize =
            self.names.values().filter_map(|file| self.files.get(file)).map(SimFile::sectors_allocated).sum();
        (place(capacity) / SECTOR_BYTES).saturating_sub(used)
    }

    /// Counts and traces an operation, and decides whether it fails.
    fn begin(&mut self, kind: IoKind, name: &str, bytes: &[u8], number: u64) -> io::Result<()> {
        self.note(kind.code(), name, bytes, number);
        self.faults.reachable()?;
        self.ios += 1;
        self.last = Some(Io { number: self.ios, kind, name: name.to_owned() });
        self.faults.decide(self.ios)
    }

    fn note(&mut self, code: u64, name: &str, bytes: &[u8], number: u64) {
        let of_name = xxhash_rust::xxh3::xxh3_64(name.as_bytes());
        let of_bytes = xxhash_rust::xxh3::xxh3_64(bytes);
        for part in [code, of_name, of_bytes, number] {
            self.trace = mix(self.trace.rotate_left(17) ^ part);
        }
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn file(&mut self, file: u64) -> io::Result<&mut SimFile> {
        self.files.get_mut(&file).ok_or_else(|| not_found("the open file"))
    }

    fn name_of(&self, file: u64) -> String {
        let named = self.names.iter().find(|(_, at)| **at == file);
        named.map_or_else(String::new, |(name, _)| name.clone())
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Set { name, file } => {
                names.insert(name.clone(), *file);
            }
            Self::Rename { from, to, file } => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
            Self::Remove { name } => {
                names.remove(name);
            }
        }
    }
}

impl IoKind {
    const fn code(self) -> u64 {
        match self {
            Self::Write => 0,
            Self::SetLen => 1,
            Self::Sync => 2,
            Self::Create => 3,
            Self::Rename => 4,
            Self::Remove => 5,
            Self::SyncDirectory => 6,
        }
    }
}

/// The file with this number.
pub(crate) const fn id(number: u64) -> FileId {
    FileId { device: 0, number }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no file {name}"))
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
