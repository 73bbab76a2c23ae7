//! An append's way into the log's queue, and its answer's way back.

use crate::{error, readers::Readers};
use annals_event::{Append, Receipt};
use annals_log::{Answer, Log, Options, SubmitError};
use annals_store::AppendError;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// What an append weighs besides its records: more than the log itself reckons, so that the log's queue never
/// overflows while there is room here.
const APPEND_BYTES: usize = 512;
/// What each write, requirement and mark of an append weighs besides its records.
const PART_BYTES: usize = 512;

/// Room for the appends that are not answered yet. An append that finds none waits, in order of arrival, until an
/// answer makes some.
pub(crate) struct Room {
    appends: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    /// Where the originals of repeated appends are looked up.
    look_ups: Readers,
}

/// Threads that look up originals: few, and not those of reads, so that a client whose appends are refused again and
/// again costs the others nothing.
const LOOK_UP_THREADS_MAX: usize = 2;

/// An append's part of the room; dropping it gives it back.
struct Place {
    _append: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Room {
    /// As much room as the log's own queue has.
    pub(crate) fn of(options: &Options) -> Self {
        let appends = options.queue_appends_max.clamp(1, Semaphore::MAX_PERMITS);
        let bytes_max = u32::try_from(options.queue_bytes_max).unwrap_or(u32::MAX).max(1);
        let bytes = usize::try_from(bytes_max).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let (appends, bytes) = (Arc::new(Semaphore::new(appends)), Arc::new(Semaphore::new(bytes)));
        Self { appends, bytes, bytes_max, look_ups: Readers::at_most(LOOK_UP_THREADS_MAX) }
    }

    /// Appends once there is room, and waits for the answer.
    pub(crate) async fn append(&self, log: &Log, append: Append) -> Result<Receipt, AppendError> {
        let place = self.take(weight_bytes(&append)).await?;
        let (answer, answered) = oneshot::channel();
        let submitted = log.submit(append, move |result| {
            // An append whose original is to be looked up keeps its place.
            let place = matches!(result, Answer::LookUp(_)).then_some(place);
            // Nobody listens if the caller gave up; the append is done all the same.
            let _ = answer.send((result, place));
        });
        submitted.map_err(refusal)?;
        let ended = || error::unavailable("the log ended without an answer");
        let (answer, place) = answered.await.map_err(|_| ended())?;
        let result = match answer {
            Answer::Ready(result) => result,
            Answer::LookUp(look_up) => {
                // The place goes along: a caller that gives up does not make room for another one.
                let run = move || (look_up.run(), place);
                self.look_ups.run(run).await.ok_or_else(ended)?.0
            }
        };
        result.map_err(error::append)
    }

    async fn take(&self, bytes: usize) -> Result<Place, AppendError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max);
        let closed = |_| error::unavailable("the store is closed");
        let append = self.appends.clone().acquire_owned().await.map_err(closed)?;
        let bytes = self.bytes.clone().acquire_many_owned(bytes).await.map_err(closed)?;
        Ok(Place { _append: append, _bytes: bytes })
    }
}

fn weight_bytes(append: &Append) -> usize {
    let parts = append.writes.len() + append.requires.len() + append.marks.len();
    APPEND_BYTES + parts * PART_BYTES + append.encoded_len()
}

fn refusal(error: SubmitError) -> AppendError {
    match error {
        SubmitError::Refused(refused) => error::append(refused),
        // Happens only if others fill the log's queue without going through this store.
        full => error::unavailable(full),
    }
}
