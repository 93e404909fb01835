//! `cargo xtask bench-peers`: the same zones signed by anchorite and by the peers of Debian 12, one
//! after the other on the same machine, so that the ratios mean something. In: made zones and the
//! root zone of `tests/zones`. Out: a table with wall time, user time and peak memory (medians of 3
//! runs) and the ratio to the fastest and leanest peer. All sign with one ECDSA P-256 KSK and ZSK.
//! The peers' keys are made beforehand; anchorite starts from an empty state folder each time, so
//! making its two keys (under a millisecond) is included. Limits: cold signing only; file to file;
//! anchorite's audit is included (the peers do not audit).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::{Cost, measure, median};
use crate::workspace::{self, Outcome, cargo};
use crate::zonegen;
use crate::zonegen_command::to_file;

/// How much to compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The root zone and two zones of 100,000 names, each signed three times.
    Full,
    /// One zone of 10,000 delegations, signed once.
    Quick,
}

/// One zone to sign.
struct Subject {
    name: &'static str,
    origin: &'static str,
    file: PathBuf,
}

/// How a peer is told to sign; gets the zone, the folder with its keys, and the file to write.
type Signer = fn(&Subject, &Path, &Path) -> Outcome<Command>;

const SIGNERS: &[(&str, Signer)] = &[
    ("anchorite", anchorite),
    ("dnssec-signzone", bind),
    ("ldns-signzone", ldns),
    ("kzonesign", knot),
];

/// Compares and prints.
pub(crate) fn run(extent: Extent) -> Outcome {
    workspace::run(cargo().args(["build", "--release", "--bin", "anchorite"]))?;
    let folder = workspace::root().join("target/bench-peers");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {folder:?}: {e}"))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {folder:?}: {e}"))?;
    let runs = if extent == Extent::Full { 3 } else { 1 };
    for subject in subjects(extent, &folder)? {
        println!("{}", subject.name);
        let mut results: Vec<(&str, Cost)> = Vec::new();
        for (name, signer) in SIGNERS {
            match sign(&subject, name, *signer, &folder, runs) {
                Ok(cost) => results.push((name, cost)),
                Err(message) => println!("  {name:<16} not measured: {message}"),
            }
        }
        print_table(&results);
    }
    Ok(())
}

fn subjects(extent: Extent, folder: &Path) -> Outcome<Vec<Subject>> {
    let made = |name, origin, file: &str| Subject { name, origin, file: folder.join(file) };
    let fail = |e: std::io::Error| format!("cannot write a zone: {e}");
    if extent == Extent::Quick {
        let small = made("10,000 delegations", "bench.", "tld.zone");
        to_file(&small.file, |f| zonegen::tld(10_000, "bench.", zonegen::SEED, f)).map_err(fail)?;
        return Ok(vec![small]);
    }
    let root = made("root zone of 2020", ".", "root.zone");
    let tld = made("100,000 delegations", "bench.", "tld.zone");
    let mixed = made("100,000 mixed records", "corp.example.", "mixed.zone");
    let packed = workspace::root().join("tests/zones/root-2020.zone.gz");
    let unpacked = File::create(&root.file).map_err(fail)?;
    workspace::run(Command::new("gzip").args(["-dc"]).arg(packed).stdout(unpacked))?;
    to_file(&tld.file, |f| zonegen::tld(100_000, tld.origin, zonegen::SEED, f)).map_err(fail)?;
    to_file(&mixed.file, |f| zonegen::enterprise(100_000, mixed.origin, zonegen::SEED, f))
        .map_err(fail)?;
    Ok(vec![root, tld, mixed])
}

fn sign(
    subject: &Subject,
    name: &str,
    signer: Signer,
    folder: &Path,
    runs: usize,
) -> Outcome<Cost> {
    let stem = subject.file.file_stem().unwrap_or_default().to_string_lossy();
    let own = folder.join(format!("{name}-{stem}"));
    fs::create_dir_all(&own).map_err(|e| format!("cannot make {}: {e}", own.display()))?;
    let output = own.join("signed.zone");
    let mut costs = Vec::new();
    for _ in 0..runs {
        // A peer that finds its own output would keep the signatures in it.
        fs::remove_file(&output).ok();
        let command = signer(subject, &own, &output)?;
        costs.push(measure(&command)?);
    }
    let written = fs::read_dir(&own).map_err(|e| format!("cannot read {}: {e}", own.display()))?;
    let sizes = written.filter_map(|entry| entry.ok()?.metadata().ok());
    let input = fs::metadata(&subject.file).map_or(0, |metadata| metadata.len());
    if !sizes.map(|metadata| metadata.len()).any(|size| size > input) {
        return Err("left no file that is larger than its input".to_owned());
    }
    median(costs).ok_or_else(|| "no run".to_owned())
}

fn anchorite(subject: &Subject, own: &Path, output: &Path) -> Outcome<Command> {
    let mut command = Command::new(workspace::root().join("target/release/anchorite"));
    let state = own.join("state");
    if state.exists() {
        fs::remove_dir_all(&state).map_err(|e| format!("cannot empty {}: {e}", state.display()))?;
    }
    command.arg("sign").arg(&subject.file).args(["--origin", subject.origin]);
    command.arg("--output").arg(output).arg("--state").arg(state);
    Ok(command)
}

/// Makes a KSK and a ZSK with `program` in `own`, unless they are there; returns the names without
/// ending.
fn keys(
    program: &str,
    ksk: &[&str],
    zsk: &[&str],
    origin: &str,
    own: &Path,
) -> Outcome<Vec<String>> {
    let list = own.join("keys.txt");
    if let Ok(text) = fs::read_to_string(&list) {
        return Ok(text.lines().map(str::to_owned).collect());
    }
    let mut names = Vec::new();
    for arguments in [ksk, zsk] {
        let mut command = Command::new(program);
        command.args(arguments).arg(origin).current_dir(own);
        let output = command.output().map_err(|e| format!("cannot start {program}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        names.push(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    fs::write(&list, names.join("\n")).map_err(|e| format!("cannot write {list:?}: {e}"))?;
    Ok(names)
}

fn bind(subject: &Subject, own: &Path, output: &Path) -> Outcome<Command> {
    const ZSK: &[&str] = &["-q", "-a", "ECDSAP256SHA256"];
    const KSK: &[&str] = &["-q", "-a", "ECDSAP256SHA256", "-f", "KSK"];
    keys("dnssec-keygen", KSK, ZSK, subject.origin, own)?;
    let mut command = Command::new("dnssec-signzone");
    // -P: without verifying its own output, which the other peers do not do either. -A: opt-out.
    command.args(["-q", "-P", "-S", "-3", "-", "-H", "0", "-A", "-o", subject.origin, "-K"]);
    command.arg(own).arg("-f").arg(output).arg(&subject.file).current_dir(own);
    Ok(command)
}

fn ldns(subject: &Subject, own: &Path, output: &Path) -> Outcome<Command> {
    const ZSK: &[&str] = &["-a", "ECDSAP256SHA256"];
    const KSK: &[&str] = &["-k", "-a", "ECDSAP256SHA256"];
    let names = keys("ldns-keygen", KSK, ZSK, subject.origin, own)?;
    let mut command = Command::new("ldns-signzone");
    command.args(["-n", "-p", "-t", "0", "-o", subject.origin, "-f"]).arg(output);
    command.arg(&subject.file).args(names).current_dir(own);
    Ok(command)
}

fn knot(subject: &Subject, own: &Path, _output: &Path) -> Outcome<Command> {
    let path = |name: &str| own.join(name).display().to_string();
    let configuration = [
        "database:".to_owned(),
        format!("  storage: \"{}\"", path("db")),
        "policy:".to_owned(),
        "  - id: bench".to_owned(),
        "    algorithm: ecdsap256sha256".to_owned(),
        "    nsec3: on".to_owned(),
        "    nsec3-opt-out: on".to_owned(),
        "    nsec3-salt-length: 0".to_owned(),
        "    nsec3-iterations: 0".to_owned(),
        "zone:".to_owned(),
        format!("  - domain: \"{}\"", subject.origin),
        format!("    file: \"{}\"", subject.file.display()),
        "    dnssec-signing: on".to_owned(),
        "    dnssec-policy: bench".to_owned(),
    ]
    .join("\n");
    fs::create_dir_all(path("db")).map_err(|e| format!("cannot make {}: {e}", path("db")))?;
    fs::write(path("knot.conf"), configuration + "\n").map_err(|e| format!("knot.conf: {e}"))?;
    let mut command = Command::new("kzonesign");
    command.args(["-c", &path("knot.conf"), "-o", &own.display().to_string(), subject.origin]);
    Ok(command)
}

fn print_table(results: &[(&str, Cost)]) {
    let peers = || results.iter().filter(|(name, _)| *name != "anchorite").map(|(_, cost)| cost);
    let fastest = peers().map(|cost| cost.wall_seconds).fold(f64::INFINITY, f64::min);
    let leanest = peers().map(|cost| cost.peak_bytes).min().unwrap_or(1) as f64;
    println!("  {:<16} {:>9} {:>9} {:>9}   to the best peer", "", "wall s", "user s", "peak MB");
    for (name, cost) in results {
        println!(
            "  {name:<16} {:>9.2} {:>9.2} {:>9.1}   time x {:.2}, memory x {:.2}",
            cost.wall_seconds,
            cost.user_seconds,
            cost.peak_bytes as f64 / 1e6,
            cost.wall_seconds / fastest,
            cost.peak_bytes as f64 / leanest,
        );
    }
}
