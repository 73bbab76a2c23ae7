//! The catalog in a folder.

use crate::{
    build::NewFile,
    catalog::CatalogFile,
    fence::FencedFile,
    file_id::file_id,
    files::{Files, file_error, make_folder},
    statements::Statements,
    view::{Bound, FileView, Pools},
};
use annals_projection::{
    DatabaseError, GenerationId, Lease, ModelName,
    backend::{
        Backend, Build, Change, Fence, GenerationEntry, GenerationSpec, GenerationState, Instance, Live,
        Purpose, Slot, Target, View, crash_point, is_planted,
    },
};
use async_trait::async_trait;
use std::{
    fmt,
    fs::{File, TryLockError},
    path::Path,
    sync::Arc,
};
use tokio::sync::watch;

/// What the database is called.
pub(crate) const KIND: &str = "sqlite";
/// The file that is locked by who builds candidates.
const LEASE: &str = "replay.lock";

/// A catalog in a folder.
pub(crate) struct SqliteBackend {
    files: Files,
    catalog: Arc<CatalogFile>,
    statements: Arc<Statements>,
    pools: Pools,
}

impl SqliteBackend {
    /// Opens the catalog in a folder, creating it when there is none.
    pub(crate) async fn open(folder: &Path) -> Result<Self, DatabaseError> {
        let files = Files::new(folder);
        let catalog = Arc::new(CatalogFile::open(files.clone()).await?);
        files.sweep_scratch()?;
        Ok(Self { files, catalog, statements: Arc::default(), pools: Pools::default() })
    }

    /// A view of what is live. The pointer is looked at again after the view was fixed; an error may mean that the file was
    /// removed meanwhile.
    async fn view_live(&self, of: &Slot) -> Result<FileView, DatabaseError> {
        loop {
            let is_trusted = is_planted("pointer-read-before-snapshot");
            let bound = match self.pools.bound(of) {
                Some(bound) if !is_trusted => bound,
                _ => self.bind(of).await?,
            };
            crash_point("view-bound")?;
            let begun = FileView::pooled(&bound, self.statements.clone()).await;
            if is_trusted || self.bind(of).await?.is(&bound) {
                return begun;
            }
        }
    }

    /// Tells a generation that is not there from one whose file was deleted behind the catalog's back, which may be rebuilt.
    async fn absent(&self, of: &Slot, id: GenerationId, error: DatabaseError) -> DatabaseError {
        let is_gone = matches!(self.instance(of, id).await, Ok(None));
        let is_kept = |entry: &GenerationEntry| entry.id == id && entry.state != GenerationState::Creating;
        match self.generations(of).await {
            Ok(entries) if is_gone && !entries.iter().any(is_kept) => {
                DatabaseError::NoGeneration { id: id.to_string() }
            }
            _ => error,
        }
    }

    /// What is live, and connections to it.
    async fn bind(&self, of: &Slot) -> Result<Bound, DatabaseError> {
        let live = self.catalog.live(of).await?.ok_or(DatabaseError::NoneLive)?.generation;
        self.pools.bind(of, live, &self.files.generation(&of.model, live))
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn place(&self) -> String {
        self.files.folder().display().to_string()
    }

    async fn live(&self, of: &Slot) -> Result<Option<Live>, DatabaseError> {
        self.catalog.live(of).await
    }

    async fn generations(&self, of: &Slot) -> Result<Vec<GenerationEntry>, DatabaseError> {
        self.catalog.generations(of).await
    }

    async fn change(&self, change: &Change) -> Result<(), DatabaseError> {
        self.catalog.change(change).await
    }

    async fn create(&self, spec: &GenerationSpec) -> Result<Option<Box<dyn Build>>, DatabaseError> {
        let is_scratch = spec.purpose == Purpose::Scratch;
        let folder = if is_scratch { self.files.scratch() } else { self.files.generations(&spec.slot.model) };
        make_folder(&folder)?;
        if !is_scratch && self.catalog.add(spec).await? != GenerationState::Creating {
            return Ok(None);
        }
        let catalog = (!is_scratch).then(|| self.catalog.clone());
        let file = NewFile::create(&folder, spec, catalog, self.statements.clone()).await?;
        Ok(Some(Box::new(file)))
    }

    async fn fence(&self, of: &Slot, id: GenerationId) -> Result<Box<dyn Fence>, DatabaseError> {
        let path = self.files.generation(&of.model, id);
        match FencedFile::lock(path, self.catalog.clone(), self.statements.clone()).await {
            Ok(fence) => Ok(Box::new(fence)),
            Err(error) => Err(self.absent(of, id, error).await),
        }
    }

    async fn view(&self, of: &Slot, what: Target) -> Result<Box<dyn View>, DatabaseError> {
        Ok(Box::new(match what {
            Target::Live => self.view_live(of).await?,
            Target::Generation(id) => {
                let path = self.files.generation(&of.model, id);
                match FileView::open(id, &path, self.statements.clone()).await {
                    Ok(view) => view,
                    Err(error) => return Err(self.absent(of, id, error).await),
                }
            }
        }))
    }

    async fn remove(&self, of: &Slot, id: GenerationId) -> Result<(), DatabaseError> {
        // The entry goes last, so that a crash in between leaves work for the next time and nothing without a name.
        self.files.remove(&of.model, id)?;
        self.catalog.remove(id).await
    }

    async fn instance(&self, of: &Slot, id: GenerationId) -> Result<Option<Instance>, DatabaseError> {
        file_id(&self.files.generation(&of.model, id))
    }

    async fn size_bytes(&self, of: &Slot, id: GenerationId) -> Result<u64, DatabaseError> {
        // With what was not copied back into its file yet.
        let path = self.files.generation(&of.model, id);
        let wal = path.with_extension("sqlite-wal");
        Ok([path, wal].iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum())
    }

    async fn free_bytes(&self) -> Result<Option<u64>, DatabaseError> {
        let disk = rustix::fs::statvfs(self.files.folder()).ok();
        Ok(disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    async fn try_lease(&self, model: &ModelName) -> Result<Option<Lease>, DatabaseError> {
        let folder = self.files.generations(model);
        let path = folder.join(LEASE);
        make_folder(&folder)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(file_error(&path))?;
        match file.try_lock() {
            // Locked for as long as it is open.
            Ok(()) => Ok(Some(Lease::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(file_error(&path)(error)),
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.catalog.changes()
    }
}

impl fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteBackend({})", self.place())
    }
}
