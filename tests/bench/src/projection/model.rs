use super::{payments, rare, wide};
use annals::read_model::ReadModel;
use anyhow::Result;
use clap::ValueEnum;

/// A read model that a process of its own can rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    Payments,
    Wide,
    Rare,
}

impl Model {
    /// What the command line calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Wide => "wide",
            Self::Rare => "rare",
        }
    }

    pub(crate) fn read_model(self) -> Result<ReadModel> {
        Ok(match self {
            Self::Payments => payments::model(),
            Self::Wide => wide::model(),
            Self::Rare => rare::model(),
        }?)
    }
}
