//! The workspace is as docs/design.md §7 says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use startalk_layers::{BANNED, LICENCES, NEVER, ROOMS};

fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().unwrap())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn packages() -> impl Iterator<Item = &'static Package> {
    let members: BTreeSet<_> = metadata().workspace_members.iter().collect();
    metadata().packages.iter().filter(move |p| members.contains(&p.id))
}

fn built_with(package: &'static Package) -> impl Iterator<Item = &'static str> {
    package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.as_str())
}

#[test]
fn every_import_is_in_the_table() {
    let table: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    for package in packages() {
        let allowed = table.get(package.name.as_str()).unwrap_or_else(|| panic!("{} is not in the table of rooms", package.name));
        for import in built_with(package).filter(|d| d.starts_with("startalk")) {
            assert!(allowed.contains(&import), "{} imports {import}, which docs/design.md §7 does not allow", package.name);
        }
    }
    let names: BTreeSet<_> = packages().map(|p| p.name.to_string()).collect();
    for (room, _) in ROOMS {
        assert!(names.contains(*room), "{room} is in the table and not in the workspace");
    }
}

#[test]
fn nobody_imports_what_is_not_for_them() {
    for (room, never) in NEVER {
        let package = packages().find(|p| p.name.as_str() == *room).unwrap();
        for import in built_with(package) {
            assert!(!never.contains(&import), "{room} must not know {import}");
        }
    }
}

/// Names of the packages that are compiled for this machine, from the resolved graph.
fn compiled() -> BTreeSet<String> {
    let out = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--prefix", "none", "--format", "{p}", "--edges", "normal,build,dev"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn banned_crates_are_not_compiled() {
    let compiled = compiled();
    assert!(compiled.contains("rustls"), "the list is read right");
    for (name, why) in BANNED {
        assert!(!compiled.contains(*name), "{name} is compiled: {why}");
    }
}

#[test]
fn every_licence_is_accepted() {
    let compiled = compiled();
    for package in metadata().packages.iter().filter(|p| compiled.contains(p.name.as_str())) {
        let licence = package.license.as_deref().unwrap_or("none");
        // An expression of alternatives is accepted if one of them is; of parts, if all are.
        let accepted = licence
            .replace('/', " OR ")
            .split(" OR ")
            .any(|alternative| alternative.split(" AND ").all(|part| LICENCES.contains(&part.trim().trim_matches(['(', ')']))));
        assert!(accepted, "{} {}: licence {licence}", package.name, package.version);
    }
}

#[test]
fn versions_and_features_of_dependencies_are_chosen_once() {
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let parsed: toml::Table = manifest.parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = parsed.get(section).and_then(|s| s.as_table()) else { continue };
            for (name, value) in table {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{}: {name} does not come from [workspace.dependencies]", package.name);
            }
        }
    }
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && !["target", ".git", "node_modules"].contains(&name.to_str().unwrap()) {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn source_files_say_what_they_are_and_only_one_names_bincode() {
    let mut all = Vec::new();
    sources(&root(), &mut all);
    assert!(all.len() > 50);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        assert!(text.starts_with("//!"), "{shown} does not begin with what it is for (`//!`)");
        let codec = shown == "node/domain/src/store/codec.rs" || shown.starts_with("tests/layers/");
        assert!(codec || !text.contains("bincode::"), "{shown} names bincode; only the codec may");
    }
}
