//! One worker at a time builds candidates, so that two do not keep fencing each other. The epoch in the candidate decides who
//! *may* write it; the lease only decides who tries.

use super::Generations;
use crate::GenerationError;
use std::fs::{self, File, TryLockError};

const FILE: &str = "replay.lock";

/// The right to build candidates of one read model. Dropping it gives it up, and so does the end of the process,
/// however it ends.
#[derive(Debug)]
pub struct Lease {
    /// Locked for as long as it is open.
    _file: File,
}

impl Generations {
    /// Takes the lease; `None`: another worker has it, here or in another process.
    pub fn try_lease(&self) -> Result<Option<Lease>, GenerationError> {
        let folder = self.catalog.generations_folder(self.model.name());
        let path = folder.join(FILE);
        fs::create_dir_all(&folder).map_err(GenerationError::file(&folder))?;
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(GenerationError::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lease { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(GenerationError::file(&path)(error)),
        }
    }
}
