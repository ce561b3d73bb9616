//! Builds the web client with npm when its sources are other than at the last build, and makes the table of its files.
//!
//! Without Node.js the table is empty, which is said as a warning of the build and by the node; a client that does not
//! build is an error. `STARTALK_WEB=off` leaves it out (for work on Rust alone), `STARTALK_WEB=<folder>` takes files that
//! were built elsewhere. The client is built into this build's own folder, so no two builds write the same files; what npm
//! shares between them (`node_modules`, generated sources) is behind a lock. Invariant: the table names whole builds only.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// Oldest Node.js that Vite runs on.
const NODE_MIN: (u32, u32) = (20, 19);
/// In `clients/web`: what is made by a build, or is of no concern to it.
const NOT_SOURCES: &[&str] = &["node_modules", "dist", "made", "sheets", "tests", "lab", ".building"];
/// Outside of it: what generated sources are made from.
const MADE_FROM: &[&str] =
    &["shared/protocol/proto", "shared/protocol/src/error.rs", "shared/client/src/lines.rs", "federation-spec/06-errors.md"];

/// Why there is no client in this build although nothing is wrong with it.
struct Without(String);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=STARTALK_WEB");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder of a build"));
    let wanted = env::var("STARTALK_WEB").unwrap_or_default();
    let built = match wanted.as_str() {
        "" => built(&root, &out),
        "off" => Err(Without("STARTALK_WEB=off".into())),
        folder => Ok(PathBuf::from(folder)),
    };
    let table = match built {
        Ok(dist) => {
            println!("cargo:rerun-if-changed={}", dist.display());
            table(&dist)
        }
        Err(Without(why)) => {
            println!("cargo:warning=this node has no web client: {why}; everything else works");
            format!("const FILES: &[File] = &[];\nconst MISSING: Option<&str> = Some({why:?});\n")
        }
    };
    fs::write(out.join("files.rs"), table).expect("the folder of a build can be written");
}

/// The folder of a client built from the sources as they are.
fn built(root: &Path, out: &Path) -> Result<PathBuf, Without> {
    let web = root.join("clients/web");
    if !web.join("package.json").is_file() {
        return Err(Without("clients/web is not there".into()));
    }
    let mut sources = Vec::new();
    watch(&web, &mut sources);
    for path in MADE_FROM {
        println!("cargo:rerun-if-changed={}", root.join(path).display());
        collect(&root.join(path), &mut sources);
    }
    let (dist, stamp) = (out.join("dist"), out.join("dist.sources"));
    let digest = digest(&sources);
    if dist.join("index.html").is_file() && fs::read_to_string(&stamp).is_ok_and(|s| s == digest) {
        return Ok(dist);
    }
    node_is_there().inspect_err(|_| watch_programs())?;
    let lock = File::create(web.join(".building")).map_err(|e| Without(format!("clients/web cannot be written: {e}")))?;
    lock.lock().map_err(|e| Without(format!("clients/web/.building cannot be locked: {e}")))?;
    if !is_installed(&web) {
        npm(&web, &["ci", "--no-audit", "--no-fund"], None).map_err(|log| {
            println!("cargo:warning=npm ci in clients/web failed: {}", last_line(&log));
            Without("its libraries could not be installed (npm ci in clients/web says why)".into())
        })?;
    }
    let beside = out.join("dist.new");
    if let Err(log) = npm(&web, &["run", "build"], Some(&beside)) {
        panic!("the web client does not build (STARTALK_WEB=off builds the node without it):\n{log}");
    }
    // Never a mixture: a stamp stands only beside the whole build that it describes.
    let _ = fs::remove_file(&stamp);
    let _ = fs::remove_dir_all(&dist);
    fs::rename(&beside, &dist).expect("both are in the folder of this build");
    fs::write(&stamp, digest).expect("the folder of a build can be written");
    Ok(dist)
}

fn node_is_there() -> Result<(), Without> {
    let said = Command::new("node").arg("--version").output();
    let Some(said) = said.ok().filter(|o| o.status.success()) else {
        return Err(Without(format!("Node.js {}.{} or newer was not found when it was built", NODE_MIN.0, NODE_MIN.1)));
    };
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let mut numbers = version.trim_start_matches('v').split('.').map(|n| n.parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE_MIN {
        return Err(Without(format!("Node.js {version} is too old, {}.{} is needed", NODE_MIN.0, NODE_MIN.1)));
    }
    if npm_command().arg("--version").output().is_ok_and(|o| o.status.success()) {
        return Ok(());
    }
    Err(Without("npm was not found when it was built".into()))
}

/// Lets cargo run this again when a program is installed where they are looked for: Node.js may come later. Only where it
/// is missing, for otherwise every new program would be followed by a build.
fn watch_programs() {
    println!("cargo:rerun-if-env-changed=PATH");
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()).filter(|f| f.is_dir()) {
        println!("cargo:rerun-if-changed={}", folder.display());
    }
}

fn npm_command() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// What npm said, if it failed.
fn npm(web: &Path, arguments: &[&str], to: Option<&Path>) -> Result<(), String> {
    let mut command = npm_command();
    command.args(arguments).current_dir(web);
    if let Some(to) = to {
        command.env("STARTALK_WEB_OUT", to);
    }
    let done = command.output().map_err(|e| e.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)))
}

fn last_line(log: &str) -> &str {
    log.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing")
}

/// npm leaves a list of what it has installed, newer than what it was made from.
fn is_installed(web: &Path) -> bool {
    let time = |path: &str| web.join(path).metadata().and_then(|m| m.modified()).ok();
    match (time("node_modules/.package-lock.json"), time("package-lock.json")) {
        (Some(installed), Some(wanted)) => installed >= wanted,
        _ => false,
    }
}

/// Collects the sources below a folder and lets cargo watch them: folders as a whole, which notices new files too, but
/// those in which a build makes files one by one, for otherwise every build would be followed by another.
fn watch(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        if entry.file_name().is_some_and(|n| NOT_SOURCES.iter().any(|not| *not == n)) {
            continue;
        }
        if entry.is_dir() && makes_files(&entry) {
            watch(&entry, sources);
        } else {
            println!("cargo:rerun-if-changed={}", entry.display());
            collect(&entry, sources);
        }
    }
}

fn makes_files(folder: &Path) -> bool {
    let is_not_source = |p: &PathBuf| p.file_name().is_some_and(|n| NOT_SOURCES.iter().any(|not| *not == n));
    entries(folder).iter().any(|e| e.is_dir() && (is_not_source(e) || makes_files(e)))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        entries(path).iter().for_each(|e| collect(e, files));
    } else {
        files.push(path.to_owned());
    }
}

/// In order, so that the same files are the same list everywhere.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).map(|all| all.filter_map(|e| Some(e.ok()?.path())).collect());
    let mut all: Vec<PathBuf> = read.unwrap_or_default();
    all.sort();
    all
}

fn digest(sources: &[PathBuf]) -> String {
    let mut hasher = DefaultHasher::new();
    for path in sources {
        path.hash(&mut hasher);
        fs::read(path).unwrap_or_default().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// The table as Rust.
fn table(dist: &Path) -> String {
    let mut files = Vec::new();
    collect(dist, &mut files);
    let dist = dist.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", dist.display()));
    let mut out = String::from("const MISSING: Option<&str> = None;\nconst FILES: &[File] = &[\n");
    for file in &files {
        let file = file.canonicalize().expect("it was listed just now");
        let extension = file.extension().unwrap_or_default();
        if extension == "gz" || extension == "br" || extension == "map" {
            continue;
        }
        let path = file.strip_prefix(&dist).expect("it is below").components();
        let path: Vec<_> = path.map(|c| c.as_os_str().to_string_lossy()).collect();
        let other = |end: &str| {
            let mut name = file.clone().into_os_string();
            name.push(end);
            let other = PathBuf::from(name);
            if other.is_file() { format!("Some(include_bytes!({other:?}))") } else { "None".to_owned() }
        };
        let (gzip, brotli) = (other(".gz"), other(".br"));
        let _ = writeln!(
            out,
            "    File {{ path: {:?}, plain: include_bytes!({file:?}), gzip: {gzip}, brotli: {brotli} }},",
            path.join("/")
        );
    }
    out + "];\n"
}
