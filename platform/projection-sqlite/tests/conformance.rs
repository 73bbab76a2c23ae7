//! The suite of backends, on a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use support::Folder;

annals_projection::conformance_tests!(async { Folder::new() });
