//! A service's code that panics at a command: the command is refused, nothing is written, and the caller goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use annals_aggregate::{Aggregate, Cause, ExecuteError, FolderSnapshots, Repository};
use annals_event::{CodecError, Event, RequestId, Token, Version};
use annals_store::{EventStore, GappedStore};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{convert::Infallible, sync::Arc};

/// Where the code panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum At {
    Nothing,
    Decide,
    Encode,
    Evolve,
    /// When the state is written to a snapshot.
    Keep,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Happened(At);

#[derive(Clone, Debug, Default, PartialEq)]
struct Fragile {
    happened: u64,
    is_kept: bool,
}

impl Serialize for Fragile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.is_kept, "at a snapshot");
        self.happened.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { happened: u64::deserialize(deserializer)?, is_kept: false })
    }
}

impl Aggregate for Fragile {
    const CATEGORY: &'static str = "fragile";
    type Event = Happened;
    type Command = At;
    type Error = Infallible;

    fn decide(&self, at: At) -> Result<Vec<Happened>, Infallible> {
        assert!(at != At::Decide, "at the decision");
        Ok(vec![Happened(at)])
    }

    fn evolve(&mut self, event: &Happened) {
        assert!(event.0 != At::Evolve, "at the event");
        self.happened += 1;
        self.is_kept = event.0 == At::Keep;
    }
}

impl Event for Happened {
    const TYPES: &'static [(&'static str, u32)] = &[("happened", 1)];

    fn event_type(&self) -> &'static str {
        "happened"
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        assert!(self.0 != At::Encode, "at the encoding");
        serde_json::to_vec(self).map(Bytes::from).map_err(|error| CodecError::new("happened", error))
    }
    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
        serde_json::from_slice(payload).map(Some).map_err(|error| CodecError::new(event_type, error))
    }
}

#[tokio::test]
async fn a_command_at_which_code_panics_is_refused_and_nothing_is_written() {
    let store = GappedStore::new();
    let fragile = Repository::<Fragile>::new(Arc::new(store.clone()));
    fragile.execute("1", At::Nothing, Cause::new()).await.unwrap();
    let head = store.head().await.unwrap().last;
    for (at, told) in
        [(At::Decide, "at the decision"), (At::Encode, "at the encoding"), (At::Evolve, "at the event")]
    {
        for cause in [Cause::new(), Cause::new().request(RequestId::generate())] {
            let refused = fragile.execute("1", at, cause).await;
            let Err(ExecuteError::Panicked { stream, cause }) = refused else {
                panic!("{at:?}: {refused:?}")
            };
            assert_eq!(stream.as_str(), "fragile-1");
            assert!(cause.to_string().contains(told), "{cause}");
        }
        assert_eq!(store.head().await.unwrap().last, head, "{at:?}");
    }
    assert_eq!(fragile.execute("1", At::Nothing, Cause::new()).await.unwrap().version, Version::new(2));
}

#[tokio::test]
async fn a_repeated_command_at_which_code_panics_by_now_is_refused() {
    let store = GappedStore::new();
    let fragile = Repository::<Fragile>::new(Arc::new(store.clone()));
    let cause = Cause::new().request(RequestId::generate());
    fragile.execute("1", At::Nothing, cause.clone()).await.unwrap();
    let head = store.head().await.unwrap().last;
    let refused = fragile.execute("1", At::Decide, cause).await;
    assert!(matches!(refused, Err(ExecuteError::Panicked { .. })), "{refused:?}");
    assert_eq!(store.head().await.unwrap().last, head);
}

#[tokio::test]
async fn panicking_snapshot_code_costs_the_snapshot_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Arc::new(FolderSnapshots::open(folder.path()).unwrap());
    let fragile = Repository::<Fragile>::new(Arc::new(GappedStore::new())).snapshots(snapshots, 1);
    let executed = fragile.execute("1", At::Keep, Cause::new()).await.unwrap();
    assert!(executed.version == Version::FIRST && executed.token > Token::default());
    assert_eq!(fragile.load("1").await.unwrap().state.happened, 1);
}
