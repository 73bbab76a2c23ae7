//! The handle on a simulated disk.

use super::{
    fault::Fault,
    world::{self, Io, Survival, World},
};
use crate::{Disk, DiskFile, DiskLock, FileId, FolderLost};
use parking_lot::Mutex;
use std::{io, path::PathBuf, sync::Arc};

/// A simulated disk that holds one log's folder. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    fn of(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// The disk that is found after a power cut now, when `survival` is left of what was not synced.
    #[must_use]
    pub fn crashed(&self, survival: Survival) -> Self {
        Self::of(self.world.lock().crashed(survival))
    }

    /// The disk that is found when the process died and starts again: the page cache lives on, locks and faults
    /// do not.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self::of(self.world.lock().restarted())
    }

    /// Lets everything fail after the operation `last`, counted as [`ios`](Self::ios) counts.
    pub fn cut_power_after(&self, last: u64) {
        self.world.lock().faults.cut_after = Some(last);
    }

    /// Whether the power is on.
    pub fn is_reachable(&self) -> bool {
        self.world.lock().faults.reachable().is_ok()
    }

    /// Plans a fault; it takes the place of the one that was planned before. `None`: all goes well.
    pub fn plan(&self, fault: Option<Fault>) {
        self.world.lock().faults.fault = fault;
    }

    /// Limits the space; `None`: there is no limit.
    pub fn limit_capacity(&self, bytes_max: Option<u64>) {
        self.world.lock().faults.capacity_bytes = bytes_max;
    }

    /// What becomes of the folder under its holder; `None`: it is there.
    pub fn lose_folder(&self, lost: Option<FolderLost>) {
        self.world.lock().lost = lost;
    }

    /// How many operations have changed something or tried to, since the disk was started.
    pub fn ios(&self) -> u64 {
        self.world.lock().ios()
    }

    /// The last operation that changed something or tried to.
    pub fn last_io(&self) -> Option<Io> {
        self.world.lock().last().cloned()
    }

    /// A hash of all that was done on the disk, reads too. Equal traces: the same was done.
    pub fn trace(&self) -> u64 {
        self.world.lock().trace()
    }

    /// The names of all files.
    pub fn files(&self) -> Vec<String> {
        self.world.lock().names().map(str::to_owned).collect()
    }

    /// The bytes of a file, as the next reader would see them.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.world.lock().content(name).map(<[u8]>::to_vec)
    }

    /// Damage: puts `bytes` in the place of the file `name`, or beside the others.
    pub fn replace(&self, name: &str, bytes: Vec<u8>) {
        self.world.lock().put(name, bytes);
    }

    /// Damage: takes a file away and returns what was in it.
    pub fn take(&self, name: &str) -> Option<Vec<u8>> {
        self.world.lock().take(name)
    }
}

struct OpenFile {
    disk: SimDisk,
    file: u64,
}

struct Lock {
    disk: SimDisk,
    name: String,
    file: FileId,
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.world.lock().look_up(name)?;
        Ok(Arc::new(OpenFile { disk: self.clone(), file }))
    }
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.world.lock().create(name)?;
        Ok(Arc::new(OpenFile { disk: self.clone(), file }))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.world.lock().list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.world.lock().rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.world.lock().remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.world.lock().sync_names()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.world.lock().free_bytes()
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        let mut world = self.world.lock();
        world.lock(name)?;
        let file = world.id_of(name)?;
        Ok(Box::new(Lock { disk: self.clone(), name: name.to_owned(), file }))
    }
    fn id_of(&self, name: &str) -> io::Result<FileId> {
        self.world.lock().id_of(name)
    }
    fn display(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

impl DiskFile for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.world.lock().read_at(self.file, buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.world.lock().write_at(self.file, bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.disk.world.lock().set_len(self.file, bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.disk.world.lock().len(self.file)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.world.lock().sync(self.file)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.disk.world.lock().sync(self.file)
    }
    fn id(&self) -> io::Result<FileId> {
        Ok(world::id(self.file))
    }
}

impl DiskLock for Lock {
    fn check(&self) -> Result<(), FolderLost> {
        let world = self.disk.world.lock();
        let gone = world.lost.filter(|lost| *lost != FolderLost::Unwritable);
        let held = world.id_of(&self.name).is_ok_and(|file| file == self.file);
        gone.map_or(if held { Ok(()) } else { Err(FolderLost::Unlocked) }, Err)
    }
    fn check_writable(&self) -> Result<(), FolderLost> {
        self.disk.world.lock().lost.map_or(Ok(()), Err)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.world.lock().unlock(&self.name);
    }
}
