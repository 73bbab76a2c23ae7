use crate::files::file_error;
use annals_projection::{DatabaseError, backend::Instance};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::UNIX_EPOCH};

/// Which file a name stands for; `None`: there is none. No other file has its id, so a name with another id, or without a
/// file, says that what is open was deleted or replaced.
pub(crate) fn file_id(path: &Path) -> Result<Option<Instance>, DatabaseError> {
    match fs::metadata(path) {
        Ok(found) => {
            // The number of a file that was removed is given to another one, which was made later.
            let made = found.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
            let made = made.unwrap_or_default().as_nanos();
            Ok(Some(Instance((u128::from(found.dev()) << 64 | u128::from(found.ino())) ^ (made << 64))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}
