//! The consumers of a service: its read models and its reactors, as the rest of the service sees them.

use crate::health::ConsumerKind;
use annals_projection::{ProjectorHandle, ReadModel};
use annals_reactor::ReactorHandle;
use annals_store::{ConsumerState, EventStore, Filter, ReadError, ReadLog};
use parking_lot::Mutex;
use std::sync::Arc;

/// A consumer of a running service. Its state goes on when the part that runs it is started again.
pub(super) struct Consumer {
    /// Its name: of the read model, or of the reactor.
    pub(super) name: String,
    pub(super) kind: ConsumerKind,
    /// The events that it wants.
    filter: Filter,
    tables: Vec<String>,
    handle: Mutex<Handle>,
}

/// A handle to what runs now.
#[derive(Clone)]
enum Handle {
    Projector(ProjectorHandle),
    Reactor(ReactorHandle),
}

impl Consumer {
    pub(super) fn of_model(model: &ReadModel, handle: ProjectorHandle) -> Arc<Self> {
        Arc::new(Self {
            name: model.name().to_string(),
            kind: ConsumerKind::ReadModel,
            filter: model.filter().clone(),
            tables: model.table_names().map(str::to_owned).collect(),
            handle: Mutex::new(Handle::Projector(handle)),
        })
    }

    pub(super) fn of_reactor(name: &str, filter: Filter, handle: ReactorHandle) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            kind: ConsumerKind::Reactor,
            filter,
            tables: Vec::new(),
            handle: Mutex::new(Handle::Reactor(handle)),
        })
    }

    /// The part of the service that runs it.
    pub(super) fn part(&self) -> String {
        match self.kind {
            ConsumerKind::ReadModel => format!("the read model {}", self.name),
            _ => format!("the reactor {}", self.name),
        }
    }

    pub(super) fn projector_is(&self, handle: ProjectorHandle) {
        *self.handle.lock() = Handle::Projector(handle);
    }

    pub(super) fn reactor_is(&self, handle: ReactorHandle) {
        *self.handle.lock() = Handle::Reactor(handle);
    }

    /// What it does, and how far behind the log it is.
    pub(super) fn state(&self) -> ConsumerState {
        match &*self.handle.lock() {
            Handle::Projector(projector) => projector.state(),
            Handle::Reactor(reactor) => reactor.state(),
        }
    }

    /// The projector, if the table is the read model's.
    pub(super) fn projector_of(&self, table: &str) -> Option<ProjectorHandle> {
        let Handle::Projector(projector) = &*self.handle.lock() else { return None };
        self.tables.iter().any(|own| own == table).then(|| projector.clone())
    }

    /// Whether the log has no event for it that it has not handled.
    pub(super) async fn is_idle(&self, store: &dyn EventStore) -> Result<bool, ReadError> {
        let mut from = self.state().position.next();
        loop {
            let one = ReadLog { events_max: 1, ..ReadLog::filtered(from, self.filter.clone()) };
            let page = store.read_log(one).await?;
            if !page.events.is_empty() || page.through >= page.head {
                return Ok(page.events.is_empty());
            }
            from = page.through.next();
        }
    }
}
