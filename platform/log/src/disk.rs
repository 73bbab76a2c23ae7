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

mod real;

pub use real::RealDisk;
pub(crate) use real::sync_parent;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// One flat folder of files, addressed by name. It stays the folder that was opened, also when that gets another name or
/// another folder stands in its place: [`DiskLock::check`] tells.
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
    /// Which file has the name now; `NotFound` when none has.
    fn id_of(&self, name: &str) -> io::Result<FileId>;
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
    /// Which file it is, whatever its name is now.
    fn id(&self) -> io::Result<FileId>;
}

/// What tells a file from every other one, as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The file's number in it.
    pub number: u64,
}

/// A held lock on a folder.
pub trait DiskLock: Send + Sync {
    /// Whether whoever goes to the folder's path now finds the folder that is locked, and this lock in it. It is asked
    /// after each group of appends, so it must be cheap.
    fn check(&self) -> Result<(), FolderLost>;
    /// Whether files can be made in the folder.
    fn check_writable(&self) -> Result<(), FolderLost>;
}

/// What became of a folder under its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderLost {
    /// There is no folder at its path.
    #[error(
        "was deleted or moved away while the log was open; stop this process, put the folder back or restore it from a backup, start again"
    )]
    Deleted,
    /// Another folder is at its path.
    #[error(
        "was replaced by another folder while the log was open; start this process again to serve the one that is there now"
    )]
    Replaced,
    /// The lock's file is not the one that is held: another process may have locked a new one.
    #[error(
        "lost its file LOCK while the log was open, so that another process may write to it, too; stop all of them, then start one"
    )]
    Unlocked,
    /// Nothing can be made in it.
    #[error("cannot be written any more; give this process the right to write to it, then start it again")]
    Unwritable,
}

/// Time, in two ways. The engine never lets recorded times go back, and holds the one against the other.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00Z. It may be wrong, stand still, jump and go back.
    fn now_micros(&self) -> i64;
    /// Microseconds that passed since some moment before the log was opened. It never goes back, and nobody can set it.
    fn elapsed_micros(&self) -> u64;
}

/// Randomness, for the ids and secrets of new logs and the ids of openings.
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

    /// A new random UUID.
    pub(crate) fn new_uuid(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.entropy.next_u128().to_be_bytes()).into_uuid()
    }
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    /// Since the machine started, sleep included.
    #[cfg(target_os = "linux")]
    fn elapsed_micros(&self) -> u64 {
        let passed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let [seconds, nanos] = [passed.tv_sec, passed.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
        seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
    }

    /// Since the first question.
    #[cfg(not(target_os = "linux"))]
    fn elapsed_micros(&self) -> u64 {
        static BEGUN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let passed = BEGUN.get_or_init(std::time::Instant::now).elapsed();
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    }
}

/// The machine's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next_u128(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}
