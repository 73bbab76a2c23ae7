use super::{
    super::{caller::WaitFor, clock::Clock, supervise::PartState},
    *,
};
use crate::Ending;
use annals_derive::{Event, Table};
use annals_event::{Append, Event, EventType, ExpectedVersion, NewEvent, Recorded, StreamName, Token};
use annals_projection::{Fold, ReadModel};
use annals_store::{EventStore, GappedStore, Head, Layer, ReadError};
use async_trait::async_trait;
use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::time::sleep;

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "note.written", version = 1)]
struct Written {
    by: String,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "notes")]
struct Notes {
    #[table(key)]
    by: String,
    notes: i64,
}

pub(in super::super) fn model(name: &str) -> ReadModel {
    let notes = Fold::<Notes>::new().upsert(
        |e: &Recorded<Written>| e.by.clone(),
        |e| Notes { by: e.by.clone(), notes: 0 },
        |row, _| row.notes += 1,
    );
    ReadModel::named(name).fold_version(1).table(notes).build().unwrap()
}

/// A process that folds the read model into this folder.
struct Copy {
    app: App,
    supervisor: Supervisor,
}

impl Copy {
    async fn start(folder: &Path, store: &Arc<dyn EventStore>) -> Self {
        let (app, mut supervisor) =
            (App::new("test".to_owned(), store.clone(), Clock::Machine), Supervisor::new());
        let catalog = annals_projection_sqlite::open(folder).await.unwrap();
        fold(&app, ProjectorOptions::new(catalog, model("notes"), store.clone()), &mut supervisor)
            .await
            .unwrap();
        Self { app, supervisor }
    }

    async fn note(&self) -> Token {
        let event = Written { by: "ann".to_owned() };
        let payload = event.encode().unwrap();
        let written = NewEvent::json(EventType::new(event.event_type()).unwrap(), payload);
        let note = Append::to(StreamName::new("note-1").unwrap(), ExpectedVersion::Any, vec![written]);
        self.app.store().append(note).await.unwrap().head.into()
    }

    fn is_left_to_another(&self) -> bool {
        matches!(self.supervisor.parts().of("the read model notes"), Some(PartState::Retrying { .. }))
    }

    async fn notes(&self, token: Token) -> i64 {
        loop {
            if let Ok(mut reader) = self.app.reader::<Notes>(WaitFor { token: Some(token) }).await {
                return reader.get::<Notes>(&"ann".to_owned()).await.unwrap().unwrap().notes;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_is_taken_over_once_the_other_copy_has_gone() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(GappedStore::new()) as Arc<dyn EventStore>);
    let older = Copy::start(folder.path(), &store).await;
    let newer = Copy::start(folder.path(), &store).await;
    let mut notes = 0;
    while !older.is_left_to_another() && !newer.is_left_to_another() {
        older.note().await;
        notes += 1;
        sleep(Duration::from_millis(1)).await;
    }
    let (works, waits) = if older.is_left_to_another() { (newer, older) } else { (older, newer) };
    works.supervisor.stop(&Ending::new()).await;
    let token = waits.note().await;
    assert_eq!(waits.notes(token).await, notes + 1);
    waits.supervisor.stop(&Ending::new()).await;
}

/// A store that is away for the first questions.
struct Away {
    below: Arc<dyn EventStore>,
    questions: AtomicU32,
}

#[async_trait]
impl Layer for Away {
    fn below(&self) -> Arc<dyn EventStore> {
        self.below.clone()
    }
    async fn head(&self) -> Result<Head, ReadError> {
        match self.questions.fetch_add(1, Ordering::SeqCst) {
            0..3 => Err(ReadError::Unavailable { reason: "it is started again".to_owned() }),
            _ => self.below.head().await,
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_when_a_read_model_is_opened_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = Away { below: Arc::new(GappedStore::new()), questions: AtomicU32::new(0) };
    let copy = Copy::start(folder.path(), &(Arc::new(store) as Arc<dyn EventStore>)).await;
    let token = copy.note().await;
    assert_eq!(copy.notes(token).await, 1);
    copy.supervisor.stop(&Ending::new()).await;
}

#[test]
fn a_read_model_is_left_to_a_copy_for_as_long_as_that_gets_on() {
    let (taken_over, at) = (TakenOver::default(), Sequence::new);
    taken_over.look(at(1)).unwrap();
    taken_over.look(at(2)).unwrap();
    taken_over.by_another(Some(at(3)));
    for now in [4, 5] {
        assert_eq!(taken_over.look(at(now)).unwrap_err().wait, Some(TAKE_OVER_WAIT));
    }
    taken_over.look(at(5)).unwrap();
    taken_over.look(at(6)).unwrap();
}
