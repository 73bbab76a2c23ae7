use crate::{FoldError, GenerationError};

/// Why a projector did not start or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectorError {
    /// Its generation could not be opened, or not be folded further.
    #[error(transparent)]
    Generation(#[from] GenerationError),
}

impl ProjectorError {
    /// The fold's error, if that is what stopped it.
    pub fn fold_error(&self) -> Option<&FoldError> {
        match self {
            Self::Generation(GenerationError::Fold(error)) => Some(error),
            Self::Generation(_) => None,
        }
    }

    /// What everybody may be told: nothing that stands in an event or in a row.
    pub(super) fn outline(&self) -> String {
        match self.fold_error() {
            Some(FoldError::Event(error)) => error.outline(),
            _ => self.to_string(),
        }
    }
}
