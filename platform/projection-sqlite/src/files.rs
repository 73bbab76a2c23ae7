//! Where the files are, and how they go.

use annals_projection::{DatabaseError, GenerationId, ModelName};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// How the name of a file ends that is being made.
const UNFINISHED: &str = "new";
/// How old a scratch file is when it is taken for what a crash left.
const SCRATCH_AGE_MAX: Duration = Duration::from_secs(86_400);

/// The folder of a catalog.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn catalog(&self) -> PathBuf {
        self.folder.join("catalog.sqlite")
    }

    pub(crate) fn generations(&self, model: &ModelName) -> PathBuf {
        self.folder.join("generations").join(model.as_folder())
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Where a generation's file is, a scratch one's or another's.
    pub(crate) fn generation(&self, model: &ModelName, id: GenerationId) -> PathBuf {
        let kept = file_in(&self.generations(model), id);
        let scratch = file_in(&self.scratch(), id);
        if !kept.exists() && scratch.exists() { scratch } else { kept }
    }

    /// Removes a generation's file, and what attempts to make it left.
    pub(crate) fn remove(&self, model: &ModelName, id: GenerationId) -> Result<(), DatabaseError> {
        remove_database(&file_in(&self.scratch(), id))?;
        let folder = self.generations(model);
        remove_database(&file_in(&folder, id))?;
        let attempts = format!("{id}.");
        for entry in entries(&folder)? {
            if entry.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(&attempts)) {
                remove_database(&entry)?;
            }
        }
        Ok(())
    }

    /// Removes scratch files that a crash left.
    pub(crate) fn sweep_scratch(&self) -> Result<(), DatabaseError> {
        for entry in entries(&self.scratch())? {
            let age = entry.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
            if matches!(age, Ok(Ok(age)) if age > SCRATCH_AGE_MAX) {
                remove_database(&entry)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn file_in(folder: &Path, id: GenerationId) -> PathBuf {
    folder.join(format!("{id}.sqlite"))
}

/// A name of its own for a file that is being made, so that two who make the same generation do not write the same file.
pub(crate) fn unfinished_in(folder: &Path, id: GenerationId) -> PathBuf {
    folder.join(format!("{id}.{}.{UNFINISHED}", GenerationId::generate()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, DatabaseError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file_error(folder)(error)),
    };
    entries.map(|entry| Ok(entry.map_err(file_error(folder))?.path())).collect()
}

/// Removes a database with what belongs to it. One that is not there is removed already.
pub(crate) fn remove_database(path: &Path) -> Result<(), DatabaseError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(path)(error)),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), DatabaseError> {
    fs::create_dir_all(folder).map_err(file_error(folder))
}

/// Makes a file, or the names in a folder, durable.
pub(crate) fn sync(path: &Path) -> Result<(), DatabaseError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(file_error(path))
}

/// The error of a file, for whoever has to do something about it.
pub(crate) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> DatabaseError {
    let path = path.to_owned();
    move |error| {
        let reason = match error.kind() {
            // Where a folder was to be made.
            io::ErrorKind::AlreadyExists if path.is_file() => "it is a file and no folder".to_owned(),
            _ => error.to_string(),
        };
        DatabaseError::File { path: path.display().to_string(), reason }
    }
}
