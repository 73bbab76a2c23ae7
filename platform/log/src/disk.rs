//! All that the engine needs of the outside world: files, a clock, randomness. The same engine code runs on
//! [`RealDisk`] and on a simulated one.
//!
//! What the engine relies on, and nothing more:
//!
//! * After [`DiskFile::sync_data`] returned `Ok`, the bytes written before it, and the length that is needed to
//!   read them, survive a power cut. After `Err` nothing is known, for ever: the engine never retries.
//! * After [`Disk::sync_dir`] returned `Ok`, every create, rename and remove before it survives a power cut.
//! * Before a sync, any subset of the written 512-byte sectors, lengths and names may survive.
//! * Rewriting a sector keeps the bytes in it that were durable and do not change.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// One flat folder of files, addressed by name.
pub trait Disk: Send + Sync {
    /// Opens a file that exists, for reading and writing; `NotFound` when it does not.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes an empty file; `AlreadyExists` when there is one. Its name is durable after [`Disk::sync_dir`].
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Gives a file another name, replacing what had it. On error nothing has changed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; `NotFound` when there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes all names durable. Must not need a new file handle.
    fn sync_dir(&self) -> io::Result<()>;
    /// How many bytes more the folder may take.
    fn free_bytes(&self) -> io::Result<u64>;
    /// Locks the whole folder against every other opener, by way of the file `name`, which is made when it is
    /// missing; `WouldBlock` when another has it. Dropping the lock unlocks.
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>>;
    /// What a person calls the file, for messages; an empty name stands for the folder.
    fn display(&self, name: &str) -> PathBuf;
}

/// An open file with positional access; it may be used by many threads at once.
pub trait DiskFile: Send + Sync {
    /// Reads at `offset` into `buffer`; returns how many bytes there were, less than asked for only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`, extending the file if need be.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// The file's length.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Makes bytes and length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// The same, with all of the file's attributes (`fsync`).
    fn sync_all(&self) -> io::Result<()>;
}

/// A held lock on a folder.
pub trait DiskLock: Send + Sync {}

/// Wall-clock time. It may stand still and go back; the engine never lets recorded times go back.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00Z.
    fn now_micros(&self) -> i64;
}

/// Randomness, for the ids of new logs.
pub trait Entropy: Send + Sync {
    /// 128 random bits.
    fn next_u128(&self) -> u128;
}

/// Where a log lives.
#[derive(Clone)]
pub struct Environment {
    /// Its files.
    pub disk: Arc<dyn Disk>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Environment {
    /// The machine's own disk, clock and randomness. Makes the folder when it is missing.
    pub fn real(folder: &Path) -> io::Result<Self> {
        let disk = Arc::new(RealDisk::open(folder)?);
        Ok(Self { disk, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) })
    }
}

/// A folder of the file system.
pub struct RealDisk {
    folder: PathBuf,
    /// Kept open, so that syncing names never fails for want of a handle.
    handle: File,
    access: Access,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadWrite,
    ReadOnly,
}

impl RealDisk {
    /// Opens `folder`, making it when it is missing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let is_missing = |ancestor: &&Path| !ancestor.as_os_str().is_empty() && !ancestor.exists();
        let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
        std::fs::create_dir_all(folder)?;
        for made in missing {
            sync_parent(made)?;
        }
        Ok(Self { folder: folder.to_owned(), handle: File::open(folder)?, access: Access::ReadWrite })
    }

    /// Opens `folder`, which must be there, so that nothing in it can be changed.
    pub fn open_read_only(folder: &Path) -> io::Result<Self> {
        // Fails for what is no folder.
        std::fs::read_dir(folder)?;
        Ok(Self { folder: folder.to_owned(), handle: File::open(folder)?, access: Access::ReadOnly })
    }

    fn must_be_writable(&self) -> io::Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

/// A new folder's own name must survive a power cut like all that is in it.
pub(crate) fn sync_parent(folder: &Path) -> io::Result<()> {
    match folder.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let write = self.access == Access::ReadWrite;
        let file = OpenOptions::new().read(true).write(write).open(self.folder.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.must_be_writable()?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.folder.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.must_be_writable()?;
        std::fs::rename(self.folder.join(from), self.folder.join(to))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.must_be_writable()?;
        std::fs::remove_file(self.folder.join(name))
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.handle)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        let write = self.access == Access::ReadWrite;
        let mut options = OpenOptions::new();
        let file =
            match options.read(true).write(write).create(write).truncate(false).open(self.display(name)) {
                // Whoever has the folder open has made the file.
                Err(error) if !write && error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Box::new(NoLock));
                }
                other => other?,
            };
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
    fn display(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.folder.clone() } else { self.folder.join(name) }
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while !buffer.is_empty() {
            match self.0.read_at(buffer, offset) {
                Ok(0) => break,
                Ok(n) => {
                    done += n;
                    offset += n as u64;
                    buffer = buffer.split_at_mut(n).1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The advisory lock of the open file; the system drops it with the process, however that ends.
struct RealLock {
    _file: File,
}

impl DiskLock for RealLock {}

/// For those who only read what nobody has open.
struct NoLock;

impl DiskLock for NoLock {}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// The machine's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next_u128(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_with_all_that_is_missing_above_it() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("a/b/c");
        for _ in 0..2 {
            let disk = RealDisk::open(&folder).unwrap();
            assert!(disk.list().unwrap().is_empty());
            assert_eq!(disk.display(""), folder);
        }
        std::fs::write(above.path().join("file"), "").unwrap();
        assert!(RealDisk::open(&above.path().join("file")).is_err());
    }

    #[test]
    fn a_read_beyond_the_end_gives_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(folder.path()).unwrap();
        let file = disk.create_new("f").unwrap();
        file.write_at(b"abc", 2).unwrap();
        let mut buffer = [9; 8];
        assert_eq!(file.read_at(&mut buffer, 1).unwrap(), 4);
        assert_eq!(&buffer[..4], b"\0abc");
        assert_eq!(file.read_at(&mut buffer, 5).unwrap(), 0);
        assert!(disk.create_new("f").is_err());
        assert!(disk.open("g").is_err());
    }
}
