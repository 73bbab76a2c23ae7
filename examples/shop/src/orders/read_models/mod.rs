//! The tables that orders are read from: three read models, each built, checkpointed and replayed on its own.

pub mod customer_value;
pub mod daily_sales;
pub mod order_summary;

use super::queries::Queries;
use crate::tasks::Tasks;
use annals::projection::{
    Catalog, Generations, ModelError, Projector, ProjectorHandle, ProjectorOptions, ReadModel, SnapshotPolicy,
};
use annals::store::EventStore;
use anyhow::Result;
use std::sync::Arc;

/// The read model of customers' values.
pub const CUSTOMER_VALUE: &str = "customer_value";
/// After how many events a read model of few rows is snapshotted.
const SNAPSHOT_EVERY_EVENTS: u64 = 1_000;
/// The same of the one with a row an order: a snapshot copies all rows, so frequent ones would cost more than the fold.
const SNAPSHOT_ORDERS_EVERY_EVENTS: u64 = 10_000;
/// How many snapshots are kept: a replay begins with the nearest one below.
const SNAPSHOTS_KEPT: usize = 64;

/// The read models.
#[derive(Clone, Debug)]
pub struct ReadModels {
    /// A row an order.
    pub order_summary: ReadModel,
    /// A row a customer.
    pub customer_value: ReadModel,
    /// A row a day.
    pub daily_sales: ReadModel,
}

impl ReadModels {
    /// The read models as this program folds them.
    pub fn new() -> Result<Self, ModelError> {
        Ok(Self {
            order_summary: ReadModel::named("order_summary")
                .table(order_summary::order_summaries())
                .build()?,
            customer_value: ReadModel::named(CUSTOMER_VALUE)
                .table(customer_value::customer_values())
                .build()?,
            daily_sales: ReadModel::named("daily_sales").table(daily_sales::daily_sales()).build()?,
        })
    }
}

/// The read models, running.
pub struct Started {
    /// What they answer.
    pub queries: Queries,
    /// The generations of each, for replays.
    pub generations: Vec<Generations>,
}

/// Starts to fold `store` into the read models.
pub async fn start(store: Arc<dyn EventStore>, catalog: Catalog, tasks: &mut Tasks) -> Result<Started> {
    let ReadModels { order_summary, customer_value, daily_sales } = ReadModels::new()?;
    let generations = |model: &ReadModel| Generations::new(catalog.clone(), model.clone(), store.clone());
    let generations = [&order_summary, &customer_value, &daily_sales].map(generations).to_vec();
    let options = |model, every| {
        ProjectorOptions::new(catalog.clone(), model, store.clone())
            .snapshots(SnapshotPolicy::every(every).keep(SNAPSHOTS_KEPT))
    };
    let queries = Queries {
        order_summary: project(options(order_summary, SNAPSHOT_ORDERS_EVERY_EVENTS), tasks).await?,
        customer_value: project(options(customer_value, SNAPSHOT_EVERY_EVENTS), tasks).await?,
        daily_sales: project(options(daily_sales, SNAPSHOT_EVERY_EVENTS), tasks).await?,
        store: store.clone(),
    };
    Ok(Started { queries, generations })
}

async fn project(options: ProjectorOptions, tasks: &mut Tasks) -> Result<ProjectorHandle> {
    let name = format!("the read model {}", options.model.name());
    let projector = Projector::open(options).await?;
    let handle = projector.handle();
    tasks.spawn(name, |stop| projector.run(stop));
    Ok(handle)
}
