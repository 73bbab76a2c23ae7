use crate::GenerationError;
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// Which file a name stands for. While a file is open no other one has its id, so a name with another id, or without a
/// file, says that what is open was deleted or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at `path`; `None`: there is none.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>, GenerationError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self { device: found.dev(), inode: found.ino() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(GenerationError::file(path)(error)),
        }
    }
}
