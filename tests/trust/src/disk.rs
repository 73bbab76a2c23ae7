//! Disks made for one trial: an ext4 file system on a loop device whose power can be cut, and file systems in memory
//! that are too small. They are made with mkfs, losetup and mount, as root, and removed when they are dropped.

use crate::{card::Unjudged, ground::in_memory};
use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// The loop device's size. Its image is a sparse file in memory.
const DISK_BYTES: u64 = 192 << 20;
/// `FS_IOC_SHUTDOWN`, which is `_IOR('X', 125, __u32)`.
const FS_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587D;
/// Neither data nor journal is flushed: what was not synced is lost, as in a power cut.
const NO_LOG_FLUSH: u32 = 2;

/// Says why the line is skipped, unless this is root and these programs exist.
pub(crate) fn need(programs: &[&str]) -> Result<(), Unjudged> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if !is_root && programs != ["strace"] {
        return Err(Unjudged::Skipped("not root, which mounting a disk needs".into()));
    }
    let missing = programs.iter().find(|program| !is_installed(program));
    missing.map_or(Ok(()), |program| Err(Unjudged::Skipped(format!("no {program} on this machine"))))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/sbin".into(), "/usr/sbin".into()]);
    folders.map(|folder| folder.join(program)).any(|file| file.is_file())
}

/// Runs a program to its end and returns what it printed.
fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {}", arguments.join(" "), said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not text")
}

/// A mount point in use.
struct Mount(PathBuf);

impl Mount {
    fn new(options: &[&str], at: PathBuf) -> Result<Self> {
        let mut arguments = options.to_vec();
        arguments.push(text(&at)?);
        run("mount", &arguments)?;
        Ok(Self(at))
    }

    fn unmount(self) -> Result<()> {
        let unmounted = run("umount", &[text(&self.0)?]);
        unmounted.map(|_| std::mem::forget(self))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A server that is just ending may still hold it; then it goes as soon as possible.
        let at = self.0.to_string_lossy().into_owned();
        if run("umount", &[&at]).or_else(|_| run("umount", &["-l", &at])).is_err() {
            eprintln!("{at} stays mounted");
        }
    }
}

/// A loop device.
struct Device(String);

impl Drop for Device {
    fn drop(&mut self) {
        if run("losetup", &["-d", &self.0]).is_err() {
            eprintln!("{} stays a loop device", self.0);
        }
    }
}

/// A disk whose power can be cut.
pub(crate) struct PowerDisk {
    // In the order in which they must be dropped.
    mount: Option<Mount>,
    device: Device,
    folder: TempDir,
}

impl PowerDisk {
    pub(crate) fn make() -> Result<Self, Unjudged> {
        need(&["mkfs.ext4", "losetup", "mount", "umount"])?;
        let folder = in_memory()?;
        let image = folder.path().join("disk");
        let made = File::create(&image).and_then(|file| file.set_len(DISK_BYTES));
        made.context("cannot make the disk's image")?;
        run("mkfs.ext4", &["-q", "-F", text(&image)?])?;
        let device = run("losetup", &["--find", "--show", text(&image)?]);
        let device = device.map_err(|error| Unjudged::Skipped(format!("no loop device: {error:#}")))?;
        let mut disk = Self { mount: None, device: Device(device), folder };
        fs::create_dir(disk.place()).context("cannot make the mount point")?;
        disk.mount()?;
        Ok(disk)
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// The folder of a log on the disk.
    pub(crate) fn data(&self) -> PathBuf {
        self.place().join("log")
    }

    fn mount(&mut self) -> Result<()> {
        self.mount = Some(Mount::new(&["-t", "ext4", &self.device.0], self.place())?);
        Ok(())
    }

    /// Cuts the power: from now on nothing reaches the disk.
    pub(crate) fn cut(&self) -> Result<()> {
        let place = File::open(self.place())?;
        let mut how = NO_LOG_FLUSH;
        #[expect(unsafe_code, reason = "there is no other way to ask for it; `how` outlives the call")]
        let status = unsafe { libc::ioctl(place.as_raw_fd(), FS_IOC_SHUTDOWN, &raw mut how) };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()).context("FS_IOC_SHUTDOWN") }
    }

    /// Brings the power back. Nobody may be using the disk.
    pub(crate) fn restore(&mut self) -> Result<()> {
        if let Some(mount) = self.mount.take() {
            mount.unmount()?;
        }
        self.mount()
    }
}

/// How large a disk in memory is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

impl Room {
    /// More than any trial needs.
    pub(crate) const AMPLE: Self = Self { bytes: 1 << 30, inodes: 10_000 };

    fn options(self) -> String {
        format!("size={},nr_inodes={}", self.bytes, self.inodes)
    }
}

/// A disk in memory that has little room until it is given more.
pub(crate) struct SmallDisk {
    mount: Mount,
    _folder: TempDir,
}

impl SmallDisk {
    pub(crate) fn make(room: Room) -> Result<Self, Unjudged> {
        need(&["mount", "umount"])?;
        let folder = in_memory()?;
        let mount = Mount::new(&["-t", "tmpfs", "-o", &room.options(), "tmpfs"], folder.path().to_owned());
        let mount = mount.map_err(|error| Unjudged::Skipped(format!("nothing can be mounted: {error:#}")))?;
        Ok(Self { mount, _folder: folder })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.mount.0.join("log")
    }

    pub(crate) fn resize(&self, room: Room) -> Result<()> {
        let options = format!("remount,{}", room.options());
        run("mount", &["-o", &options, text(&self.mount.0)?]).map(|_| ())
    }

    /// Takes room away until this much is left. The program may take some of it during the calculation.
    pub(crate) fn shrink_to_free(&self, bytes: u64) -> Result<()> {
        const TRIES: usize = 20;
        let shrink = || self.resize(Room { bytes: self.used_bytes()? + bytes, ..Room::AMPLE });
        let mut shrunk = shrink();
        for _ in 1..TRIES {
            if shrunk.is_ok() {
                break;
            }
            shrunk = shrink();
        }
        shrunk
    }

    /// How much room is left.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let now = rustix::fs::statvfs(&self.mount.0)?;
        Ok(now.f_bavail * now.f_frsize)
    }

    /// How much of it is taken.
    pub(crate) fn used_bytes(&self) -> Result<u64> {
        let now = rustix::fs::statvfs(&self.mount.0)?;
        Ok((now.f_blocks - now.f_bfree) * now.f_frsize)
    }

    /// Takes away all the room that is left.
    pub(crate) fn fill_up(&self) -> Result<Filler> {
        let filler = self.mount.0.join("filler");
        let mut file = File::create(&filler)?;
        let zeros = vec![0; 64 << 10];
        while io::Write::write_all(&mut file, &zeros).is_ok() {}
        Ok(Filler(filler))
    }
}

/// A file that takes all the room; removing it gives the room back.
pub(crate) struct Filler(PathBuf);

impl Filler {
    pub(crate) fn remove(self) -> Result<()> {
        Ok(fs::remove_file(self.0)?)
    }
}
