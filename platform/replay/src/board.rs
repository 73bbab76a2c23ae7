//! What a worker tells the [`Replays`](crate::Replays) of the same process.

use crate::{Progress, ReplayId};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// The read models that workers of this process host; none: it has no worker, and they are not known.
#[derive(Clone, Default)]
pub(crate) struct Hosted(Arc<Mutex<BTreeSet<String>>>);

impl Hosted {
    pub(crate) fn add<'a>(&self, read_models: impl Iterator<Item = &'a str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(read_models.map(str::to_owned));
    }

    /// All of them, if the read model is not among them.
    pub(crate) fn without(&self, read_model: &str) -> Option<Vec<String>> {
        let hosted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = !hosted.is_empty() && !hosted.contains(read_model);
        unknown.then(|| hosted.iter().cloned().collect())
    }
}

/// Where the worker writes the progress of its replays, for [`Replays`] in the same process to read.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<HashMap<ReplayId, Progress>>>);

impl Board {
    pub(crate) fn progress(&self, id: ReplayId) -> Option<Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }
    pub(crate) fn set(&self, id: ReplayId, progress: Option<Progress>) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Some(progress) => board.insert(id, progress),
            None => board.remove(&id),
        };
    }
}
