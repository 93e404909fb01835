//! How each signer is told to sign. In: a subject, the signer's folder, the file to write. Out: the
//! command, and how its end is known; keys of the peers are made on the way, once, outside of what
//! is measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::subjects::{Denial, Subject};
use super::{Tool, opendnssec, release_binary};
use crate::workspace::Outcome;

/// Gets the zone, the folder with the signer's keys, and the file to write.
type Prepare = fn(&Subject, &Path, &Path) -> Outcome<Command>;

/// How a signer is started, and when it has signed.
#[derive(Clone, Copy)]
pub(super) enum Signer {
    /// It ends when it has signed.
    Program(Prepare),
    /// It goes on; it has signed when the file to write is there, which comes by a rename.
    Daemon(Prepare),
}

/// Ours and the peers, in the order in which they take turns.
pub(super) const ALL: &[(Tool, Signer)] = &[
    (ours("cold-sign", "without audit, as the peers"), Signer::Program(cold_sign)),
    (ours("anchorite", "with the full audit"), Signer::Program(anchorite)),
    (peer("dnssec-signzone", false), Signer::Program(bind)),
    (peer("kzonesign", false), Signer::Program(knot)),
    (peer("ldns-signzone", true), Signer::Program(ldns)),
    (ods_signerd(), Signer::Daemon(opendnssec::daemon)),
];

const fn ours(name: &'static str, note: &'static str) -> Tool {
    Tool { name, is_ours: true, note, once_when_large: false }
}

const fn peer(name: &'static str, once_when_large: bool) -> Tool {
    Tool { name, is_ours: false, note: "", once_when_large }
}

const fn ods_signerd() -> Tool {
    Tool { name: "ods-signerd", is_ours: false, note: "with SoftHSM", once_when_large: true }
}

fn cold_sign(subject: &Subject, _own: &Path, output: &Path) -> Outcome<Command> {
    let mut command = Command::new(release_binary("cold-sign"));
    command.arg(&subject.file).args([subject.origin, subject.denial.word()]).arg(output);
    Ok(command)
}

fn anchorite(subject: &Subject, own: &Path, output: &Path) -> Outcome<Command> {
    let state = own.join("state");
    if state.exists() {
        fs::remove_dir_all(&state).map_err(|e| format!("cannot empty {}: {e}", state.display()))?;
    }
    let mut command = Command::new(release_binary("anchorite"));
    command.arg("sign").arg(&subject.file).args(["--origin", subject.origin]);
    command.args(["--denial", subject.denial.word(), "--output"]).arg(output);
    command.arg("--state").arg(state);
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
    command.args(["-q", "-P", "-S", "-o", subject.origin]);
    match subject.denial {
        Denial::Nsec => {}
        Denial::Nsec3 => _ = command.args(["-3", "-", "-H", "0"]),
        Denial::OptOut => _ = command.args(["-3", "-", "-H", "0", "-A"]),
    }
    command.arg("-K").arg(own).arg("-f").arg(output).arg(&subject.file).current_dir(own);
    Ok(command)
}

fn ldns(subject: &Subject, own: &Path, output: &Path) -> Outcome<Command> {
    const ZSK: &[&str] = &["-a", "ECDSAP256SHA256"];
    const KSK: &[&str] = &["-k", "-a", "ECDSAP256SHA256"];
    let names = keys("ldns-keygen", KSK, ZSK, subject.origin, own)?;
    let mut command = Command::new("ldns-signzone");
    match subject.denial {
        Denial::Nsec => {}
        Denial::Nsec3 => _ = command.args(["-n", "-t", "0"]),
        // Sets the flag; every delegation gets its NSEC3 all the same.
        Denial::OptOut => _ = command.args(["-n", "-t", "0", "-p"]),
    }
    command.args(["-o", subject.origin, "-f"]).arg(output);
    command.arg(&subject.file).args(names).current_dir(own);
    Ok(command)
}

fn knot(subject: &Subject, own: &Path, _output: &Path) -> Outcome<Command> {
    let path = |name: &str| own.join(name).display().to_string();
    let on = |is_on: bool| if is_on { "on" } else { "off" };
    let configuration = [
        "database:".to_owned(),
        format!("  storage: \"{}\"", path("db")),
        "policy:".to_owned(),
        "  - id: bench".to_owned(),
        "    algorithm: ecdsap256sha256".to_owned(),
        format!("    nsec3: {}", on(subject.denial != Denial::Nsec)),
        format!("    nsec3-opt-out: {}", on(subject.denial == Denial::OptOut)),
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
