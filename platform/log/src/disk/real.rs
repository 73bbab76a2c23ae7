//! Files of the machine.
//!
//! What always holds: all files are reached through the folder's own handle. When another folder takes its path, nothing
//! that was meant for the one is written to the other.

use super::{Disk, DiskFile, DiskLock, FileId, FolderLost};
#[cfg(target_os = "linux")]
use rustix::fs::StatxFlags;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::path::Arg;
use std::{
    fs::{File, TryLockError},
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A folder of the file system.
pub struct RealDisk {
    folder: Arc<Folder>,
    permission: Permission,
}

/// The system says that a file in the way of a folder exists, and not that it is one.
fn no_folder(path: &Path, error: io::Error) -> io::Error {
    if path.is_file() { io::Error::new(error.kind(), "it is a file and no folder") } else { error }
}

struct Folder {
    /// Absolute, so that it means the same wherever the process goes.
    path: PathBuf,
    /// Kept open, so that syncing names never fails for want of a handle, and that no other folder gets its number.
    handle: File,
    id: FileId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Permission {
    ReadWrite,
    ReadOnly,
}

impl RealDisk {
    /// Opens `folder`, making it when it is missing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let is_missing = |ancestor: &&Path| !ancestor.as_os_str().is_empty() && !ancestor.exists();
        let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
        std::fs::create_dir_all(folder).map_err(|error| no_folder(folder, error))?;
        for made in missing {
            sync_parent(made)?;
        }
        Self::open_as(folder, Permission::ReadWrite)
    }

    /// Opens `folder`, which must be there, so that nothing in it can be changed.
    pub fn open_read_only(folder: &Path) -> io::Result<Self> {
        Self::open_as(folder, Permission::ReadOnly)
    }

    fn open_as(folder: &Path, permission: Permission) -> io::Result<Self> {
        // Fails for what is no folder.
        let handle = File::from(rustix::fs::open(
            folder,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?);
        let (path, id) = (std::path::absolute(folder)?, id_of(&handle)?);
        Ok(Self { folder: Arc::new(Folder { path, handle, id }), permission })
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let access = match self.permission {
            Permission::ReadWrite => OFlags::RDWR,
            Permission::ReadOnly => OFlags::RDONLY,
        };
        self.folder.open_file(name, access | flags)
    }

    fn must_be_writable(&self) -> io::Result<()> {
        match self.permission {
            Permission::ReadWrite => Ok(()),
            Permission::ReadOnly => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

impl Folder {
    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        const MODE: Mode = Mode::from_raw_mode(0o666);
        Ok(rustix::fs::openat(&self.handle, name, flags | OFlags::CLOEXEC, MODE)?.into())
    }

    fn id_in(&self, name: &str) -> io::Result<FileId> {
        identify(&self.handle, name, AtFlags::empty())
    }
}

fn id_of(file: &File) -> io::Result<FileId> {
    identify(file, "", AtFlags::EMPTY_PATH)
}

/// Which file `path` is, below `folder` if it is relative. It asks for no times: a file system that keeps fine-grained
/// ones would have to write the inode of a file with the next write after each look, which makes a sync half as long again.
#[cfg(target_os = "linux")]
fn identify(folder: impl AsFd, path: impl Arg, flags: AtFlags) -> io::Result<FileId> {
    let found = rustix::fs::statx(folder, path, flags, StatxFlags::INO)?;
    let device = rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor);
    Ok(FileId { device, number: found.stx_ino })
}

#[cfg(not(target_os = "linux"))]
fn identify(folder: impl AsFd, path: impl Arg, flags: AtFlags) -> io::Result<FileId> {
    let found =
        if flags.is_empty() { rustix::fs::statat(folder, path, flags)? } else { rustix::fs::fstat(folder)? };
    // How wide they are differs between systems; they are only compared.
    Ok(FileId { device: found.st_dev as u64, number: found.st_ino as u64 })
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
        Ok(Arc::new(RealFile(self.open_file(name, OFlags::empty())?)))
    }
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.must_be_writable()?;
        Ok(Arc::new(RealFile(self.open_file(name, OFlags::CREATE | OFlags::EXCL)?)))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.folder.handle)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        names.retain(|name| name != "." && name != "..");
        Ok(names)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.must_be_writable()?;
        Ok(rustix::fs::renameat(&self.folder.handle, from, &self.folder.handle, to)?)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.must_be_writable()?;
        Ok(rustix::fs::unlinkat(&self.folder.handle, name, AtFlags::empty())?)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.folder.handle.sync_all()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.folder.handle)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        let is_writable = self.permission == Permission::ReadWrite;
        let flags = if is_writable { OFlags::CREATE } else { OFlags::empty() };
        let file = match self.open_file(name, flags) {
            // Whoever has the folder open has made the file.
            Err(error) if !is_writable && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Box::new(NoLock));
            }
            other => other?,
        };
        match file.try_lock() {
            Ok(()) => {
                let (id, name, folder) = (id_of(&file)?, name.to_owned(), Arc::clone(&self.folder));
                Ok(Box::new(RealLock { _file: file, id, name, folder }))
            }
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
    fn id_of(&self, name: &str) -> io::Result<FileId> {
        self.folder.id_in(name)
    }
    fn display(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.folder.path.clone() } else { self.folder.path.join(name) }
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
    fn id(&self) -> io::Result<FileId> {
        id_of(&self.0)
    }
}

/// The advisory lock of the open file; the system drops it with the process, however that ends.
struct RealLock {
    _file: File,
    id: FileId,
    name: String,
    folder: Arc<Folder>,
}

impl DiskLock for RealLock {
    fn check(&self) -> Result<(), FolderLost> {
        match identify(CWD, &self.folder.path, AtFlags::empty()) {
            Ok(found) if found != self.folder.id => return Err(FolderLost::Replaced),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(FolderLost::Deleted);
            }
            // A path that cannot be looked at now proves nothing; the lock is looked at through the handle.
            Ok(_) | Err(_) => {}
        }
        match self.folder.id_in(&self.name) {
            Ok(found) if found != self.id => Err(FolderLost::Unlocked),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FolderLost::Unlocked),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn check_writable(&self) -> Result<(), FolderLost> {
        use rustix::io::Errno;
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        match rustix::fs::accessat(CWD, &self.folder.path, wanted, AtFlags::EACCESS) {
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Err(FolderLost::Unwritable),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// For those who only read what nobody has open.
struct NoLock;

impl DiskLock for NoLock {
    fn check(&self) -> Result<(), FolderLost> {
        Ok(())
    }
    fn check_writable(&self) -> Result<(), FolderLost> {
        Err(FolderLost::Unwritable)
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
