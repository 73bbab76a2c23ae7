//! One generation: how it is made, written, fenced and viewed.

mod build;
mod fence;
mod rows;
mod view;
mod writer;

pub(crate) use build::create;
pub(crate) use fence::fence;
pub(crate) use view::view;

use crate::{changes::Changes, connection::Connections, names::Names};
use std::time::Duration;

/// The catalog that a generation belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The way to the database.
    pub(crate) connections: Connections,
    /// Its schemas.
    pub(crate) names: Names,
    /// Whom to tell of changes.
    pub(crate) changes: Changes,
    /// Whether other programs can read what is live through views.
    pub(crate) views: bool,
    /// How long a writer's session may stand idle within a transaction.
    pub(crate) writer_idle_max: Duration,
}
