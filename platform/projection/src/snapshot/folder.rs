use super::{
    SnapshotManifest, SnapshotName,
    choice::other_log,
    pack::{measure, pack, unpack},
};
use crate::{
    crash_point::{crash_point, is_planted},
    error::{GenerationError, SnapshotError},
    generation::read_status,
    sqlite::{open_reader, sync_folder},
};
use annals_event::Sequence;
use annals_store::EventStore;
use sqlx::Connection;
use std::{
    cmp::Reverse,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

const MANIFEST: &str = "json";
const PACKED: &str = "sqlite.zst";
const UNFINISHED: &str = "tmp";
/// How old a file without a manifest is when it is taken for what a crash left.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(3_600);

/// The snapshots of one read model, in a folder.
#[derive(Clone, Debug)]
pub struct SnapshotFolder {
    folder: PathBuf,
}

impl SnapshotFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The names of all snapshots, newest first, intact or not.
    pub fn list(&self) -> Result<Vec<SnapshotName>, SnapshotError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_error(&self.folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(file_error(&self.folder))?.file_name();
            let name = entry.to_str().and_then(|entry| entry.strip_suffix(".json"));
            names.extend(name.and_then(|name| name.parse::<SnapshotName>().ok()));
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// Reads a snapshot's manifest and every byte of its file, and says whether they are what was written.
    pub async fn verify(&self, name: SnapshotName) -> Result<SnapshotManifest, SnapshotError> {
        let this = self.clone();
        blocking(move || this.verify_blocking(name)).await
    }

    /// Takes a snapshot of the generation in the file `source`, as it is now. It may be written meanwhile.
    pub(crate) async fn take(&self, source: &Path) -> Result<SnapshotManifest, GenerationError> {
        fs::create_dir_all(&self.folder).map_err(GenerationError::file(&self.folder))?;
        let unique = SnapshotName::generate(Sequence::ZERO);
        let copy = self.folder.join(format!("{unique}.copy.{UNFINISHED}"));
        let taken = self.take_through(source, &copy).await;
        let _ = fs::remove_file(&copy);
        taken
    }

    async fn take_through(&self, source: &Path, copy: &Path) -> Result<SnapshotManifest, GenerationError> {
        let mut connection = open_reader(source).await?;
        read_status(&mut connection).await?;
        let target =
            copy.to_str().ok_or_else(|| sqlx::Error::Protocol("the path is not UTF-8".to_owned()))?;
        sqlx::query("VACUUM INTO ?").bind(target).execute(&mut connection).await?;
        connection.close().await?;
        crash_point("snapshot-copied")?;
        // The copy says itself what it contains: the original may be further already.
        let mut connection = open_reader(copy).await?;
        let status = read_status(&mut connection).await?;
        connection.close().await?;
        let name = SnapshotName::generate(status.checkpoint);
        let (this, copy) = (self.clone(), copy.to_owned());
        let packed = blocking(move || {
            let unfinished = this.path(name, UNFINISHED);
            let packed = pack(&copy, &unfinished).map_err(file_error(&unfinished))?;
            let finished = this.path(name, PACKED);
            fs::rename(&unfinished, &finished).map_err(file_error(&finished))?;
            Ok(packed)
        })
        .await?;
        crash_point("snapshot-packed")?;
        let manifest = SnapshotManifest::new(name, &status, packed);
        self.write_manifest(name, &manifest)?;
        Ok(manifest)
    }

    /// The snapshot exists from here on.
    fn write_manifest(&self, name: SnapshotName, manifest: &SnapshotManifest) -> Result<(), SnapshotError> {
        let (unfinished, finished) = (self.path(name, UNFINISHED), self.path(name, MANIFEST));
        let write = || {
            // The compressed file's name must be durable before the manifest's.
            sync_folder(&self.folder)?;
            let mut file = fs::File::create(&unfinished)?;
            file.write_all(&manifest.to_bytes()?)?;
            file.sync_all()?;
            fs::rename(&unfinished, &finished)?;
            sync_folder(&self.folder)
        };
        write().map_err(file_error(&finished))
    }

    /// Makes the file `target` from a snapshot, checking everything, also that it is one of the log in `store`.
    pub(crate) async fn restore(
        &self,
        store: &dyn EventStore,
        name: SnapshotName,
        target: &Path,
    ) -> Result<SnapshotManifest, GenerationError> {
        let manifest = self.verify(name).await?;
        if let Some(reason) = other_log(store, &manifest).await? {
            return Err(refused(name, reason).into());
        }
        let (this, unpacked) = (self.clone(), target.to_owned());
        let manifest = blocking(move || {
            let packed = this.path(name, PACKED);
            let written = unpack(&packed, &unpacked, manifest.database_bytes).map_err(file_error(&packed))?;
            if written == manifest.database_bytes {
                Ok(manifest)
            } else {
                Err(refused(name, "its database has another size than its manifest says".to_owned()))
            }
        })
        .await?;
        let mut connection = open_reader(target).await?;
        let status = read_status(&mut connection).await?;
        connection.close().await?;
        match manifest.mismatch(&status) {
            Some(reason) => Err(refused(name, reason).into()),
            None => Ok(manifest),
        }
    }

    /// Removes all but the `keep` snapshots that were taken last, and what unfinished ones left. After the log was
    /// restored from a backup those may be at lower sequence numbers than older ones.
    pub(crate) fn prune(&self, keep: usize) -> Result<(), SnapshotError> {
        let mut names = self.list()?;
        names.sort_unstable_by_key(|name| Reverse(name.taken()));
        for name in names.into_iter().skip(keep.max(1)) {
            // The manifest first: without it the rest is no snapshot.
            for extension in [MANIFEST, PACKED] {
                remove(&self.path(name, extension))?;
            }
        }
        self.sweep()
    }

    /// Removes old files that belong to no snapshot. Young ones may be of one that is being taken.
    fn sweep(&self) -> Result<(), SnapshotError> {
        let names = self.list()?;
        for entry in fs::read_dir(&self.folder).map_err(file_error(&self.folder))? {
            let entry = entry.map_err(file_error(&self.folder))?;
            let age = entry.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
            if !matches!(age, Ok(Ok(age)) if age > UNFINISHED_AGE_MAX) {
                continue;
            }
            let entry = entry.file_name();
            let Some(entry) = entry.to_str() else { continue };
            let packed = entry.strip_suffix(".sqlite.zst").and_then(|name| name.parse().ok());
            let orphan = packed.is_some_and(|name: SnapshotName| !names.contains(&name));
            if orphan || entry.ends_with(".tmp") || entry.ends_with(".tmp-journal") {
                remove(&self.folder.join(entry))?;
            }
        }
        Ok(())
    }

    pub(super) fn read_manifest(&self, name: SnapshotName) -> Result<SnapshotManifest, SnapshotError> {
        let path = self.path(name, MANIFEST);
        let bytes = fs::read(&path).map_err(file_error(&path))?;
        let manifest = SnapshotManifest::from_bytes(&bytes).map_err(|reason| refused(name, reason))?;
        if manifest.name != name {
            return Err(refused(name, format!("its manifest is that of {}", manifest.name)));
        }
        Ok(manifest)
    }

    fn verify_blocking(&self, name: SnapshotName) -> Result<SnapshotManifest, SnapshotError> {
        let manifest = self.read_manifest(name)?;
        let path = self.path(name, PACKED);
        let (bytes, checksum) = match measure(&path) {
            Ok(measured) => measured,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(refused(name, "its file is missing".to_owned()));
            }
            Err(error) => return Err(file_error(&path)(error)),
        };
        if bytes != manifest.compressed_bytes {
            let wanted = manifest.compressed_bytes;
            return Err(refused(name, format!("its file has {bytes} bytes where {wanted} were written")));
        }
        if checksum != manifest.checksum && !is_planted("snapshot-not-checked") {
            return Err(refused(name, "its file is damaged: the checksum differs".to_owned()));
        }
        Ok(manifest)
    }

    fn path(&self, name: SnapshotName, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }
}

fn refused(name: SnapshotName, reason: String) -> SnapshotError {
    SnapshotError::Refused { name: name.to_string(), reason }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.display().to_string();
    move |error| SnapshotError::File { path, error }
}

fn remove(path: &Path) -> Result<(), SnapshotError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path)(error)),
        _ => Ok(()),
    }
}

/// Runs `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|failed| {
        let error = io::Error::other(failed);
        Err(SnapshotError::File { path: "a snapshot".to_owned(), error })
    })
}
