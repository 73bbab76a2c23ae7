//! What is decided: where streams and marks are, which requests were made, and what becomes of an append. All of it follows from
//! the appends alone.
//!
//! What always holds: nothing here knows a position, a file or a disk, so that nodes which took the same appends agree on it.

pub(crate) mod chain;
pub(crate) mod changes;
pub(crate) mod decide;
pub(crate) mod head_table;
pub(crate) mod heads;
pub(crate) mod marks;
pub(crate) mod pending;
pub(crate) mod requests;
pub(crate) mod window;
