//! The facade: what a service needs, each name once.

use super::WORKSPACE;
use std::collections::BTreeSet;

/// What a person can take in; whoever builds tools has the crates' own names.
const NAMES_MAX: usize = 116;
const PRELUDE_NAMES_MAX: usize = 20;
/// What a prelude must leave to others: `anyhow::Context`, axum's extractors, `std::io::Cursor`, `serde_json::Value`.
const NAMES_OF_OTHERS: &[&str] = &["Context", "Path", "Query", "Json", "State", "Form", "Cursor", "Value"];

#[test]
fn the_facade_has_few_names_and_none_twice() {
    let names: Vec<_> = MODULES.iter().flat_map(|module| names_of(module)).collect();
    assert!(names.len() <= NAMES_MAX, "{} names", names.len());
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = names.iter().filter(|name| !seen.insert(name.as_str())).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn the_prelude_is_short_and_takes_no_name_of_others() {
    // The derives have the names of their traits.
    let names: BTreeSet<_> = names_of("prelude").into_iter().collect();
    assert!(names.len() <= PRELUDE_NAMES_MAX, "{names:?}");
    assert!(names.len() > PRELUDE_NAMES_MAX / 2, "the prelude is not read: {names:?}");
    let taken: Vec<_> = NAMES_OF_OTHERS.iter().filter(|name| names.contains(**name)).collect();
    assert!(taken.is_empty(), "{taken:?}");
}

const MODULES: &[&str] =
    &["event", "store", "aggregate", "decision", "read_model", "reactor", "replay", "service", "testing"];

/// The names that a module of the facade hands out.
fn names_of(module: &str) -> Vec<String> {
    let files = WORKSPACE.files("platform/sdk/src", "lib.rs").unwrap();
    let text: String = files[0].code().map(|(_, line)| line.to_owned() + "\n").collect();
    let begin = format!("pub mod {module} {{");
    let (_, body) = text.split_once(&begin).unwrap_or_else(|| panic!("no module {module}"));
    let (body, _) = body.split_once("\n}").unwrap();
    let uses = body.split(';').filter_map(|used| used.split_once("pub use ").map(|(_, path)| path));
    uses.flat_map(|path| {
        let list = path.split_once('{').map_or(path, |(_, list)| list.trim_end().trim_end_matches('}'));
        list.split(',').map(own_name).filter(|name| !name.is_empty()).collect::<Vec<_>>()
    })
    .collect()
}

/// `Options as LogOptions` is `LogOptions`.
fn own_name(used: &str) -> String {
    let name = used.rsplit_once(" as ").map_or(used, |(_, name)| name);
    name.rsplit("::").next().unwrap_or(name).trim().to_owned()
}
