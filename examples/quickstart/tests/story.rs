//! The quickstart, run as its reader runs it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{path::Path, process::Command};

/// What it says, line by line.
fn run(folder: Option<&Path>) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_annals-quickstart")).args(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn without_a_folder_it_tells_the_same_story_every_time() {
    let told = [
        "Alice deposits 5000 cents and withdraws 1500: event 2 of the log.",
        "She asks for too much and is refused: the account has only 3500 cents.",
        "The table says that alice has 3500 cents.",
        "A replay folds 2 events into a second table; rows added: 0, removed: 0, changed: 0, the same: 1.",
        "It is promoted: readers see the table that it built.",
    ];
    assert_eq!(run(None), told);
    assert_eq!(run(None), told);
}

#[test]
fn in_a_folder_that_stays_it_goes_on_from_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(Some(folder.path()));
    let second = run(Some(folder.path()));
    let said = |told: &[String], sentence: &str| told.iter().any(|line| line == sentence);
    assert!(said(&first, "The table says that alice has 3500 cents."), "{first:#?}");
    assert!(said(&second, "The table says that alice has 7000 cents."), "{second:#?}");
    let replayed =
        "A replay folds 4 events into a second table; rows added: 0, removed: 0, changed: 0, the same: 1.";
    assert!(said(&second, replayed), "{second:#?}");
    assert!(said(&second, "It is promoted: readers see the table that it built."), "{second:#?}");
}
