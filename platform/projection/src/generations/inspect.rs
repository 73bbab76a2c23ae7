use super::{FoldControl, FoldStopped, Generations, Origin, create::remove_database};
use crate::{
    GenerationError, GenerationId, ReadModel, Reader, ReaderError,
    snapshot::Wanted,
    sqlite::{open_reader, sync_folder},
};
use annals_event::Sequence;
use sqlx::Connection;
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
        let inspection = self.scratch()?;
        let head = self.store.head().await?;
        let fold_version = Some(self.model.fold_version());
        let wanted = Wanted { model: &self.model, fold_version, log_id: head.log_id, at_most: through };
        let choice = self.snapshots.choose(&*self.store, &wanted).await?;
        let origin = choice.chosen.map_or(Origin::Empty, |manifest| Origin::Snapshot(manifest.name));
        self.make_file(&inspection.path, origin, &head).await?;
        let stopped = self.drive_scratch(&inspection, through, &control).await?;
        Ok((inspection, stopped))
    }

    /// Whether a candidate can be folded on to `through`, or to the log's end if that is before, found out on a throwaway copy: the
    /// candidate itself stays where the live generation can be compared with it. The error is the fold's. Costs nothing where the
    /// candidate is there already.
    pub async fn rehearse(
        &self,
        id: GenerationId,
        through: Sequence,
        control: FoldControl,
    ) -> Result<FoldStopped, GenerationError> {
        let through = self.reach(through).await?;
        if self.status(id).await?.checkpoint >= through {
            return Ok(FoldStopped::Reached);
        }
        let copy = self.scratch()?;
        let mut candidate = open_reader(&self.usable(id).await?).await?;
        let target = copy.path.to_str();
        let target = target.ok_or_else(|| sqlx::Error::Protocol("the path is not UTF-8".to_owned()))?;
        sqlx::query("VACUUM INTO ?").bind(target).execute(&mut candidate).await?;
        candidate.close().await?;
        self.drive_scratch(&copy, through, &control).await
    }

    /// A place for a throwaway database.
    fn scratch(&self) -> Result<Inspection, GenerationError> {
        let folder = self.catalog.scratch_folder();
        fs::create_dir_all(&folder).map_err(GenerationError::file(&folder))?;
        let id = GenerationId::generate();
        Ok(Inspection { id, path: folder.join(format!("{id}.sqlite")), model: self.model.clone() })
    }

    async fn drive_scratch(
        &self,
        scratch: &Inspection,
        through: Sequence,
        control: &FoldControl,
    ) -> Result<FoldStopped, GenerationError> {
        let folder = self.catalog.scratch_folder();
        sync_folder(&folder).map_err(GenerationError::file(&folder))?;
        let mut writer = self.claim_file(scratch.id, &scratch.path).await?;
        let stopped = self.drive(&mut writer, through, control).await?;
        writer.close().await?;
        Ok(stopped)
    }
}
