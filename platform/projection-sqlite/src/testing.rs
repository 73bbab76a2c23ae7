//! Tests of read models in SQLite: given events, then rows. Each test has a folder of its own, which goes with it.
//!
//! ```
//! # use annals_derive::{Event, Table};
//! # use annals_event::Recorded;
//! # use annals_projection::Fold;
//! # use annals_projection_sqlite::testing::given_rows;
//! # #[derive(Event)]
//! # #[event(crate = annals_event, type = "order.placed", version = 1)]
//! # struct OrderPlaced { customer: String, cents: i64 }
//! # #[derive(Event)]
//! # #[event(crate = annals_event, type = "payment.captured", version = 1)]
//! # struct PaymentCaptured { customer: String, cents: i64 }
//! # #[derive(Clone, Debug, PartialEq, Table)]
//! # #[table(crate = annals_projection, name = "customer_value")]
//! # struct CustomerValue { #[table(key)] customer: String, open_cents: i64 }
//! # fn customer_values() -> Fold<CustomerValue> {
//! #     Fold::<CustomerValue>::new()
//! #         .create(
//! #             |e: &Recorded<OrderPlaced>| e.customer.clone(),
//! #             |e| CustomerValue { customer: e.customer.clone(), open_cents: e.cents },
//! #         )
//! #         .update(|e: &Recorded<PaymentCaptured>| e.customer.clone(), |row, e| row.open_cents -= e.cents)
//! # }
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! given_rows(customer_values())
//!     .at("2026-11-27T09:00Z")
//!     .event("order-o-17", OrderPlaced { customer: "ann".into(), cents: 300 })
//!     .event("payment-o-17", PaymentCaptured { customer: "ann".into(), cents: 100 })
//!     .then([CustomerValue { customer: "ann".into(), open_cents: 200 }])
//!     .await;
//! # });
//! ```
//!
//! What a test may say is told by [`annals_projection::testing`].

use crate::open;
use annals_projection::{
    Catalog, Fold, ReadModel, Table,
    testing::{Given, TestDatabase},
};
use async_trait::async_trait;
use std::{any::Any, error::Error, fs, path::PathBuf};
use uuid::Uuid;

/// A read model with this fold, to which nothing has happened yet.
#[must_use = "say what happens with `events`, and then what the rows should be"]
#[track_caller]
pub fn given_rows<R: Table>(fold: Fold<R>) -> Given<R> {
    annals_projection::testing::given_rows(InFolder, fold)
}

/// A read model to which nothing has happened yet.
#[must_use = "say what happens with `events`, and then what the rows should be"]
pub fn given_model(model: &ReadModel) -> Given<ReadModel> {
    annals_projection::testing::given_model(InFolder, model)
}

/// Each test in a folder of its own.
struct InFolder;

#[async_trait]
impl TestDatabase for InFolder {
    async fn catalog(&self) -> Result<(Catalog, Box<dyn Any + Send + Sync>), Box<dyn Error + Send + Sync>> {
        let folder = Folder::new()?;
        let catalog = open(&folder.0).await?;
        Ok((catalog, Box::new(folder)))
    }
}

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("annals-{}", Uuid::now_v7()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder of a test that cannot be removed is the system's to clean.
        let _ = fs::remove_dir_all(&self.0);
    }
}
