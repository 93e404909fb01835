//! STYLE H2: dependencies point downwards only. In: `cargo metadata`. Out: every arrow that the
//! table forbids. The table below is the rule's one copy in code; dependencies of tests follow it
//! too.

use super::Finding;
use crate::workspace::Package;

/// What a crate may use.
struct Rule {
    name: &'static str,
    /// Crates of ours; `EVERYTHING` for the crates that tie the others together.
    ours: &'static [&'static str],
    /// Foreign crates that would bring in what the crate must never contain.
    forbidden: &'static [&'static str],
}

const EVERYTHING: &[&str] = &["*"];
const NOTHING: &[&str] = &[];

/// Async, threads, files, sockets, clock and random source, by the crates that bring them.
const IMPURE: &[&str] = &[
    "actix",
    "actix-rt",
    "async-std",
    "async-trait",
    "chrono",
    "crossbeam-channel",
    "futures-util",
    "getrandom",
    "jiff",
    "libc",
    "memmap2",
    "mio",
    "nix",
    "rand",
    "rayon",
    "redb",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tracing",
];
const ASYNC: &[&str] = &["actix", "actix-rt", "async-std", "async-trait", "futures-util", "tokio"];
/// What gives a crate access to zones' storage or to a token, which only the actors have.
const AROUND_THE_SOCKET: &[&str] = &["cryptoki", "redb"];

const RULES: &[Rule] = &[
    Rule { name: "dnssec", ours: NOTHING, forbidden: IMPURE },
    Rule { name: "audit", ours: NOTHING, forbidden: IMPURE },
    Rule { name: "audit-host", ours: &["audit"], forbidden: ASYNC },
    Rule { name: "hsm", ours: &["dnssec"], forbidden: ASYNC },
    Rule { name: "storage", ours: &["dnssec"], forbidden: ASYNC },
    Rule { name: "appliance-config", ours: &["dnssec"], forbidden: IMPURE },
    Rule {
        name: "actors",
        ours: &[
            "dnssec",
            "audit",
            "audit-host",
            "hsm",
            "storage",
            "appliance-config",
            "console-protocol",
        ],
        forbidden: NOTHING,
    },
    Rule { name: "console-protocol", ours: NOTHING, forbidden: ASYNC },
    Rule { name: "console", ours: &["console-protocol"], forbidden: AROUND_THE_SOCKET },
    Rule { name: "image", ours: &["appliance-config"], forbidden: AROUND_THE_SOCKET },
    Rule { name: "init", ours: NOTHING, forbidden: AROUND_THE_SOCKET },
    Rule { name: "anchorite", ours: EVERYTHING, forbidden: NOTHING },
    Rule { name: "anchorite-tests", ours: EVERYTHING, forbidden: NOTHING },
    Rule { name: "fault-module", ours: NOTHING, forbidden: ASYNC },
    Rule { name: "anchorite-benches", ours: EVERYTHING, forbidden: NOTHING },
    Rule { name: "xtask", ours: NOTHING, forbidden: ASYNC },
];

/// What the auditor and the signer's side may have in common (STYLE H10): nothing that computes.
const SHARED_WITH_AUDITOR: &[&str] = &["serde", "thiserror"];
const SIGNER_SIDE: &[&str] = &["dnssec", "hsm"];

/// Checks every package of ours.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let ours: Vec<&Package> = packages.iter().filter(|p| p.source.is_none()).collect();
    let names: Vec<&str> = ours.iter().map(|p| p.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &ours {
        let Some(rule) = RULES.iter().find(|rule| rule.name == package.name) else {
            let message = format!("crate {} has no row in the table of STYLE H2", package.name);
            findings.push(Finding::error("xtask/src/tidy/dependencies.rs", 0, message));
            continue;
        };
        findings.extend(check_package(package, rule, &names));
    }
    findings.extend(check_auditor(&ours));
    findings
}

fn check_package(package: &Package, rule: &Rule, ours: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let is_ours = ours.contains(&name);
        let may_use = rule.ours == EVERYTHING || rule.ours.contains(&name);
        // A test may read a file or a clock that the crate itself may not.
        let forbidden = rule.forbidden.contains(&name) && !dependency.for_tests_only;
        if (is_ours && !may_use) || forbidden {
            let message = format!("crate {} must not depend on {name} (STYLE H2)", package.name);
            findings.push(Finding::error("Cargo.toml", 0, message));
        }
    }
    findings
}

fn check_auditor(ours: &[&Package]) -> Vec<Finding> {
    let direct = |package: &Package| -> Vec<String> {
        let normal = package.dependencies.iter().filter(|d| !d.for_tests_only);
        normal.map(|d| d.name.clone()).collect()
    };
    let Some(audit) = ours.iter().find(|p| p.name == "audit") else { return Vec::new() };
    let signers = ours.iter().filter(|p| SIGNER_SIDE.contains(&p.name.as_str()));
    let used_by_signer: Vec<String> = signers.flat_map(|p| direct(p)).collect();
    direct(audit)
        .into_iter()
        .filter(|d| used_by_signer.contains(d) && !SHARED_WITH_AUDITOR.contains(&d.as_str()))
        .map(|d| {
            let message = format!("audit and the signer both use {d}; the auditor is a stranger");
            Finding::error("audit/Cargo.toml", 0, format!("{message} (STYLE H10)"))
        })
        .collect()
}
