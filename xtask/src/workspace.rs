//! Where the workspace is, what `cargo metadata` says of it, and how a step's command is run.
//! Never: writes anything.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a developer command returns: the error is one line for a person, printed by `main`.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // `cargo xtask` sets the variable; the built-in value serves a binary that is started by hand.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    manifest.parent().map(Path::to_path_buf).unwrap_or(manifest)
}

/// The `cargo` that started us, so that a tool-chain override stays in force.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Set for xtask itself; build scripts and tests of other packages must not inherit it.
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

/// Runs a command with its output shown; an exit status other than 0 is the error.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", show(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed: {status}", show(command))) }
}

/// The command as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Finds a program in PATH and in the folders of system programs, which PATH may lack.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// One package of the dependency graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression, if the package states one.
    pub(crate) license: Option<String>,
    /// None for a package of this workspace.
    pub(crate) source: Option<String>,
    /// Names of direct dependencies of every kind (normal, build, dev).
    pub(crate) dependencies: Vec<Dependency>,
}

/// A direct dependency, as its `Cargo.toml` declares it.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) for_tests_only: bool,
}

/// All packages, ours and foreign, from `cargo metadata`.
pub(crate) fn packages() -> Outcome<Vec<Package>> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1"]).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| format!("cannot start cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", output.status));
    }
    let document: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| format!("cargo metadata is not JSON: {e}"))?;
    let listed = document["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    Ok(listed.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    let dependencies = value["dependencies"].as_array().into_iter().flatten();
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        license: text("license"),
        source: text("source"),
        dependencies: dependencies
            .map(|dependency| Dependency {
                name: dependency["name"].as_str().unwrap_or_default().to_owned(),
                for_tests_only: dependency["kind"].as_str() == Some("dev"),
            })
            .collect(),
    }
}
