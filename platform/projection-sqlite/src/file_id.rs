use crate::files::file_error;
use annals_projection::{DatabaseError, backend::Instance};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// Which file a name stands for; `None`: there is none. While a file is open no other one has its id, so a name with another id, or
/// without a file, says that what is open was deleted or replaced.
pub(crate) fn file_id(path: &Path) -> Result<Option<Instance>, DatabaseError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(Instance(u128::from(found.dev()) << 64 | u128::from(found.ino())))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}
