use super::{
    SnapshotManifest, SnapshotName,
    choice::other_log,
    manifest::Packed,
    pack::{Packer, Unpacker, measure},
};
use crate::{
    TableSchema,
    backend::{Batch, Build, Schema, View, crash_point, is_planted},
    error::{GenerationError, SnapshotError},
    scan::Scan,
};
use annals_store::EventStore;
use std::{
    cmp::Reverse,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinError};

const MANIFEST: &str = "json";
const PACKED: &str = "rows.zst";
const UNFINISHED: &str = "tmp";
/// How old a file without a manifest is when it is taken for what a crash left.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(3_600);

/// How many pages wait between the database and the file.
const PAGES_AHEAD: usize = 2;

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

    /// Takes a snapshot of the generation in `view`, as it is there. It may be written meanwhile.
    pub(crate) async fn take(
        &self,
        mut view: Box<dyn View>,
        schema: &Schema,
    ) -> Result<SnapshotManifest, GenerationError> {
        fs::create_dir_all(&self.folder).map_err(GenerationError::file(&self.folder))?;
        let status = view.status().clone();
        let name = SnapshotName::generate(status.checkpoint);
        let packed = self.pack(&mut *view, schema, name).await;
        drop(view);
        let unfinished = self.path(name, UNFINISHED);
        let packed = packed.inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        let finished = self.path(name, PACKED);
        fs::rename(&unfinished, &finished).map_err(file_error(&finished))?;
        crash_point("snapshot-packed")?;
        let manifest = SnapshotManifest::new(name, &status, packed);
        self.write_manifest(name, &manifest)?;
        Ok(manifest)
    }

    /// Writes the rows to the snapshot's unfinished file, on a thread that may block.
    async fn pack(
        &self,
        view: &mut dyn View,
        schema: &Schema,
        name: SnapshotName,
    ) -> Result<Packed, GenerationError> {
        let (pages, mut written) = mpsc::channel::<Batch>(PAGES_AHEAD);
        let path = self.path(name, UNFINISHED);
        let writing = tokio::spawn(blocking(move || {
            let mut write = || {
                let mut packer = Packer::create(&path)?;
                while let Some(page) = written.blocking_recv() {
                    packer.page(page)?;
                }
                packer.finish()
            };
            write().map_err(file_error(&path))
        }));
        let mut sent = Ok(());
        'tables: for table in schema.tables() {
            let mut scan = Scan::new(&table.schema);
            loop {
                let page = match scan.next(view).await {
                    Ok(page) => page,
                    Err(error) => {
                        sent = Err(error);
                        break 'tables;
                    }
                };
                let is_last = page.is_empty();
                // A writer that has ended says why below.
                if pages.send(page).await.is_err() {
                    break 'tables;
                }
                if is_last {
                    break;
                }
            }
        }
        drop(pages);
        let packed = writing.await.unwrap_or_else(|failed| Err(thread_failed(failed)));
        sent?;
        crash_point("snapshot-copied")?;
        Ok(packed?)
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

    /// Checks everything of a snapshot, also that it is one of the log in `store`.
    pub(crate) async fn check(
        &self,
        store: &dyn EventStore,
        name: SnapshotName,
    ) -> Result<SnapshotManifest, GenerationError> {
        let manifest = self.verify(name).await?;
        match other_log(store, &manifest).await? {
            Some(reason) => Err(refused(name, reason).into()),
            None => Ok(manifest),
        }
    }

    /// Writes the rows of a snapshot into a generation that is being made.
    pub(crate) async fn restore(
        &self,
        manifest: &SnapshotManifest,
        schema: &Schema,
        build: &mut dyn Build,
    ) -> Result<(), GenerationError> {
        let (pages, mut read) = mpsc::channel::<(TableSchema, Batch)>(PAGES_AHEAD);
        let (path, name, tables) = (self.path(manifest.name, PACKED), manifest.name, schema.clone());
        let (rows_bytes, rows) = (manifest.rows_bytes, manifest.rows);
        let reading = tokio::spawn(blocking(move || match unpack(&path, &tables, rows_bytes, &pages) {
            Ok(found) if found == rows => Ok(()),
            Ok(found) => Err(refused(name, format!("it has {found} rows where its manifest says {rows}"))),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(refused(name, error.to_string())),
            Err(error) => Err(file_error(&path)(error)),
        }));
        let mut written = Ok(());
        while written.is_ok()
            && let Some((table, page)) = read.recv().await
        {
            written = build.write(&table, page).await;
        }
        drop(read);
        written?;
        Ok(reading.await.unwrap_or_else(|failed| Err(thread_failed(failed)))?)
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
            let packed = entry.strip_suffix(".rows.zst").and_then(|name| name.parse().ok());
            let orphan = packed.is_some_and(|name: SnapshotName| !names.contains(&name));
            if orphan || entry.ends_with(".tmp") {
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

/// Reads all rows, and sends them; says how many there were.
fn unpack(
    path: &Path,
    schema: &Schema,
    rows_bytes: u64,
    pages: &mpsc::Sender<(TableSchema, Batch)>,
) -> io::Result<u64> {
    let (mut unpacker, mut rows) = (Unpacker::open(path, rows_bytes)?, 0);
    for table in schema.tables() {
        loop {
            let page = unpacker.page(table.schema.columns.len() + 1)?;
            if page.is_empty() {
                break;
            }
            rows += u64::try_from(page.rows()).unwrap_or(u64::MAX);
            if pages.blocking_send((table.schema, page)).is_err() {
                // Whoever took them has failed, and says why.
                return Ok(rows);
            }
        }
    }
    unpacker.finish()?;
    Ok(rows)
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn thread_failed(failed: JoinError) -> SnapshotError {
    SnapshotError::File { path: "a snapshot".to_owned(), error: io::Error::other(failed) }
}

/// Runs `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|failed| Err(thread_failed(failed)))
}
