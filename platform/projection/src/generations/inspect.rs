use super::{FoldControl, FoldStopped, Generations, create::remove_database};
use crate::{
    GenerationError, GenerationId, ReadModel, Reader, ReaderError, generation::create, snapshot::Wanted,
    sqlite::sync_folder,
};
use annals_event::Sequence;
use std::{fs, path::PathBuf};

/// A read model as it was, in a throwaway database. Dropping it removes the file.
#[derive(Debug)]
pub struct Inspection {
    id: GenerationId,
    path: PathBuf,
    model: ReadModel,
}

impl Inspection {
    /// A view of it.
    pub async fn reader(&self) -> Result<Reader, ReaderError> {
        Reader::of_file(self.id, &self.path, &self.model).await
    }
}

impl Drop for Inspection {
    fn drop(&mut self) {
        // What cannot be removed now stays in the folder for scratch files; nothing depends on it.
        let _ = remove_database(&self.path);
    }
}

impl Generations {
    /// The read model as it was when `through` was the log's last event, folded by today's code. Begins with the newest
    /// snapshot of the same fold below it. Beyond the log's head there is nothing to look at yet: that is refused.
    pub async fn as_of(
        &self,
        through: Sequence,
        control: FoldControl,
    ) -> Result<(Inspection, FoldStopped), GenerationError> {
        self.within_log(through).await?;
        let folder = self.catalog.scratch_folder();
        fs::create_dir_all(&folder).map_err(GenerationError::file(&folder))?;
        let id = GenerationId::generate();
        let path = folder.join(format!("{id}.sqlite"));
        let inspection = Inspection { id, path, model: self.model.clone() };
        let log_id = self.store.head().await?.log_id;
        let fold_version = Some(self.model.fold_version());
        let wanted = Wanted { model: &self.model, fold_version, log_id, at_most: through };
        let choice = self.snapshots.choose(&*self.store, &wanted).await?;
        match choice.chosen.and_then(|manifest| manifest.name.parse().ok()) {
            Some(name) => {
                self.snapshots.restore(&*self.store, name, &inspection.path).await?;
            }
            None => create(&inspection.path, &self.model, log_id).await?,
        }
        sync_folder(&folder).map_err(GenerationError::file(&folder))?;
        let mut writer = self.claim_file(id, &inspection.path).await?;
        let stopped = self.drive(&mut writer, through, &control).await?;
        writer.close().await?;
        Ok((inspection, stopped))
    }
}
