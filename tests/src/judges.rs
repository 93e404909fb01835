//! Foreign judges: programs of Debian packages that say whether a signed zone is right. In: a
//! signed zone file. Out: nothing, or what the judge said against it. `cargo xtask setup` installs
//! them; a judge that is missing is a panic, because a test that skips its judge proves nothing.
//! Never: the network. Look-ups are answered by libunbound from the signed file itself, validated
//! against our DS; no server, no port. Limits: a judge's own clock is the system's. validns
//! (Debian's build) loads no ECDSA key: RSA zones only.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use flate2::read::GzDecoder;

/// A judge does not accept the zone.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The judge's exit status or verdict is against the zone.
    #[error("{judge} rejects the zone: {output}")]
    Refused {
        /// The program, as it was called.
        judge: String,
        /// All that it printed.
        output: String,
    },
    /// A look-up did not give the expected answer.
    #[error("{name} {rr_type}: expected {expected:?}, unbound says: {output}")]
    Answer {
        /// Name asked for.
        name: String,
        /// Type asked for.
        rr_type: String,
        /// What should have come.
        expected: Expect,
        /// All that unbound-host printed.
        output: String,
    },
}

/// What a validating resolver that trusts our DS should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The record set exists and validates.
    Secure,
    /// The name does not exist, proven.
    NxDomainSecure,
    /// The name has no record of the type, proven.
    NoDataSecure,
    /// No proof is needed: below opt-out or an insecure delegation. Ask for its DS.
    Insecure,
}

/// BIND's `dnssec-verify`: every record signed, every signature good, chain complete.
pub fn dnssec_verify(zone_file: &Path, origin: &str) -> Result<(), Rejection> {
    accept(Command::new("dnssec-verify").args(["-q", "-o", origin]).arg(zone_file))
}

/// `dnssec-verify` for a zone of CSKs: keys with the SEP flag may sign everything.
pub fn dnssec_verify_csk(zone_file: &Path, origin: &str) -> Result<(), Rejection> {
    accept(Command::new("dnssec-verify").args(["-q", "-z", "-o", origin]).arg(zone_file))
}

/// `ldns-verify-zone`: as above, by NLnet Labs' library.
pub fn ldns_verify_zone(zone_file: &Path) -> Result<(), Rejection> {
    accept(Command::new("ldns-verify-zone").args(["-V", "2"]).arg(zone_file))
}

/// The same, so many seconds from now.
pub fn ldns_verify_zone_at(zone_file: &Path, seconds_later: u64) -> Result<(), Rejection> {
    let time = format!("+{seconds_later}");
    accept(Command::new("ldns-verify-zone").args(["-V", "2", "-t", &time]).arg(zone_file))
}

/// Knot's `kzonecheck` with its DNSSEC checks.
pub fn kzonecheck(zone_file: &Path, origin: &str) -> Result<(), Rejection> {
    accept(Command::new("kzonecheck").args(["--dnssec", "on", "--origin", origin]).arg(zone_file))
}

/// `validns` with all policy checks that do not depend on other zones. RSA keys only.
pub fn validns(zone_file: &Path, origin: &str) -> Result<(), Rejection> {
    let policies = ["-p", "cname-other-data", "-p", "dname", "-p", "nsec3param-not-apex"];
    accept(Command::new("validns").args(policies).args(["-z", origin]).arg(zone_file))
}

/// Every judge that takes any algorithm, one after the other.
pub fn all(zone_file: &Path, origin: &str) -> Result<(), Rejection> {
    dnssec_verify(zone_file, origin)?;
    kzonecheck(zone_file, origin)?;
    ldns_verify_zone(zone_file)
}

/// The records as BIND reads them: one canonical line for each, in BIND's order, without `$` lines.
/// Two files with the same records give the same text, whatever their form.
pub fn named_compilezone(zone_file: &Path, origin: &str) -> Result<String, Rejection> {
    let mut command = Command::new("named-compilezone");
    // `-i local`: without it BIND asks the network for the addresses of name servers elsewhere.
    command.args(["-i", "local", "-k", "ignore", "-n", "ignore", "-r", "ignore", "-q"]);
    command.args(["-s", "full", "-o", "-", origin]).arg(zone_file);
    let output = run(&mut command);
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks libunbound each question, answered from `zone_file` and validated with `ds` as the only
/// trust anchor (the record set in text form, one record a line). Names end with a dot.
pub fn resolve_secure(
    origin: &str,
    zone_file: &Path,
    ds: &str,
    questions: &[(&str, &str, Expect)],
) -> Result<(), Rejection> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let configuration = folder.path().join("unbound.conf");
    std::fs::write(&configuration, unbound_configuration(origin, zone_file, ds))
        .expect("a file in a fresh folder can be written");
    for (name, rr_type, expected) in questions {
        let mut command = Command::new("unbound-host");
        command.arg("-C").arg(&configuration).args(["-v", "-t", rr_type, name]);
        let output = all_output(&run(&mut command));
        let first = output.lines().next().unwrap_or_default();
        let as_expected = match expected {
            Expect::Secure => {
                first.ends_with("(secure)")
                    && !first.contains(": 3(NXDOMAIN)")
                    && !first.contains(" has no ")
            }
            Expect::NxDomainSecure => first.ends_with(": 3(NXDOMAIN). (secure)"),
            Expect::NoDataSecure => first.contains(" has no ") && first.ends_with("(secure)"),
            Expect::Insecure => first.ends_with("(insecure)"),
        };
        if !as_expected {
            return Err(Rejection::Answer {
                name: (*name).to_owned(),
                rr_type: (*rr_type).to_owned(),
                expected: *expected,
                output,
            });
        }
    }
    Ok(())
}

fn unbound_configuration(origin: &str, zone_file: &Path, ds: &str) -> String {
    let mut text = String::from("server:\n  module-config: \"validator iterator\"\n");
    text.push_str("  chroot: \"\"\n  username: \"\"\n");
    for record in ds.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = record.split_whitespace().collect();
        text.push_str(&format!("  trust-anchor: \"{}\"\n", words.join(" ")));
    }
    // The zone stands in for its authoritative servers, so its answers pass the validator; there is
    // no fallback, so nothing ever goes to the network.
    text.push_str(&format!("auth-zone:\n  name: \"{origin}\"\n"));
    text.push_str(&format!("  zonefile: \"{}\"\n", zone_file.display()));
    text.push_str("  for-upstream: yes\n  for-downstream: no\n  fallback-enabled: no\n");
    text
}

/// The root zone of 2020-10-19 (17,196 records), inflated.
pub fn root_zone_text() -> String {
    let packed = include_bytes!("../zones/root-2020.zone.gz");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("the file in git is whole");
    text
}

/// A file of `tests/zones` or below the repository's root.
pub fn repository_file(relative: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative)
}

fn accept(command: &mut Command) -> Result<(), Rejection> {
    let output = run(command);
    if output.status.success() { Ok(()) } else { Err(refused(command, &output)) }
}

/// Runs a tool; panics if it is not installed.
pub fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => {
            let program = command.get_program().to_string_lossy().into_owned();
            panic!("cannot start {program} ({error}): run cargo xtask setup")
        }
    }
}

fn refused(command: &Command, output: &Output) -> Rejection {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let judge: Vec<String> = words.map(OsStr::to_string_lossy).map(String::from).collect();
    let output = format!("{}\n{}", output.status, all_output(output));
    Rejection::Refused { judge: judge.join(" "), output }
}

fn all_output(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
