//! OpenDNSSEC's signer as a peer: `ods-signerd` of Debian with SoftHSM. In: a subject, a folder.
//! Out: a command that starts the daemon in the foreground; it signs the zone, and would go on.
//!
//! It is given what the enforcer would give it: `zones.xml` in the enforcer's folder (that, not
//! zonelist.xml, is what 2.1 reads) and a signconf with one ECDSA P-256 KSK and ZSK. Its pid file,
//! its socket and its port are compiled in, so it runs in a mount and a network namespace of its
//! own, with an empty `/run`; without root, in a user namespace too. The token and its keys are
//! made once, outside of what is measured; what it remembers of an earlier run is removed.
//! OpenSSL makes the keys, since `softhsm2-keyconv` of Debian 12 cannot read ECDSA keys of BIND.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::subjects::{Denial, Subject};
use crate::setup::is_root;
use crate::workspace::{Outcome, find_program, show};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const TOKEN: &str = "bench";
const PIN: &str = "1234";
/// CKA_ID of the KSK and of the ZSK, in hexadecimal.
const KEY_IDS: [&str; 2] = ["00000000000000000000000000000001", "00000000000000000000000000000002"];

/// Makes the namespaces' `/run`, and becomes the daemon: $1 is the program, $2 its conf.xml.
const SCRIPT: &str = "mount -t tmpfs tmpfs /run
mkdir /run/opendnssec
exec \"$1\" --no-daemon --config \"$2\"";

/// The daemon, with nothing signed yet, to write `output` for `subject`.
pub(super) fn daemon(subject: &Subject, own: &Path, output: &Path) -> Outcome<Command> {
    let program = find_program("ods-signerd").ok_or("ods-signerd is missing: cargo xtask setup")?;
    let settings = own.join("softhsm2.conf");
    make_token(own, &settings)?;
    for folder in ["signer", "enforcer"] {
        let folder = own.join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {folder:?}: {e}"))?;
        }
        fs::create_dir(&folder).map_err(|e| format!("cannot make {folder:?}: {e}"))?;
    }
    write(&own.join("conf.xml"), &conf(own))?;
    write(&own.join("signconf.xml"), &signconf(subject))?;
    write(&own.join("enforcer/zones.xml"), &zones(subject, own, output))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.arg("env").arg(format!("SOFTHSM2_CONF={}", settings.display()));
    command.args(["sh", "-eu", "-c", SCRIPT, "sh"]).arg(program).arg(own.join("conf.xml"));
    Ok(command)
}

fn write(file: &Path, text: &str) -> Outcome {
    fs::write(file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))
}

/// A SoftHSM token with two keys, unless it is there.
fn make_token(own: &Path, settings: &Path) -> Outcome {
    let tokens = own.join("tokens");
    if tokens.exists() {
        return Ok(());
    }
    // A token that is half made is not taken for one that is whole.
    let unfinished = own.join("tokens.new");
    fs::create_dir_all(&unfinished).map_err(|e| format!("cannot make {unfinished:?}: {e}"))?;
    let place = |folder: &Path| {
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", folder.display());
        write(settings, &text)
    };
    place(&unfinished)?;
    let token = |arguments: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        command.args(arguments).env("SOFTHSM2_CONF", settings);
        command
    };
    finish(token(&["--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", PIN]))?;
    for id in KEY_IDS {
        let key: PathBuf = own.join("key.pem");
        let mut openssl = Command::new("openssl");
        openssl.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.arg("-out").arg(&key);
        finish(openssl)?;
        let mut import =
            token(&["--token", TOKEN, "--pin", PIN, "--label", id, "--id", id, "--import"]);
        import.arg(&key);
        finish(import)?;
    }
    fs::rename(&unfinished, &tokens).map_err(|e| format!("cannot make {tokens:?}: {e}"))?;
    place(&tokens)
}

/// Runs a command that says something only when it fails.
fn finish(mut command: Command) -> Outcome {
    let output = command.output().map_err(|e| format!("cannot start {}: {e}", show(&command)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} failed: {}", show(&command), text.trim()))
}

fn conf(own: &Path) -> String {
    let own = own.display();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "<Configuration>\n\
         <RepositoryList><Repository name=\"SoftHSM\"><Module>{MODULE}</Module>\
         <TokenLabel>{TOKEN}</TokenLabel><PIN>{PIN}</PIN></Repository></RepositoryList>\n\
         <Common><Logging><Syslog><Facility>local0</Facility></Syslog></Logging>\
         <PolicyFile>{own}/kasp.xml</PolicyFile><ZoneListFile>{own}/zonelist.xml</ZoneListFile>\
         </Common>\n\
         <Enforcer><Datastore><SQLite>{own}/kasp.db</SQLite></Datastore>\
         <WorkingDirectory>{own}/enforcer</WorkingDirectory></Enforcer>\n\
         <Signer><WorkingDirectory>{own}/signer</WorkingDirectory>\
         <WorkerThreads>{threads}</WorkerThreads><SignerThreads>{threads}</SignerThreads>\
         </Signer>\n</Configuration>\n"
    )
}

/// The zone's name without the final dot, but for the root.
fn zone_name(origin: &str) -> &str {
    origin.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(".")
}

fn zones(subject: &Subject, own: &Path, output: &Path) -> String {
    format!(
        "<ZoneList>\n<Zone name=\"{}\"><Policy>bench</Policy>\
         <SignerConfiguration>{}/signconf.xml</SignerConfiguration><Adapters>\
         <Input><Adapter type=\"File\">{}</Adapter></Input>\
         <Output><Adapter type=\"File\">{}</Adapter></Output></Adapters></Zone>\n</ZoneList>\n",
        zone_name(subject.origin),
        own.display(),
        subject.file.display(),
        output.display()
    )
}

fn signconf(subject: &Subject) -> String {
    let hash = "<Hash><Algorithm>1</Algorithm><Iterations>0</Iterations><Salt>-</Salt></Hash>";
    let denial = match subject.denial {
        Denial::Nsec => "<NSEC/>".to_owned(),
        Denial::Nsec3 => format!("<NSEC3>{hash}</NSEC3>"),
        Denial::OptOut => format!("<NSEC3><OptOut/>{hash}</NSEC3>"),
    };
    let key = |flags: u16, id: &str, role: &str| {
        format!(
            "<Key><Flags>{flags}</Flags><Algorithm>13</Algorithm><Locator>{id}</Locator>\
             <{role}/><Publish/></Key>"
        )
    };
    let [ksk, zsk] = KEY_IDS;
    format!(
        "<SignerConfiguration><Zone name=\"{}\">\n\
         <Signatures><Resign>PT2H</Resign><Refresh>P3D</Refresh><Validity><Default>P14D</Default>\
         <Denial>P14D</Denial></Validity><Jitter>PT12H</Jitter>\
         <InceptionOffset>PT1H</InceptionOffset></Signatures>\n<Denial>{denial}</Denial>\n\
         <Keys><TTL>PT1H</TTL>{}{}</Keys>\n\
         <SOA><TTL>PT1H</TTL><Minimum>PT1H</Minimum><Serial>keep</Serial></SOA>\n\
         </Zone></SignerConfiguration>\n",
        zone_name(subject.origin),
        key(257, ksk, "KSK"),
        key(256, zsk, "ZSK"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_root_keeps_its_dot() {
        assert_eq!(zone_name("corp.example."), "corp.example");
        assert_eq!(zone_name("."), ".");
    }
}
