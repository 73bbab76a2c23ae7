use super::{Snapshot, SnapshotError, SnapshotSchema, SnapshotStore, file};
use annals_event::StreamName;
use async_trait::async_trait;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_128;

/// Snapshots in a folder, one file for each stream and schema. The folder may be deleted at any time.
///
/// A file's name is made of hashes of the stream's name, which is data and never becomes a path, and of the schema;
/// the file itself holds both. Files are replaced atomically and synced, so a crash leaves the old one or the new
/// one.
#[derive(Clone, Debug)]
pub struct FolderSnapshots {
    dir: PathBuf,
}

impl FolderSnapshots {
    /// Snapshots in `dir`, which is made when there is none.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, SnapshotError> {
        let dir = dir.into();
        if dir.is_file() {
            return Err(unavailable(&dir, "it is a file, not a folder"));
        }
        fs::create_dir_all(&dir).map_err(|error| unavailable(&dir, error))?;
        Ok(Self { dir })
    }

    /// The file of a stream's snapshot; 256 subfolders keep listings short.
    fn path(&self, stream: &StreamName, schema: &SnapshotSchema) -> PathBuf {
        let hash = |text: &str| format!("{:032x}", xxh3_128(text.as_bytes()));
        let (stream, schema) = (hash(stream.as_str()), hash(schema.as_str()));
        let shelf = stream.get(..2).unwrap_or_default();
        self.dir.join(shelf).join(format!("{stream}-{schema}.snapshot"))
    }
}

#[async_trait]
impl SnapshotStore for FolderSnapshots {
    async fn load(
        &self,
        stream: &StreamName,
        schema: &SnapshotSchema,
    ) -> Result<Option<Snapshot>, SnapshotError> {
        let path = self.path(stream, schema);
        let loaded = blocking(&self.dir, move || read(&path)).await?;
        // Two streams or schemas with the same hash share a file.
        Ok(loaded.filter(|snapshot| snapshot.stream == *stream && snapshot.schema == *schema))
    }

    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        let path = self.path(&snapshot.stream, &snapshot.schema);
        blocking(&self.dir, move || write(&path, &snapshot)).await
    }
}

async fn blocking<T: Send + 'static>(
    dir: &Path,
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(dir, error))?
}

fn read(path: &Path) -> Result<Option<Snapshot>, SnapshotError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unavailable(path, error)),
    };
    let damaged = |reason| SnapshotError::Damaged { path: path.to_owned(), reason };
    file::from_bytes(&bytes).map(Some).map_err(damaged)
}

fn write(path: &Path, snapshot: &Snapshot) -> Result<(), SnapshotError> {
    let bytes = file::to_bytes(snapshot).map_err(|error| unavailable(path, error))?;
    replace(path, &bytes).map_err(|error| unavailable(path, error))
}

/// Puts `bytes` at `path` in one step. The temporary file's name is unique to its writer, since two may write at
/// once.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let temporary = path.with_extension(format!("{}.tmp", annals_event::RequestId::generate()));
    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a leftover does no harm.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(dir)?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unavailable(place: &Path, reason: impl ToString) -> SnapshotError {
    SnapshotError::Unavailable { place: place.display().to_string(), reason: reason.to_string() }
}
