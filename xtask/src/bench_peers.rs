//! `cargo xtask bench-peers`: the same zones signed and verified by anchorite and by the peers of
//! Debian 12, in turn on the same machine, so that the ratios mean something. In: made zones and
//! the root zone of `tests/zones`. Out: a table for each zone (medians of wall time, user time,
//! peak memory, size of the output, and the ratio to the fastest and leanest peer), then the
//! promises of `benches/promises.toml`, each kept or broken. A broken promise is an error.
//!
//! All sign with one ECDSA P-256 KSK and ZSK; OpenDNSSEC's, which is a daemon and can do nothing
//! without an HSM, through SoftHSM. The peers' keys are made beforehand; anchorite
//! starts from an empty state folder each time, so making its two keys is included. Anchorite is
//! shown twice: `cold-sign` is its stages without the audit, as the peers do not audit; `anchorite`
//! is the product, which always does. Limits: cold signing only, file to file; and transfers.

mod opendnssec;
mod pace;
mod promises;
mod signers;
mod subjects;
mod table;
mod transfers;
mod verifiers;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::measure::{Cost, measure, measure_until_written, median};
use crate::workspace::{self, Outcome, cargo};
use promises::{Measured, Promise};
use signers::Signer;
use subjects::{Denial, Size, Subject};
use table::Row;

/// Longest wait for a daemon's signed zone.
const DAEMON_WAIT: Duration = Duration::from_secs(15 * 60);

/// How much to compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Zones of 100,000 names and the root zone, once: about three minutes.
    Quick,
    /// The same, three times.
    Usual,
    /// And a million delegations, and the memory of five million.
    Full,
}

impl Extent {
    fn runs(self) -> usize {
        if self == Extent::Quick { 1 } else { 3 }
    }
}

/// What is run: a signer or a verifier.
struct Tool {
    name: &'static str,
    /// Of ours; the others are peers.
    is_ours: bool,
    /// What the table says of it, where it does something else than the others.
    note: &'static str,
    /// Slow and known not to be the best: once is enough for a large zone.
    once_when_large: bool,
}

/// Compares and prints; fails if a promise is broken.
pub(crate) fn run(extent: Extent) -> Outcome {
    let promises = promises::read(&workspace::root().join("benches/promises.toml"))?;
    let mut build = cargo();
    build.args(["build", "--release", "--bins", "-p", "anchorite", "-p", "anchorite-benches"]);
    workspace::run(&mut build)?;
    let folder = workspace::root().join("target/bench-peers");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {folder:?}: {e}"))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {folder:?}: {e}"))?;
    let mut measured = Vec::new();
    for subject in subjects::all(extent, &folder)? {
        println!("\n{}, runs: {}", subject.title(), extent.runs());
        sign_in_turn(&subject, extent, &mut measured)?;
        if subject.is_verified {
            println!("  verification of what cold-sign wrote");
            verify_in_turn(&subject, extent, &mut measured)?;
        }
        if subject.denial == Denial::OptOut {
            measured.extend(pace::changes(&subject)?);
        }
    }
    if extent == Extent::Full {
        measured.extend(transfers::transfers()?);
        measured.push(pace::bytes_per_record(&folder)?);
    }
    judge(&promises, &measured, extent)
}

/// Prints each promise with what was measured.
fn judge(promises: &[Promise], measured: &[Measured], extent: Extent) -> Outcome {
    println!("\npromises (benches/promises.toml)");
    let judgement = promises::judge(promises, measured, extent == Extent::Full);
    for line in &judgement.lines {
        println!("  {line}");
    }
    if judgement.broken.is_empty() {
        Ok(())
    } else {
        Err(format!("promises broken:\n  {}", judgement.broken.join("\n  ")))
    }
}

/// The path of a program of ours.
fn release_binary(name: &str) -> PathBuf {
    workspace::root().join("target/release").join(name)
}

/// Runs each tool once, then each once more, and so on; the medians, or why one failed.
fn in_turn(
    tools: &[&Tool],
    subject: &Subject,
    extent: Extent,
    mut once: impl FnMut(usize) -> Outcome<Cost>,
    mut after_each_round: impl FnMut() -> Outcome,
) -> Outcome<Vec<Outcome<Cost>>> {
    let mut costs: Vec<Outcome<Vec<Cost>>> = tools.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..extent.runs() {
        for (number, (tool, so_far)) in tools.iter().zip(&mut costs).enumerate() {
            let is_enough = tool.once_when_large && subject.size == Size::Large && round > 0;
            let Ok(known) = so_far else { continue };
            if is_enough {
                continue;
            }
            match once(number) {
                Ok(cost) => known.push(cost),
                Err(message) => *so_far = Err(message),
            }
        }
        after_each_round()?;
    }
    let middle = |costs: Vec<Cost>| median(costs).ok_or_else(|| "no run".to_owned());
    Ok(costs.into_iter().map(|costs| costs.and_then(middle)).collect())
}

fn sign_in_turn(subject: &Subject, extent: Extent, measured: &mut Vec<Measured>) -> Outcome {
    let tools: Vec<&Tool> = signers::ALL.iter().map(|(tool, _)| tool).collect();
    let mut signing_seconds = Vec::new();
    let once = |number: usize| sign_once(subject, tools[number], signers::ALL[number].1);
    let costs = in_turn(&tools, subject, extent, once, || {
        signing_seconds.push(pace::pure_signing_seconds(&subject.signed_by("cold-sign"))?);
        Ok(())
    })?;
    let row = |(tool, cost): (&&'static Tool, Outcome<Cost>)| Row {
        tool,
        output_bytes: subject.output_bytes(tool.name),
        note: subject.note(tool),
        cost,
    };
    let rows: Vec<Row> = tools.iter().zip(costs).map(row).collect();
    table::print(&rows);
    let signing = pace::median_of(signing_seconds);
    println!("  pure signing of as many signatures on all cores: {signing:.2} s");
    measured.extend(signing_ratios(subject, &rows, signing));
    Ok(())
}

fn sign_once(subject: &Subject, tool: &Tool, signer: Signer) -> Outcome<Cost> {
    let own = subject.folder_of(tool.name);
    fs::create_dir_all(&own).map_err(|e| format!("cannot make {}: {e}", own.display()))?;
    // A peer that finds its own output would keep the signatures in it.
    fs::remove_file(subject.signed_by(tool.name)).ok();
    let output = subject.signed_by(tool.name);
    let cost = match signer {
        Signer::Program(prepare) => measure(&prepare(subject, &own, &output)?)?,
        Signer::Daemon(prepare) => {
            measure_until_written(&prepare(subject, &own, &output)?, &output, DAEMON_WAIT)?
        }
    };
    if subject.output_bytes(tool.name) <= subject.input_bytes() {
        return Err("left no file that is larger than its input".to_owned());
    }
    Ok(cost)
}

/// What the promises speak of, for one zone.
fn signing_ratios(subject: &Subject, rows: &[Row], signing_seconds: f64) -> Vec<Measured> {
    let best = table::best_peer(rows);
    let mut ratios = Vec::new();
    let mut add = |what: &str, value: f64| {
        ratios.push(Measured { name: format!("{}-{what}", subject.name), value });
    };
    if let Some(cost) = table::cost_of(rows, "cold-sign") {
        add("sign-wall", cost.wall_seconds / best.wall_seconds);
        add("sign-peak", cost.peak_bytes as f64 / best.peak_bytes as f64);
        add("sign-pure", cost.wall_seconds / signing_seconds);
    }
    if let Some(cost) = table::cost_of(rows, "anchorite") {
        add("audited-wall", cost.wall_seconds / best.wall_seconds);
    }
    ratios
}

fn verify_in_turn(subject: &Subject, extent: Extent, measured: &mut Vec<Measured>) -> Outcome {
    let tools: Vec<&Tool> = verifiers::ALL.iter().map(|(tool, _)| tool).collect();
    let mut audit_seconds = Vec::new();
    let once = |number: usize| measure(&verifiers::ALL[number].1(subject));
    let costs = in_turn(&tools, subject, extent, once, || {
        audit_seconds.push(verifiers::audit_seconds(subject)?);
        Ok(())
    })?;
    let row = |(tool, cost): (&&'static Tool, Outcome<Cost>)| Row {
        tool,
        cost,
        output_bytes: 0,
        note: tool.note.to_owned(),
    };
    let rows: Vec<Row> = tools.iter().zip(costs).map(row).collect();
    table::print(&rows);
    let audit = pace::median_of(audit_seconds);
    let fastest = table::best_peer(&rows).wall_seconds;
    println!(
        "  the audit alone, without reading files: {audit:.2} s, time x {:.2}",
        audit / fastest
    );
    if let Some(cost) = table::cost_of(&rows, "anchorite audit") {
        let name = format!("{}-audit-wall", subject.name);
        measured.push(Measured { name, value: cost.wall_seconds / fastest });
    }
    Ok(())
}
