use super::{FoldControl, FoldStopped, Generations, Origin};
use crate::{
    Catalog, GenerationError, GenerationId, ReadModel, Reader, ReaderError,
    backend::{Purpose, Slot, Target},
    fold::GenerationWriter,
    snapshot::{Wanted, copy},
};
use annals_event::Sequence;
use tokio::runtime::Handle;
use tracing::warn;

/// A read model as it was, in a generation of its own that nobody else sees. Dropping it removes the rows, or leaves that to a
/// sweep where no runtime is there to do it.
#[derive(Debug)]
pub struct Inspection {
    id: GenerationId,
    catalog: Catalog,
    model: ReadModel,
}

impl Inspection {
    /// A view of it.
    pub async fn reader(&self) -> Result<Reader, ReaderError> {
        Reader::of(&self.catalog, &self.model, Target::Generation(self.id)).await
    }
}

impl Drop for Inspection {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (id, catalog, slot) = (self.id, self.catalog.clone(), Slot::of(&self.model));
        runtime.spawn(async move {
            if let Err(error) = catalog.backend().remove(&slot, id).await {
                warn!(generation = %id, %error, "a generation that was looked at could not be removed; it goes within a day");
            }
        });
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
        let inspection = self.scratch();
        let head = self.store.head().await?;
        let fold_version = Some(self.model.fold_version());
        let wanted = Wanted { model: &self.model, fold_version, log_id: head.log_id, at_most: through };
        let choice = self.snapshots.choose(&*self.store, &wanted).await?;
        let origin = choice.chosen.map_or(Origin::Empty, |manifest| Origin::Snapshot(manifest.name));
        self.build(inspection.id, origin, Purpose::Scratch, &head).await?;
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
        let mut candidate = self.view(id).await?;
        let status = candidate.status().clone();
        if status.checkpoint >= through {
            return Ok(FoldStopped::Reached);
        }
        let scratch = self.scratch();
        let spec = self.spec(scratch.id, status, Purpose::Scratch);
        if let Some(mut build) = self.catalog.backend().create(&spec).await? {
            copy(&mut *candidate, self.model.schema(), &mut *build).await?;
            build.finish().await?;
        }
        drop(candidate);
        self.drive_scratch(&scratch, through, &control).await
    }

    /// A name for a throwaway generation.
    fn scratch(&self) -> Inspection {
        Inspection { id: GenerationId::generate(), catalog: self.catalog.clone(), model: self.model.clone() }
    }

    async fn drive_scratch(
        &self,
        scratch: &Inspection,
        through: Sequence,
        control: &FoldControl,
    ) -> Result<FoldStopped, GenerationError> {
        let claimed = GenerationWriter::claim(scratch.id, &self.catalog, &self.model, &*self.store).await;
        let mut writer = claimed?;
        let stopped = self.drive(&mut writer, through, control).await?;
        writer.close().await?;
        Ok(stopped)
    }
}
