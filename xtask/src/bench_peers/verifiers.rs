//! How each verifier is told to verify the zone that `cold-sign` wrote. In: a subject. Out: the
//! command; and the time of our audit alone, which the peers cannot be asked for.

use std::process::Command;

use super::subjects::Subject;
use super::{Tool, release_binary};
use crate::workspace::{Outcome, show};

/// Gets the zone that `cold-sign` signed.
pub(super) type Verifier = fn(&Subject) -> Command;

/// Ours and the peers, in the order in which they take turns.
pub(super) const ALL: &[(Tool, Verifier)] = &[
    (
        Tool {
            name: "anchorite audit",
            is_ours: true,
            note: "and compares with the unsigned zone",
            once_when_large: false,
        },
        own_audit,
    ),
    (peer("dnssec-verify", false), bind),
    (peer("kzonecheck", false), knot),
    (peer("ldns-verify-zone", true), ldns),
];

const fn peer(name: &'static str, once_when_large: bool) -> Tool {
    Tool { name, is_ours: false, note: "", once_when_large }
}

fn own_audit(subject: &Subject) -> Command {
    let mut command = Command::new(release_binary("anchorite"));
    command.args(["audit", "--json", "--zone", subject.origin, "--unsigned"]);
    command.arg(&subject.file).arg(subject.signed_by("cold-sign"));
    command
}

fn bind(subject: &Subject) -> Command {
    let mut command = Command::new("dnssec-verify");
    command.args(["-q", "-o", subject.origin]).arg(subject.signed_by("cold-sign"));
    command
}

fn knot(subject: &Subject) -> Command {
    let mut command = Command::new("kzonecheck");
    command.args(["-d", "on", "-o", subject.origin]).arg(subject.signed_by("cold-sign"));
    command
}

fn ldns(subject: &Subject) -> Command {
    let mut command = Command::new("ldns-verify-zone");
    command.arg(subject.signed_by("cold-sign"));
    command
}

/// Seconds of the audit alone, from records in memory to the verdict.
pub(super) fn audit_seconds(subject: &Subject) -> Outcome<f64> {
    let mut command = own_audit(subject);
    let output = command.output().map_err(|e| format!("cannot start anchorite audit: {e}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", show(&command), text.trim()));
    }
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{} printed no JSON: {error}", show(&command)))?;
    let seconds = |member: &str| verdict[member].as_f64();
    let audit = seconds("seconds").zip(seconds("seconds_reading"));
    let audit = audit.map(|(all, reading)| all - reading);
    audit.ok_or_else(|| format!("{} told no times", show(&command)))
}
