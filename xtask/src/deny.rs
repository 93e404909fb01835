//! `cargo xtask deny`: licences and sources of every dependency, and known advisories. In:
//! `deny.toml`, `cargo metadata`. cargo-deny does the work where it is installed; elsewhere the
//! licence and source rules run here, from the same file, so that they hold on a bare machine and
//! without a network. Limits: of deny.toml only `[licenses] allow` is read; a package that states
//! no SPDX expression is refused.

use std::fs;
use std::process::Command;

use crate::workspace::{self, Outcome, Package, find_program};

/// End of the only allowed source: the public crate index. A mirror keeps this name in `cargo
/// metadata`.
const CRATE_INDEX: &str = "github.com/rust-lang/crates.io-index";

/// Runs all checks that this machine can run.
pub(crate) fn run() -> Outcome {
    own_checks()?;
    if find_program("cargo-deny").is_none() {
        println!("deny: cargo-deny is not installed: advisories were not looked at");
        return Ok(());
    }
    cargo_deny(&["bans", "licenses", "sources"])?;
    // The advisory data is fetched first, apart, so that a machine without a network is told from a
    // finding.
    let fetched = deny_command(&["fetch", "db"]).output().is_ok_and(|o| o.status.success());
    if !fetched {
        println!("deny: the advisory data cannot be reached: advisories were not looked at");
        return Ok(());
    }
    cargo_deny(&["advisories"])
}

fn cargo_deny(checks: &[&str]) -> Outcome {
    workspace::run(deny_command(&["check"]).args(checks))
}

fn deny_command(arguments: &[&str]) -> Command {
    let mut command = workspace::cargo();
    command.arg("deny").args(arguments);
    command
}

fn own_checks() -> Outcome {
    let path = workspace::root().join("deny.toml");
    let text =
        fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let allowed = allowed_licences(&text)
        .ok_or("deny.toml has no list `allow` in its section [licenses]".to_owned())?;
    let packages = workspace::packages()?;
    let findings: Vec<String> = packages.iter().flat_map(|p| findings(p, &allowed)).collect();
    for finding in &findings {
        println!("deny: {finding}");
    }
    if findings.is_empty() {
        println!("deny: {} packages, licences and sources are in order", packages.len());
        return Ok(());
    }
    Err(format!("{} findings in licences and sources", findings.len()))
}

fn findings(package: &Package, allowed: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let label = format!("{} {}", package.name, package.version);
    match package.license.as_deref() {
        None => found.push(format!("{label} states no licence")),
        Some(expression) => match satisfiable(expression, allowed) {
            Some(true) => {}
            Some(false) => found.push(format!("{label}: licence {expression} is not allowed")),
            None => found.push(format!("{label}: licence {expression} is no SPDX expression")),
        },
    }
    if let Some(source) = &package.source
        && !(source.starts_with("registry+") && source.ends_with(CRATE_INDEX))
    {
        found.push(format!("{label} comes from {source}"));
    }
    found
}

/// The strings of `allow = [ ... ]` below `[licenses]`.
fn allowed_licences(text: &str) -> Option<Vec<String>> {
    let section = text.split_once("\n[licenses]")?.1;
    let section = section.split("\n[").next()?;
    let list = section.split_once("\nallow = [")?.1.split_once(']')?.0;
    let uncommented = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    let entries = uncommented.flat_map(|line| line.split(',')).map(|e| e.trim().trim_matches('"'));
    Some(entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
}

/// Whether an SPDX expression can be satisfied with `allowed` alone; None if it cannot be parsed.
/// The old form `MIT/Apache-2.0` means OR.
fn satisfiable(expression: &str, allowed: &[String]) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    let verdict = either(&mut rest, allowed)?;
    rest.is_empty().then_some(verdict)
}

// OR binds weaker than AND, AND weaker than WITH (SPDX specification, annex on licence
// expressions).
fn either(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut verdict = both(rest, allowed)?;
    while let ["OR", tail @ ..] = *rest {
        *rest = tail;
        verdict |= both(rest, allowed)?;
    }
    Some(verdict)
}

fn both(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut verdict = single(rest, allowed)?;
    while let ["AND", tail @ ..] = *rest {
        *rest = tail;
        verdict &= single(rest, allowed)?;
    }
    Some(verdict)
}

fn single(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    if let ["(", tail @ ..] = *rest {
        *rest = tail;
        let verdict = either(rest, allowed)?;
        let [")", tail @ ..] = *rest else { return None };
        *rest = tail;
        return Some(verdict);
    }
    let [licence, tail @ ..] = *rest else { return None };
    if ["OR", "AND", "WITH", ")"].contains(licence) {
        return None;
    }
    *rest = tail;
    let mut wanted = (*licence).to_owned();
    if let ["WITH", exception, tail @ ..] = *rest {
        *rest = tail;
        wanted = format!("{wanted} WITH {exception}");
    }
    // An exception only ever grants more, so the bare licence being allowed is enough.
    Some(allowed.iter().any(|a| *a == wanted || a == licence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Vec<String> {
        allowed_licences("x\n[licenses]\nallow = [\n  \"MIT\", # a\n  \"ISC\",\n]\n[bans]\n")
            .unwrap()
    }

    #[test]
    fn allow_list_is_read() {
        assert_eq!(allowed(), ["MIT", "ISC"]);
        assert!(allowed_licences("[bans]\n").is_none());
    }

    #[test]
    fn expressions() {
        let check = |expression, expected| {
            assert_eq!(satisfiable(expression, &allowed()), expected, "{expression}");
        };
        check("MIT", Some(true));
        check("GPL-3.0", Some(false));
        check("GPL-3.0 OR MIT", Some(true));
        check("Apache-2.0/MIT", Some(true));
        check("MIT AND GPL-3.0", Some(false));
        check("ISC AND (GPL-3.0 OR MIT)", Some(true));
        check("GPL-3.0 OR MIT AND BSD-3-Clause", Some(false));
        check("MIT WITH some-exception", Some(true));
        check("MIT OR", None);
        check("(MIT", None);
        check("MIT ISC", None);
    }

    #[test]
    fn offending_packages_are_named() {
        let mut package =
            Package { name: "left-pad".into(), version: "1.0.0".into(), ..Package::default() };
        assert_eq!(findings(&package, &allowed()), ["left-pad 1.0.0 states no licence"]);
        package.license = Some("MIT".into());
        assert!(findings(&package, &allowed()).is_empty());
        package.source = Some("git+https://example.com/left-pad".into());
        assert_eq!(
            findings(&package, &allowed()),
            ["left-pad 1.0.0 comes from git+https://example.com/left-pad"]
        );
    }
}
