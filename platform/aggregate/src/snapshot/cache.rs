use super::{Snapshot, SnapshotError, SnapshotSchema, SnapshotStore};
use crate::{Aggregate, Loaded};
use annals_event::{
    LogId, StreamName, Version, guarded,
    json::{self, JsonError},
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// One aggregate type's use of a snapshot store. Whatever goes wrong in it is logged and costs a fold of the whole
/// stream.
pub(crate) struct SnapshotCache<A> {
    store: Arc<dyn SnapshotStore>,
    schema: SnapshotSchema,
    every: u64,
    to_json: fn(&A) -> Result<Vec<u8>, JsonError>,
    from_json: fn(&[u8]) -> Result<A, JsonError>,
}

impl<A> Clone for SnapshotCache<A> {
    fn clone(&self) -> Self {
        let (every, to_json, from_json) = (self.every, self.to_json, self.from_json);
        Self { store: self.store.clone(), schema: self.schema.clone(), every, to_json, from_json }
    }
}

impl<A: Aggregate> SnapshotCache<A> {
    pub(crate) fn new(store: Arc<dyn SnapshotStore>, every: u64) -> Self
    where
        A: Serialize + DeserializeOwned,
    {
        let (schema, every) = (SnapshotSchema::of::<A>(), every.max(1));
        Self { store, schema, every, to_json: json::to_vec::<A>, from_json: json::from_slice::<A> }
    }

    /// The stream's state at a snapshot of this log.
    pub(crate) async fn load(&self, log_id: LogId, stream: &StreamName) -> Option<Loaded<A>> {
        let loaded = self.store.load(stream, &self.schema).await;
        let usable = loaded.map_err(|error| error.to_string()).and_then(|found| match found {
            Some(snapshot) => self.restore(log_id, snapshot).map(Some),
            None => Ok(None),
        });
        usable.unwrap_or_else(|reason| {
            tracing::warn!(%stream, reason, "snapshot ignored; the whole stream is folded");
            None
        })
    }

    fn restore(&self, log_id: LogId, snapshot: Snapshot) -> Result<Loaded<A>, String> {
        if snapshot.schema != self.schema {
            return Err(format!("it is one of {:?}, not of {:?}", snapshot.schema, self.schema));
        }
        if snapshot.log_id != log_id {
            return Err(format!("it was made from log {}; this one is {log_id}", snapshot.log_id));
        }
        let state = guarded(|| (self.from_json)(&snapshot.state)).map_err(|panic| panic.to_string())?;
        let state = state.map_err(|error| error.to_string())?;
        let (version, token) = (snapshot.version, snapshot.sequence.into());
        Ok(Loaded { state, version, token, last_id: Some(snapshot.event_id) })
    }

    /// The state as JSON, if it can be read back unchanged.
    fn encode(&self, state: &A) -> Result<Vec<u8>, JsonError> {
        let json = (self.to_json)(state)?;
        json::check_read_back(&json, &(self.to_json)(&(self.from_json)(&json)?)?)?;
        Ok(json)
    }

    /// Keeps the state when it is far enough past the snapshot at `base`.
    pub(crate) async fn save_if_due(
        &self,
        log_id: LogId,
        stream: &StreamName,
        base: Version,
        loaded: &Loaded<A>,
    ) {
        if loaded.version.get().saturating_sub(base.get()) < self.every {
            return;
        }
        if let Err(error) = self.save(log_id, stream, loaded).await {
            tracing::warn!(%stream, %error, "snapshot not kept");
        }
    }

    async fn save(
        &self,
        log_id: LogId,
        stream: &StreamName,
        loaded: &Loaded<A>,
    ) -> Result<(), SnapshotError> {
        let Some(event_id) = loaded.last_id else { return Ok(()) };
        let unavailable =
            |reason| SnapshotError::Unavailable { place: format!("the state of {stream}"), reason };
        let state = guarded(|| self.encode(&loaded.state)).map_err(|panic| unavailable(panic.to_string()))?;
        let state = state.map_err(|error| unavailable(error.to_string()))?;
        let snapshot = Snapshot {
            log_id,
            stream: stream.clone(),
            version: loaded.version,
            sequence: loaded.token.sequence(),
            event_id,
            schema: self.schema.clone(),
            state: state.into(),
        };
        self.store.save(snapshot).await
    }
}
