//! Why a service does not run, and what its process then ends with.

use super::supervise::BuildError;
use crate::{BindError, Exit, FolderError, ProgramError, config::ConfigError, store::StoreError};
use annals_projection::{GenerationError, ProjectorError};
use annals_store_log::CloseError;
use std::path::PathBuf;

/// Why a service did not start, or does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logging and tracing cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] annals_telemetry::InitError),
    /// The address cannot be served at.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The event store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are read models, and the log that they were folded from is gone.
    #[error(
        "the log {} is missing, and read models folded from one are in {}; restore the log from a backup, or delete them to begin \
         a new log", .log.display(), .rows.display()
    )]
    LogMissing {
        /// Where it should be.
        log: PathBuf,
        /// Where they are.
        rows: PathBuf,
    },
    /// The event store was not closed in order.
    #[error("the store was not closed in order")]
    Close(#[from] CloseError),
    /// The read models cannot be opened.
    #[error("the read models cannot be opened")]
    Catalog(#[from] GenerationError),
    /// A read model cannot be opened.
    #[error("the read model {name} cannot be opened: {cause}")]
    ReadModel {
        /// Its name.
        name: String,
        /// Why not.
        cause: ProjectorError,
    },
    /// What puts the service together failed.
    #[error("the service could not be put together: {0}")]
    Build(BuildError),
    /// A part that the service cannot do without has ended.
    #[error("{part} ended: {reason}")]
    Ended {
        /// Which.
        part: String,
        /// Why.
        reason: String,
    },
    /// The system does not let the program hear signals.
    #[error("cannot hear signals: {0}")]
    Signals(std::io::Error),
}

impl ServiceError {
    /// What puts the service together may fail at its own settings.
    pub(super) fn of_build(error: BuildError) -> Self {
        match error.downcast::<ConfigError>() {
            Ok(error) => Self::Config(*error),
            Err(error) => Self::Build(error),
        }
    }

    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Telemetry(_) => Exit::Configuration,
            Self::Bind(error) => error.exit(),
            Self::Folder(error) => error.exit(),
            Self::Store(error) => error.exit(),
            Self::LogMissing { .. } | Self::Catalog(_) | Self::ReadModel { .. } => Exit::Store,
            Self::Build(_) | Self::Ended { .. } | Self::Close(_) | Self::Signals(_) => Exit::PartEnded,
        }
    }
}

impl From<ServiceError> for ProgramError {
    fn from(error: ServiceError) -> Self {
        Self::new(error.exit(), &error)
    }
}
