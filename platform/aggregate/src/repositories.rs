use crate::{Aggregate, Repository, writing};
use annals_event::Metadata;
use annals_store::EventStore;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::Arc,
};

/// The repositories of a service, one for each type of aggregate: all of one store, and with the service's name. Cloning
/// it is cheap.
#[derive(Clone)]
pub struct Repositories {
    store: Arc<dyn EventStore>,
    service: Option<Arc<str>>,
    /// The repositories with settings of their own, by their aggregates.
    kept: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl Repositories {
    /// The repositories of `store`, without snapshots.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, service: None, kept: HashMap::new() }
    }

    /// Stores the service's name with each event.
    #[must_use]
    pub fn service(self, name: impl AsRef<str>) -> Self {
        Self { service: Some(name.as_ref().into()), ..self }
    }

    /// From now on this is the repository of `A`: one with snapshots.
    pub fn keep<A: Aggregate>(&mut self, repository: Repository<A>) {
        self.kept.insert(TypeId::of::<A>(), Arc::new(repository));
    }

    /// The repository of `A`.
    pub fn of<A: Aggregate>(&self) -> Repository<A> {
        let kept = self.kept.get(&TypeId::of::<A>()).and_then(|kept| kept.downcast_ref::<Repository<A>>());
        kept.cloned().unwrap_or_else(|| Repository::named(self.store.clone(), self.service.clone()))
    }

    pub(crate) fn service_name(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The store that the aggregates are in.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// `metadata` as it is stored with this service's events, except for the trace context.
    #[must_use]
    pub fn sign(&self, metadata: Metadata) -> Metadata {
        writing::sign(self.service.as_deref(), metadata)
    }
}

/// The repositories of its store and service; that of `A` is this one.
impl<A: Aggregate> From<Repository<A>> for Repositories {
    fn from(repository: Repository<A>) -> Self {
        let (store, service) = (repository.store().clone(), repository.service_name().cloned());
        let mut all = Self { store, service, kept: HashMap::new() };
        all.keep(repository);
        all
    }
}
