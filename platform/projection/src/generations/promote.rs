//! Moving the pointer.
//!
//! The live generation is fenced while the other one is folded up to its checkpoint and the pointer is moved; then its epoch is
//! raised. A crash at any point leaves one of two states:
//!
//! * before the pointer moved: the lock ended with the process, the epoch is unchanged, and the live worker continues;
//! * after it moved: the other generation is live and contains everything that the previous one contains. Nobody reads the
//!   previous one any more; its worker may go on writing it, and a rollback may use it.
//!
//! So no writer is fenced in vain, and no reader sees less than before. The one exception is a live generation that was folded
//! from another history of the log: its successor contains what the log has.

use super::{FoldControl, Generations};
use crate::{
    FoldError, GenerationError, GenerationId, Live,
    backend::{crash_point, is_planted},
    catalog::flip,
    fold::{GenerationWriter, check_log},
};
use annals_event::Sequence;

/// How often a fold begins again because somebody took the generation over.
const FENCED_MAX: usize = 5;

/// What a promotion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promotion {
    /// What is live now.
    pub generation: GenerationId,
    /// What was live before; `None`: it was retired meanwhile.
    pub previous: Option<GenerationId>,
    /// The last sequence number that the new one contains.
    pub checkpoint: Sequence,
    /// Whether it had been done before.
    pub repeated: bool,
}

/// What a rollback did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rollback {
    /// What is live now.
    pub generation: GenerationId,
    /// The last sequence number that it contains.
    pub checkpoint: Sequence,
    /// How many sequence numbers that is behind the log.
    pub behind: u64,
    /// Whether this program's fold continues it. If not, it stays where it is until a program of its fold version
    /// runs.
    pub continued: bool,
    /// Whether it had been done before.
    pub repeated: bool,
}

/// Whether what the other generation lacks is folded into it first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Folded,
    Accepted,
}

impl Generations {
    /// Makes a candidate live: fences the live writer, folds what the candidate lacks, moves the pointer. What was
    /// live is the previous generation then, and what was the previous one is retired. Doing it twice is the same. An error
    /// says that the candidate is not live, unless it is transient: then nobody knows yet.
    pub async fn promote(&self, id: GenerationId) -> Result<Promotion, GenerationError> {
        let live = self.live().await?;
        if live.generation == id {
            let checkpoint = self.status(id).await?.checkpoint;
            return Ok(Promotion { generation: id, previous: live.previous, checkpoint, repeated: true });
        }
        let (now, checkpoint) = self.exchange(live, id, Missing::Folded).await?;
        Ok(Promotion { generation: id, previous: now.previous, checkpoint, repeated: false })
    }

    /// Makes the previous generation live again. If this program's fold continues it, it is brought up to
    /// date first and readers see no step back; if not, it is as it was left. Doing it twice is the same. An error says
    /// that it is not live, unless it is transient: then nobody knows yet.
    pub async fn roll_back(&self, id: GenerationId) -> Result<Rollback, GenerationError> {
        let live = self.live().await?;
        let status = self.status(id).await?;
        let continued = status.refusal(&self.model).is_none();
        let repeated = live.generation == id;
        if !repeated && live.previous != Some(id) {
            let model = self.model.name().to_string();
            return Err(GenerationError::NotPrevious { id: id.to_string(), model });
        }
        if !repeated {
            check_log(&*self.store, id, &status).await?;
        }
        // Before the pointer moves: afterwards there is nothing to fail.
        let head = self.store.head().await?.last;
        let missing = if continued { Missing::Folded } else { Missing::Accepted };
        let checkpoint = match repeated {
            true => status.checkpoint,
            false => self.exchange(live, id, missing).await?.1,
        };
        let behind = head.get().saturating_sub(checkpoint.get());
        Ok(Rollback { generation: id, checkpoint, behind, continued, repeated })
    }

    /// Puts `to` in the place of what is live. Gives the pointer and `to`'s checkpoint.
    async fn exchange(
        &self,
        live: Live,
        to: GenerationId,
        missing: Missing,
    ) -> Result<(Live, Sequence), GenerationError> {
        let error = match self.move_pointer(live, to, missing).await {
            Ok(moved) => return Ok(moved),
            Err(error) => error,
        };
        // The pointer may have been moved all the same: then there is nothing to fail.
        match self.live().await {
            Ok(now) if now.generation == to => Ok((now, self.status(to).await?.checkpoint)),
            Err(unknown) if unknown.is_transient() => Err(unknown),
            _ => Err(error),
        }
    }

    async fn move_pointer(
        &self,
        live: Live,
        to: GenerationId,
        missing: Missing,
    ) -> Result<(Live, Sequence), GenerationError> {
        let mut near = None;
        if missing == Missing::Folded {
            // Most of the way without the lock.
            let reach = self.live_reach().await?;
            near = Some(reach);
            self.bring_to(to, reach).await?.close().await?;
        }
        crash_point("promote-begun")?;
        self.check_usable(live.generation).await?;
        let fence = self.catalog.backend().fence(&self.slot(), live.generation).await?;
        let mut reached = self.reach(fence.status().checkpoint).await?;
        if is_planted("live-read-before-fence") {
            reached = near.unwrap_or(reached);
        }
        crash_point("live-fenced")?;
        let checkpoint = match missing {
            Missing::Folded => self.complete(to, reached).await?,
            Missing::Accepted => self.status(to).await?.checkpoint,
        };
        crash_point("candidate-complete")?;
        let (change, moved) = flip(&self.model, live, to);
        fence.flip(&change).await?;
        Ok((moved, checkpoint))
    }

    /// Folds `id` up to `reached` at least, and makes that durable.
    async fn complete(&self, id: GenerationId, reached: Sequence) -> Result<Sequence, GenerationError> {
        let mut writer = self.bring_to(id, reached).await?;
        writer.finish().await?;
        let checkpoint = writer.checkpoint();
        writer.close().await?;
        Ok(checkpoint)
    }

    /// Folds `id` up to `reached` at least. A projector that keeps the previous generation up to date may take it over once
    /// in between, and lets go of it when it is taken over in turn.
    async fn bring_to(
        &self,
        id: GenerationId,
        reached: Sequence,
    ) -> Result<GenerationWriter, GenerationError> {
        let mut fenced = 0;
        loop {
            let mut writer = self.claim_candidate(id).await?;
            match self.drive(&mut writer, reached, &FoldControl::default()).await {
                Ok(_) => return Ok(writer),
                Err(FoldError::Fenced { .. }) if fenced < FENCED_MAX => fenced += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
