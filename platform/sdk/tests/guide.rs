//! The guide's pages show the files that its service is made of, and name every key of the configuration.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals::service::Config;
use std::{fs, path::Path};

fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guide");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn each_file_of_the_guides_service_stands_in_a_page_as_it_is() {
    let (pages, folder) = (pages(), Path::new(env!("CARGO_MANIFEST_DIR")).join("guide/workshop"));
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let is_shown = pages.iter().any(|(_, page)| page.contains(text.trim_end()));
        assert!(is_shown || path.ends_with("modules.rs"), "no page shows {} as it is", path.display());
    }
}

#[test]
fn every_link_of_a_page_leads_to_a_page_there_and_in_the_crates_docs() {
    let (pages, links) = (pages(), include_str!("../guide/links.md"));
    for (name, _) in pages.iter().filter(|(name, _)| name != "index" && name != "links") {
        assert!(links.contains(&format!("[{name}]: crate::guide::{name}\n")), "links.md lacks {name}");
    }
    for (name, page) in pages.iter().filter(|(name, _)| name != "links") {
        for (other, _) in &pages {
            let is_used = page.contains(&format!("][{other}]"));
            assert!(!is_used || page.contains(&format!("\n[{other}]: {other}.md\n")), "{name} to {other}");
        }
    }
}

#[test]
fn every_key_of_the_configuration_stands_in_the_guide() {
    let table = include_str!("../guide/configuration.md");
    for line in Config::in_folder("guide", "data").unwrap().to_string().lines() {
        let key = line.trim_start_matches("# ").split([' ', '=']).next().unwrap();
        assert!(table.contains(&format!("\n| `{key}` |")), "the guide lacks {key}");
    }
}
