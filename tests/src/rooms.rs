//! The rooms of a crate, which are its top-level modules, and which of them use which.

use crate::{SourceFile, Workspace};
use anyhow::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Which rooms of a crate use which; tests do not count.
#[derive(Debug)]
pub struct Rooms(BTreeMap<String, BTreeSet<String>>);

impl Rooms {
    /// The rooms of the crate whose sources are in this folder, relative to the root.
    pub fn of(workspace: &Workspace, folder: &str) -> Result<Self> {
        let files = workspace.files(folder, ".rs")?;
        let room = |file: &SourceFile| room_of(&file.path, Path::new(folder));
        let names: BTreeSet<String> = files.iter().filter_map(room).collect();
        let lib =
            files.iter().find(|file| file.path.ends_with("lib.rs")).context("a crate without lib.rs")?;
        let exported = exports(&text_of(lib), &names);
        let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in files.iter().filter(|file| !is_test(&file.path)) {
            let Some(own) = room(file) else { continue };
            let used = uses(&text_of(file)).into_iter();
            let used = used.filter_map(|name| names.get(&name).or_else(|| exported.get(&name)).cloned());
            rooms.entry(own.clone()).or_default().extend(used.filter(|used| *used != own));
        }
        Ok(Self(rooms))
    }

    /// Rooms that use themselves through others, each with the way back to it.
    pub fn circles(&self) -> Vec<String> {
        self.0.keys().filter_map(|room| self.way_back(room)).map(|way| way.join(" -> ")).collect()
    }

    fn way_back(&self, to: &str) -> Option<Vec<String>> {
        let mut open = vec![vec![to.to_owned()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = open.pop() {
            for next in way.last().and_then(|last| self.0.get(last)).into_iter().flatten() {
                let longer = || way.iter().chain([next]).cloned().collect();
                if next == to {
                    return Some(longer());
                }
                if seen.insert(next) {
                    open.push(longer());
                }
            }
        }
        None
    }
}

/// The room that a file is in; `None`: it is the crate's root.
fn room_of(path: &Path, folder: &Path) -> Option<String> {
    let first = path.strip_prefix(folder).ok()?.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&name)).then(|| name.to_owned())
}

fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let below_tests = path.components().any(|part| part.as_os_str() == "tests");
    stem == "tests" || stem.ends_with("_tests") || below_tests
}

fn text_of(file: &SourceFile) -> String {
    file.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

/// The first names of all paths that begin at the crate's root.
fn uses(text: &str) -> BTreeSet<String> {
    let begins =
        |at: usize| !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_$:".contains(before));
    let found = text.match_indices("crate::").filter(|(at, _)| begins(*at));
    found.flat_map(|(at, path)| first_names(&text[at + path.len()..])).collect()
}

/// The first name of a path, or of each path in braces.
fn first_names(path: &str) -> Vec<String> {
    match path.strip_prefix('{') {
        None => vec![name_at_start(path)],
        Some(group) => split_group(group).map(name_at_start).filter(|name| !name.is_empty()).collect(),
    }
}

/// The paths of a group, up to the brace that ends it.
fn split_group(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 1_usize;
    let ends = |(_, c): &(usize, char)| {
        depth = match c {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        };
        depth == 0
    };
    let end = group.char_indices().find(ends).map_or(group.len(), |(at, _)| at);
    let mut depth = 0_usize;
    let between = move |c: char| {
        depth = match c {
            '{' => depth + 1,
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        c == ',' && depth == 0
    };
    group[..end].split(between)
}

fn name_at_start(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// What the root re-exports, and from which room.
fn exports(lib: &str, rooms: &BTreeSet<String>) -> BTreeMap<String, String> {
    let statements = lib.split(';').filter_map(|statement| statement.split_once("use "));
    let mut exported = BTreeMap::new();
    for (_, path) in statements {
        let room = name_at_start(path);
        if !rooms.contains(&room) {
            continue;
        }
        let names = path.split_once('{').map_or_else(
            || path.rsplit("::").next().into_iter().collect(),
            |(_, group)| split_group(group).collect::<Vec<_>>(),
        );
        exported.extend(names.into_iter().map(|name| (name_at_start(name), room.clone())));
    }
    exported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_of_paths_are_found() {
        let text = "use crate::a::{B, c::D};\nuse crate::{\n    e::{self, F},\n    G,\n};\npub(crate) fn f() { $crate::no::n(); crate::h(); }";
        let names: Vec<_> = uses(text).into_iter().collect();
        assert_eq!(names, ["G", "a", "e", "h"]);
    }

    #[test]
    fn a_circle_is_found_with_its_way() {
        let rooms = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")];
        let rooms = rooms.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
        assert_eq!(Rooms(rooms.into()).circles(), ["b -> c -> b", "c -> b -> c"]);
    }
}
