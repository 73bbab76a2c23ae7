use crate::{
    PostgresOptions, catalog,
    changes::{Changes, Watching},
    connection::{Begin, Binds, Connections, Session, Shared},
    generation::{self, Home},
    lease::Leases,
    names::Names,
    views,
};
use annals_projection::{
    GenerationId, ModelName,
    backend::{
        Backend, Build, Change, DatabaseError, Fence, GenerationEntry, GenerationSpec, Instance, Lease, Live,
        Slot, Target, View,
    },
};
use async_trait::async_trait;
use sqlx::Row;
use tokio::sync::watch;

/// What the database is called.
pub(crate) const KIND: &str = "postgresql";

/// A catalog in a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresBackend {
    home: Home,
    leases: Leases,
    _watching: Watching,
}

impl PostgresBackend {
    /// Connects, and makes the catalog if it is not there.
    pub(crate) async fn connect(options: &PostgresOptions) -> Result<Self, DatabaseError> {
        let names = Names::new(&options.schema)?;
        let connections = Connections::new(options)?;
        catalog::open(&connections, &names).await?;
        let (changes, watching) = Changes::watch(&connections, &names, options)?;
        let leases = Leases::new(connections.clone(), names.clone(), options.lease);
        let PostgresOptions { views, writer_idle_max, .. } = *options;
        let home = Home { connections, names, changes, views, writer_idle_max };
        Ok(Self { home, leases, _watching: watching })
    }

    async fn reading(&self) -> Result<Session<Shared>, DatabaseError> {
        self.home.connections.transaction(Begin::view()).await
    }

    /// A number that a statement says of a generation's schema; `None`: the schema is not there.
    async fn number(&self, id: GenerationId, sql: &str) -> Result<Option<u64>, DatabaseError> {
        let binds = Binds::new().and(self.home.names.generation(id));
        let row = self.reading().await?.row(sql.to_owned(), binds).await?;
        let number = row.map(|row| row.try_get::<i64, _>(0)).transpose().map_err(DatabaseError::denied)?;
        Ok(number.and_then(|number| u64::try_from(number).ok()))
    }
}

const INSTANCE: &str = "SELECT oid::bigint FROM pg_namespace WHERE nspname = $1";
const SIZE: &str = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $1) AND c.relkind = 'r'";

#[async_trait]
impl Backend for PostgresBackend {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn place(&self) -> String {
        format!("{}, schema {}", self.home.connections.place(), self.home.names.catalog())
    }

    async fn live(&self, of: &Slot) -> Result<Option<Live>, DatabaseError> {
        catalog::live(&mut self.reading().await?, &self.home.names, of).await
    }

    async fn generations(&self, of: &Slot) -> Result<Vec<GenerationEntry>, DatabaseError> {
        catalog::generations(&mut self.reading().await?, &self.home.names, of).await
    }

    async fn change(&self, change: &Change) -> Result<(), DatabaseError> {
        let mut session = self.home.connections.transaction(Begin::durable()).await?;
        views::change(&mut session, &self.home.names, change).await?;
        session.commit().await?;
        self.home.changes.changed();
        Ok(())
    }

    async fn create(&self, spec: &GenerationSpec) -> Result<Option<Box<dyn Build>>, DatabaseError> {
        generation::create(&self.home, spec).await
    }

    async fn fence(&self, of: &Slot, id: GenerationId) -> Result<Box<dyn Fence>, DatabaseError> {
        generation::fence(&self.home, of, id).await
    }

    async fn view(&self, of: &Slot, what: Target) -> Result<Box<dyn View>, DatabaseError> {
        generation::view(&self.home, of, what).await
    }

    async fn remove(&self, _of: &Slot, id: GenerationId) -> Result<(), DatabaseError> {
        let mut session = self.home.connections.transaction(Begin::durable().exclusive()).await?;
        catalog::remove(&mut session, &self.home.names, id).await?;
        session.commit().await
    }

    async fn instance(&self, _of: &Slot, id: GenerationId) -> Result<Option<Instance>, DatabaseError> {
        Ok(self.number(id, INSTANCE).await?.map(|oid| Instance(oid.into())))
    }

    async fn size_bytes(&self, _of: &Slot, id: GenerationId) -> Result<u64, DatabaseError> {
        Ok(self.number(id, SIZE).await?.unwrap_or(0))
    }

    async fn free_bytes(&self) -> Result<Option<u64>, DatabaseError> {
        // A server does not say how much room its disk has.
        Ok(None)
    }

    async fn try_lease(&self, model: &ModelName) -> Result<Option<Lease>, DatabaseError> {
        self.leases.try_take(model).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.home.changes.subscribe()
    }
}
