//! The suite of backends checked against itself: a case that no backend runs checks nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::{fs, path::Path};

#[test]
fn every_case_of_every_theme_is_in_the_list() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let list = fs::read_to_string(suite.join("mod.rs")).unwrap();
    let mut cases = 0;
    for theme in fs::read_dir(suite).unwrap() {
        let text = fs::read_to_string(theme.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let case = line.split('(').next().unwrap();
            assert!(list.contains(&format!("{case},")), "{case} is not in `conformance_tests!`");
            cases += 1;
        }
    }
    assert!(cases > 80, "the cases were not found");
}
