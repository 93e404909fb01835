//! `cargo xtask setup`: the Debian packages that the tests need. In: the table below. Out:
//! installed packages. Does nothing when every needed program is there, so it costs milliseconds on
//! the second run. Starts no service: a policy-rc.d that refuses is in place while packages are
//! configured. Limits: Debian and its descendants with apt-get; root, or sudo without a question.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::workspace::{self, Outcome, find_program};

/// What shows that a package is there.
enum Proof {
    Program(&'static str),
    File(&'static str),
}
use Proof::{File, Program};

/// Every foreign tool and file that tests use, and the Debian 12 package that holds it.
const NEEDS: &[(Proof, &str)] = &[
    (Program("dnssec-signzone"), "bind9-utils"),
    (Program("dnssec-verify"), "bind9-utils"),
    (Program("named-compilezone"), "bind9-utils"),
    (Program("named"), "bind9"),
    (Program("delv"), "bind9-dnsutils"),
    (Program("ldns-verify-zone"), "ldnsutils"),
    (Program("kzonecheck"), "knot-dnssecutils"),
    (Program("knotd"), "knot"),
    (Program("kdig"), "knot-dnsutils"),
    (Program("nsd"), "nsd"),
    (Program("pdns_server"), "pdns-server"),
    (File(PDNS_BIND_BACKEND), "pdns-backend-bind"),
    (Program("validns"), "validns"),
    (Program("unbound"), "unbound"),
    (Program("unbound-host"), "unbound-host"),
    (Program("softhsm2-util"), "softhsm2"),
    (Program("zsh"), "zsh"),
    (Program("fish"), "fish"),
    (Program("mandoc"), "mandoc"),
    (File("/usr/lib/softhsm/libsofthsm2.so"), "libsofthsm2"),
    (File(SOFTOKEN), "libnss3"),
    (Program("xmllint"), "libxml2-utils"),
    (Program("rsvg-convert"), "librsvg2-bin"),
    (File("/usr/lib/python3/dist-packages/icalendar/__init__.py"), "python3-icalendar"),
    (File("/usr/share/opendnssec/kasp.rng"), "opendnssec-common"),
    (Program("ods-kaspcheck"), "opendnssec-enforcer-sqlite3"),
    (Program("ods-signerd"), "opendnssec-signer"),
    (Program("ods-hsmutil"), "libhsm-bin"),
    (Program("openssl"), "openssl"),
    (Program("ssh"), "openssh-client"),
    (Program("cpio"), "cpio"),
    (File("/usr/sbin/nagios4"), "nagios4-core"),
    (File("/usr/lib/nagios/plugins/check_by_ssh"), "monitoring-plugins-basic"),
];

/// NSS's softoken, the second PKCS#11 module that tests use.
const SOFTOKEN: &str = match cfg!(target_arch = "aarch64") {
    true => "/usr/lib/aarch64-linux-gnu/libsoftokn3.so",
    false => "/usr/lib/x86_64-linux-gnu/libsoftokn3.so",
};

/// PowerDNS's reader of zone files, without which its server has no zones.
const PDNS_BIND_BACKEND: &str = match cfg!(target_arch = "aarch64") {
    true => "/usr/lib/aarch64-linux-gnu/pdns/libbindbackend.so",
    false => "/usr/lib/x86_64-linux-gnu/pdns/libbindbackend.so",
};

const POLICY_FILE: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing.
pub(crate) fn run() -> Outcome {
    let missing = missing_packages();
    if missing.is_empty() {
        println!("setup: everything is there");
        return Ok(());
    }
    println!("setup: missing {}", missing.join(" "));
    if find_program("apt-get").is_none() {
        return Err(format!(
            "this is no Debian system (no apt-get); install what these Debian packages hold: {}",
            missing.join(" ")
        ));
    }
    let root = is_root();
    if !root && !sudo_works() {
        return Err(format!(
            "not root, and sudo is not there or asks for a password; run as root:\n  \
             apt-get update && apt-get install --no-install-recommends {}",
            missing.join(" ")
        ));
    }
    let created_policy = refuse_service_starts(root)?;
    let installed = install(root, &missing);
    if created_policy {
        privileged(root, "rm").args(["-f", POLICY_FILE]).status().ok();
    }
    installed?;
    let still_missing = missing_packages();
    if still_missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "apt-get succeeded, yet these packages do not hold what the tests look for: {}",
        still_missing.join(" ")
    ))
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<&str> = NEEDS
        .iter()
        .filter(|(proof, _)| match proof {
            Program(name) => find_program(name).is_none(),
            File(path) => !Path::new(path).exists(),
        })
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    missing
}

/// Tries with the package lists that are there; on failure fetches them and tries once more, since
/// a bare machine has none and an old one points at package versions that are gone.
fn install(root: bool, packages: &[&str]) -> Outcome {
    if workspace::run(&mut install_command(root, packages)).is_ok() {
        return Ok(());
    }
    println!("setup: fetching the package lists");
    workspace::run(privileged(root, "apt-get").args(["update", "-q"]))
        .map_err(|e| format!("{e}: is the network there, and /etc/apt/sources.list right?"))?;
    workspace::run(&mut install_command(root, packages))
        .map_err(|e| format!("{e}: the lines above name the package that cannot be had"))
}

/// The command that installs these packages.
pub(crate) fn install_command(root: bool, packages: &[&str]) -> Command {
    let mut command = privileged(root, "apt-get");
    command.args(["install", "-q", "-y", "--no-install-recommends"]);
    // An edited configuration file of an operator stays as it is, without a question.
    command.args(["-o", "Dpkg::Options::=--force-confold"]);
    command.args(packages);
    command
}

/// A program run as root, without questions.
pub(crate) fn privileged(root: bool, program: &str) -> Command {
    let mut command = Command::new(if root { "env" } else { "sudo" });
    if !root {
        command.args(["-n", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", program]);
    command
}

/// Puts a policy-rc.d in place that refuses every start (Debian Policy 9.3.3.1). Returns whether
/// the file is ours to remove; one that exists already is left alone, whatever it says.
fn refuse_service_starts(root: bool) -> Outcome<bool> {
    if Path::new(POLICY_FILE).exists() {
        return Ok(false);
    }
    let ours = std::env::temp_dir().join(format!("policy-rc.d.{}", std::process::id()));
    let made = fs::write(&ours, "#!/bin/sh\nexit 101\n")
        .and_then(|()| fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)))
        .map_err(|e| format!("cannot write {}: {e}", ours.display()));
    let placed = made.and_then(|()| {
        workspace::run(privileged(root, "install").args(["-m", "755"]).arg(&ours).arg(POLICY_FILE))
    });
    fs::remove_file(&ours).ok();
    placed.map(|()| true)
}

/// Whether this program runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn sudo_works() -> bool {
    Command::new("sudo").args(["-n", "true"]).output().is_ok_and(|o| o.status.success())
}
