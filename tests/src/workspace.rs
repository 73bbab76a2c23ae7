//! The workspace as cargo sees it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The crates of the workspace and the packages that they depend on.
#[derive(Debug)]
pub struct Workspace {
    /// The folder with the root manifest.
    pub root: PathBuf,
    /// The members, by name.
    pub packages: BTreeMap<String, Package>,
    /// For each package id, the ids of its normal and build dependencies.
    graph: BTreeMap<String, Vec<String>>,
}

/// A member of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its folder, relative to the root, e.g. `platform/event`.
    pub folder: PathBuf,
    /// The names of the packages that it depends on directly, except for tests and build scripts.
    pub dependencies: BTreeSet<String>,
    id: String,
}

/// A text file of the workspace.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path, relative to the root.
    pub path: PathBuf,
    /// Its contents.
    pub text: String,
}

impl Workspace {
    /// Asks cargo, for this machine only: packages for other systems need not be installed.
    pub fn load() -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("tests/ has no parent")?.to_path_buf();
        let cargo = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &host()?])
            .current_dir(&root)
            .output()?;
        ensure!(cargo.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&cargo.stderr));
        let metadata: Value = serde_json::from_slice(&cargo.stdout)?;
        let members: BTreeSet<&str> = texts(field(&metadata, "workspace_members")).collect();
        let packages = array(field(&metadata, "packages"))
            .filter(|package| field(package, "id").as_str().is_some_and(|id| members.contains(id)))
            .map(|package| Package::of(package, &root))
            .collect::<Result<_>>()?;
        let graph = array(field(field(&metadata, "resolve"), "nodes")).map(node).collect::<Option<_>>();
        Ok(Self { root, packages, graph: graph.context("a node without an id")? })
    }

    /// The names of all packages that are part of a build of `package`, itself included.
    pub fn closure(&self, package: &Package) -> BTreeSet<String> {
        let mut open = vec![package.id.clone()];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id.clone()) {
                open.extend(self.graph.get(&id).into_iter().flatten().cloned());
            }
        }
        seen.iter().map(|id| package_name(id)).collect()
    }

    /// The files below `folder` whose name ends with `suffix`, in order.
    pub fn files(&self, folder: impl AsRef<Path>, suffix: &str) -> Result<Vec<SourceFile>> {
        let mut found = Vec::new();
        self.collect(&self.root.join(folder), suffix, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn collect(&self, folder: &Path, suffix: &str, found: &mut Vec<SourceFile>) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let name = name.to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                self.collect(&path, suffix, found)?;
            } else if path.is_file() && name.ends_with(suffix) {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                found.push(SourceFile { path: path.strip_prefix(&self.root)?.to_path_buf(), text });
            }
        }
        Ok(())
    }
}

impl Package {
    fn of(package: &Value, root: &Path) -> Result<(String, Self)> {
        let text =
            |key: &str| field(package, key).as_str().with_context(|| format!("a package without {key}"));
        let folder = Path::new(text("manifest_path")?).parent().context("a manifest without a folder")?;
        let normal =
            array(field(package, "dependencies")).filter(|dependency| field(dependency, "kind").is_null());
        let dependencies =
            normal.filter_map(|dependency| field(dependency, "name").as_str().map(str::to_owned)).collect();
        let folder = folder.strip_prefix(root)?.to_path_buf();
        Ok((text("name")?.to_owned(), Self { folder, dependencies, id: text("id")?.to_owned() }))
    }
}

impl SourceFile {
    /// The lines of the file's code, with line numbers, without its unit tests and without comment lines.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        // Tests in files of their own are only named here; those in the file itself are at its end.
        let own_tests = self.text.match_indices("#[cfg(test)]\n").find(|(at, attribute)| {
            let item = self.text[at + attribute.len()..].lines().find(|line| !line.starts_with("#["));
            item.is_some_and(|item| item.contains("mod ") && item.ends_with('{'))
        });
        let code = own_tests.map_or(self.text.as_str(), |(at, _)| &self.text[..at]);
        let numbered = code.lines().enumerate().map(|(at, line)| (at + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// The target triple of this machine, e.g. `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let rustc = Command::new("rustc").arg("-vV").output().context("rustc is not on the path")?;
    let text = String::from_utf8(rustc.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

fn node(node: &Value) -> Option<(String, Vec<String>)> {
    let built = |dependency: &&Value| {
        array(field(dependency, "dep_kinds")).any(|kind| field(kind, "kind").as_str() != Some("dev"))
    };
    let ids =
        array(field(node, "deps")).filter(built).filter_map(|dependency| field(dependency, "pkg").as_str());
    Some((field(node, "id").as_str()?.to_owned(), ids.map(str::to_owned).collect()))
}

/// `null` if there is none.
fn field<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    array(value).filter_map(Value::as_str)
}

/// `registry+https://…#name@1.0.0` or `path+file:///…/folder#name@1.0.0`.
fn package_name(id: &str) -> String {
    let fragment = id.rsplit('#').next().unwrap_or(id);
    fragment.split('@').next().unwrap_or(fragment).to_owned()
}
