//! The files that ARCHITECTURE.md names are there. A name is a whole path: from the root, from `platform`, or from a folder
//! that the same section named before, alone or as a part of a path; the one named last goes first.

use super::{WORKSPACE, assert_none};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The files and folders of a workspace.
struct Tree {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Tree {
    fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files: BTreeSet<PathBuf> = files.into_iter().collect();
        let folders = files.iter().flat_map(|file| file.ancestors().skip(1)).map(Path::to_owned).collect();
        Self { files, folders }
    }

    /// The names of files and folders in a section that lead nowhere.
    fn missing_in(&self, section: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let mut bases = vec![PathBuf::new(), PathBuf::from("platform")];
        for name in section.split('`').skip(1).step_by(2) {
            let mut paths = bases.iter().rev().map(|base| base.join(name));
            match paths.find(|path| self.files.contains(path) || self.folders.contains(path)) {
                Some(path) => {
                    // The folder of a crate alone says too little, and that of all crates nothing.
                    let above: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
                    let above = above.into_iter().rev().filter(|folder| folder.components().count() >= 2);
                    bases.extend(above.filter(|folder| self.folders.contains(folder)));
                    bases.extend(Some(path.join("src")).filter(|sources| self.folders.contains(sources)));
                }
                None if name.ends_with(".rs") || name.ends_with('/') => missing.push(name.to_owned()),
                None => {}
            }
        }
        missing
    }

    fn missing_in_all(&self, text: &str) -> Vec<String> {
        text.split("\n## ").flat_map(|section| self.missing_in(section)).collect()
    }
}

#[test]
fn the_map_names_only_files_that_exist() {
    let map = std::fs::read_to_string(WORKSPACE.root.join("ARCHITECTURE.md")).unwrap();
    let files = [".rs", ".proto", ".sql", ".md"].map(|suffix| WORKSPACE.files("", suffix).unwrap());
    let tree = Tree::of(files.into_iter().flatten().map(|file| file.path));
    assert_none(tree.missing_in_all(&map), "ARCHITECTURE.md names a file that does not exist");
}

#[test]
fn a_name_in_the_map_is_a_whole_path_from_a_folder_named_before() {
    let files = ["platform/log/src/read/tail.rs", "platform/log/src/shell.rs", "platform/store/src/shell.rs"];
    let tree = Tree::of(files.map(PathBuf::from));
    let found =
        ["`log/src/shell.rs`", "`platform/log`: `read/`, `tail.rs`", "`log/src/read/tail.rs` `shell.rs`"];
    for text in found {
        assert_eq!(tree.missing_in_all(text), [""; 0], "{text}");
    }
    let missing =
        ["`shell.rs`", "`src/shell.rs`", "`platform/store`: `tail.rs`", "`log/src/read/`\n## B\n`tail.rs`"];
    for text in missing {
        assert_eq!(tree.missing_in_all(text).len(), 1, "{text}");
    }
}
