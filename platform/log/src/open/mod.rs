//! From a folder, whatever the last crash left in it, to a log that can be read and written.

pub(crate) mod create;
pub(crate) mod folder;
pub(crate) mod lock;
pub(crate) mod prepare;
pub(crate) mod recovery;
pub(crate) mod repair;
pub(crate) mod restored;
