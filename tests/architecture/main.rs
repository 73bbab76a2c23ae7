//! The rules that keep the parts apart. Each is a sentence of ARCHITECTURE.md; a failure names the file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod errors;
mod facade;
mod lengths;
mod map;

use annals_tests::{Rooms, SourceFile, Workspace};
use lengths::long_functions;
use std::{path::Path, sync::LazyLock};

/// The layers from the bottom up: a crate may depend on crates of lower layers only.
const LAYERS: &[&[&str]] = &[
    &["annals-event"],
    &["annals-log", "annals-telemetry", "annals-derive"],
    &["annals-store"],
    &["annals-wire"],
    &["annals-aggregate", "annals-store-log", "annals-store-grpc"],
    &["annals-projection", "annals-reactor"],
    &["annals-projection-postgres", "annals-projection-sqlite", "annals-replay"],
    &["annals-service"],
    &["annals"],
];

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(|| Workspace::load().unwrap());

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// Lines of code in `files` that `breaks` accepts, as `path:line: text`.
fn offences(files: &[SourceFile], breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let of = |file: &SourceFile| -> Vec<String> {
        let bad = file.code().filter(|(_, line)| breaks(line));
        bad.map(|(number, line)| format!("{}:{number}: {}", file.path.display(), line.trim())).collect()
    };
    files.iter().flat_map(of).collect()
}

fn assert_none(offences: Vec<String>, rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// The sources of every platform crate except those named.
fn platform_sources_but(workspace: &Workspace, exempt: &[&str]) -> Vec<SourceFile> {
    let files = workspace.files("platform", ".rs").unwrap();
    let in_src = |path: &Path| path.components().nth(2).is_some_and(|part| part.as_os_str() == "src");
    let is_exempt =
        |path: &Path| exempt.iter().any(|name| path.starts_with(Path::new("platform").join(name)));
    files.into_iter().filter(|file| in_src(&file.path) && !is_exempt(&file.path)).collect()
}

#[test]
fn dependencies_point_down_only() {
    let workspace = &*WORKSPACE;
    for (name, package) in &workspace.packages {
        if !package.folder.starts_with("platform") {
            continue;
        }
        let own = layer(name).unwrap_or_else(|| panic!("{name} is in no layer: add it to LAYERS"));
        for dependency in package.dependencies.iter().filter(|name| name.starts_with("annals")) {
            let below = layer(dependency).is_some_and(|layer| layer < own);
            assert!(below, "{name} depends on {dependency}, which is not in a layer below it");
        }
    }
}

#[test]
fn the_bottom_knows_nothing_of_the_async_runtime_the_network_or_sql() {
    let workspace = &*WORKSPACE;
    for name in ["annals-event", "annals-log"] {
        let built = workspace.closure(&workspace.packages[name]);
        for stranger in ["tokio", "tonic", "sqlx", "axum", "opentelemetry"] {
            assert!(!built.contains(stranger), "{name} pulls in {stranger}");
        }
    }
}

#[test]
fn read_models_know_no_database() {
    let workspace = &*WORKSPACE;
    let projection = &workspace.packages["annals-projection"];
    for stranger in ["sqlx", "sqlx-core", "libsqlite3-sys"] {
        assert!(!workspace.closure(projection).contains(stranger), "annals-projection pulls in {stranger}");
    }
    let mut files = workspace.files("platform/projection/src", ".rs").unwrap();
    files.retain(|file| !file.path.ends_with("tests.rs"));
    let names = |line: &str| line.contains("sqlx") || line.contains("Sqlite") || line.contains("Postgres");
    assert_none(offences(&files, names), "a database's library is named by its backend alone");
}

/// The crates whose rooms form no cycle.
const ROOMY: &[&str] = &[
    "platform/log/src",
    "platform/store/src",
    "platform/store-log/src",
    "platform/aggregate/src",
    "platform/replay/src",
    "platform/projection/src",
    "platform/projection-postgres/src",
    "platform/projection-sqlite/src",
    "platform/reactor/src",
    "platform/store-grpc/src",
    "platform/service/src",
];

#[test]
fn the_rooms_of_a_crate_form_no_circle() {
    for folder in ROOMY {
        let circles = Rooms::of(&WORKSPACE, folder).unwrap().circles();
        assert!(circles.is_empty(), "rooms of {folder} use each other:\n{}", circles.join("\n"));
    }
}

#[test]
fn the_log_engine_has_few_files_outside_of_its_rooms() {
    const FILES_MAX: usize = 14;
    let folder = Path::new("platform/log/src");
    let files = WORKSPACE.files(folder, ".rs").unwrap();
    let at_root = files.iter().filter(|file| file.path.parent() == Some(folder)).count();
    assert!((1..=FILES_MAX).contains(&at_root), "{at_root} files lie in {}", folder.display());
}

#[test]
fn only_store_log_names_the_log_engine() {
    let workspace = &*WORKSPACE;
    for (name, package) in workspace.packages.iter().filter(|(_, p)| p.folder.starts_with("platform")) {
        let allowed = name == "annals-store-log" || name == "annals-log";
        assert!(allowed || !package.dependencies.contains("annals-log"), "{name} depends on annals-log");
    }
    let others = platform_sources_but(workspace, &["log", "store-log"]);
    let names_it =
        |line: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "annals_log");
    assert_none(offences(&others, names_it), "names the log engine");
}

#[test]
fn generated_types_stay_at_the_network_seam() {
    let workspace = &*WORKSPACE;
    for (name, package) in &workspace.packages {
        let at_the_seam = package.folder.starts_with("services") || name == "annals-store-grpc";
        assert!(
            at_the_seam || !package.dependencies.contains("annals-wire"),
            "{name} depends on annals-wire"
        );
    }
    let protos = workspace.files("", ".proto").unwrap();
    assert!(!protos.is_empty());
    for proto in protos {
        assert!(proto.path.starts_with("proto"), "{} is not in proto/", proto.path.display());
    }
}

#[test]
fn the_sdk_contains_no_function() {
    let files = WORKSPACE.files("platform/sdk/src", ".rs").unwrap();
    assert_none(offences(&files, |line| line.contains("fn ")), "a function in the facade");
}

/// Services on one page: their handlers stand beside their decisions.
fn is_whole_service(path: &Path) -> bool {
    path.ends_with("main.rs") || path.ends_with("examples/orders/src/lib.rs")
}

#[test]
fn decisions_are_synchronous_and_pure() {
    let workspace = &*WORKSPACE;
    for folder in ["platform", "services", "examples"] {
        let files = workspace.files(folder, ".rs").unwrap();
        let awaits = |line: &str| line.contains("async fn decide(") || line.contains("async fn evolve");
        assert_none(offences(&files, awaits), "an asynchronous decision");
        let aggregates: Vec<_> = files
            .into_iter()
            .filter(|file| file.path.components().any(|part| part.as_os_str() == "src"))
            .filter(|file| file.text.contains("Aggregate for ") && !is_whole_service(&file.path))
            .collect();
        let impure = ["SystemTime::now", "Instant::now", "sqlx::", "reqwest::", "std::fs", ".await"];
        let breaks = |line: &str| impure.iter().any(|word| line.contains(word));
        assert_none(offences(&aggregates, breaks), "I/O or a clock beside a decision");
    }
}

#[test]
fn the_platforms_ddl_lives_only_in_migrations() {
    let files = platform_sources_but(&WORKSPACE, &[]);
    let breaks = |line: &str| {
        let line = line.to_lowercase();
        ["create table annals", "create index annals", "create table if not exists annals", "alter table"]
            .iter()
            .any(|ddl| line.contains(ddl))
    };
    assert_none(offences(&files, breaks), "DDL of the platform outside migrations/");
}

#[test]
fn derives_emit_only_paths_of_the_private_facade() {
    let files = WORKSPACE.files("platform/derive/src", ".rs").unwrap();
    let breaks = |line: &str| {
        line.match_indices("::annals").any(|(at, path)| !line[at + path.len()..].starts_with("::__private"))
    };
    assert_none(offences(&files, breaks), "a path outside ::annals::__private");
}

#[test]
fn only_programs_use_anyhow() {
    for (name, package) in &WORKSPACE.packages {
        if package.folder.starts_with("platform") {
            assert!(!package.dependencies.contains("anyhow"), "{name} is a library and uses anyhow");
        }
    }
}

#[test]
fn names_have_at_most_70_characters() {
    const CHARACTERS_MAX: usize = 70;
    let is_in_name = |character: char| character.is_alphanumeric() || character == '_';
    let names_too_long = |line: &str| {
        let mut names = line.split("fn ").skip(1).filter_map(|rest| rest.split(|c| !is_in_name(c)).next());
        names.any(|name| name.len() > CHARACTERS_MAX)
    };
    let files = WORKSPACE.files("", ".rs").unwrap();
    assert_none(offences(&files, names_too_long), "a name of more than 70 characters");
}

#[test]
fn functions_have_at_most_50_lines() {
    let files = WORKSPACE.files("", ".rs").unwrap();
    let written =
        files.iter().filter(|file| !file.path.components().any(|part| part.as_os_str() == "generated"));
    assert_none(written.flat_map(long_functions).collect(), "a function of more than 50 lines");
}
