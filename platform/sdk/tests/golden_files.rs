//! What golden files hold when an event changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use annals::{prelude::*, testing::golden};
use std::{fs, panic::catch_unwind, path::Path};

#[derive(Event)]
#[event(type = "order.placed", version = 1)]
struct Placed {
    #[event(tag)]
    customer: String,
}

/// The same, with a field that came later.
#[derive(Event)]
#[event(type = "order.placed", version = 1)]
struct WithNote {
    #[event(tag)]
    customer: String,
    #[serde(default)]
    note: String,
}

/// The same, whose tag has another key.
#[derive(Event)]
#[event(type = "order.placed", version = 1)]
struct Renamed {
    #[event(tag = "client")]
    customer: String,
}

fn placed() -> Placed {
    Placed { customer: "ann".into() }
}
fn with_note() -> WithNote {
    WithNote { customer: "ann".into(), note: "gift".into() }
}

/// What `golden` says of the sample; `None`: nothing.
fn said<E: Event>(folder: &Path, sample: fn() -> E) -> Option<String> {
    let folder = folder.to_owned();
    let panicked = catch_unwind(move || golden(&folder, [sample()])).err()?;
    Some(*panicked.downcast::<String>().unwrap())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("order.placed.v1.json"), "{\"customer\":\"ann\"}\n").unwrap();
    fs::write(folder.path().join("order.placed.tags"), "customer\n").unwrap();
    folder
}

#[test]
fn a_field_that_comes_later_needs_a_file_of_its_own() {
    let folder = folder();
    assert_eq!(said(folder.path(), placed), None);
    let missing = said(folder.path(), with_note).unwrap();
    assert!(missing.contains("order.placed.v1.2.json is missing"), "{missing}");
    let later = folder.path().join("order.placed.v1.2.json");
    fs::write(later, "{\"customer\":\"ann\",\"note\":\"gift\"}\n").unwrap();
    assert_eq!(said(folder.path(), with_note), None);
    let lost = said(folder.path(), placed).unwrap();
    assert!(lost.contains("field \"note\" is not read any more"), "{lost}");
}

#[test]
fn a_tag_that_is_given_no_more_is_named() {
    let folder = folder();
    let lost = said(folder.path(), || Renamed { customer: "ann".into() }).unwrap();
    assert!(lost.contains("the tag \"customer\" is given to no event any more"), "{lost}");
    fs::remove_file(folder.path().join("order.placed.tags")).unwrap();
    let missing = said(folder.path(), placed).unwrap();
    assert!(missing.contains("order.placed.tags is missing"), "{missing}");
}
