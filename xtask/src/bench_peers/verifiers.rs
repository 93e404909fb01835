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
            name: "audit-zone",
            is_ours: true,
            note: "and compares with the unsigned zone",
            once_when_large: false,
        },
        audit_zone,
    ),
    (peer("dnssec-verify", false), bind),
    (peer("kzonecheck", false), knot),
    (peer("ldns-verify-zone", true), ldns),
];

const fn peer(name: &'static str, once_when_large: bool) -> Tool {
    Tool { name, is_ours: false, note: "", once_when_large }
}

fn audit_zone(subject: &Subject) -> Command {
    let mut command = Command::new(release_binary("audit-zone"));
    command.arg(subject.signed_by("cold-sign")).arg(&subject.file);
    command.args([subject.origin, subject.denial.word()]);
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
    let mut command = audit_zone(subject);
    let output = command.output().map_err(|e| format!("cannot start audit-zone: {e}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", show(&command), text.trim()));
    }
    super::pace::read_number(&String::from_utf8_lossy(&output.stdout), "audit")
}
