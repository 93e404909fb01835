//! Bad input to `anchorite sign` and `anchorite run`: each gets a message that a tired operator
//! can act on and exit code 1, and the signed file of before keeps its bytes and its time.

use anchorite_tests::daemon::{Daemon, Installation, Untouched, small_zone};
use anchorite_tests::program::anchorite;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder where one zone was signed well.
struct Place {
    folder: tempfile::TempDir,
    signed: Untouched,
}

const ZONE: &str = "example.net";

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("zone"), small_zone(ZONE, 1, "www IN A 192.0.2.2"))
            .unwrap();
        let output = sign(folder.path(), &["zone"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let signed = Untouched::look(&folder.path().join("zone.signed"));
        Place { folder, signed }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Signs with these arguments: refused, with a message that has all `fragments`, and the old
    /// output stands.
    #[track_caller]
    fn check_refused(&self, arguments: &[&str], fragments: &[&str]) {
        let output = sign(self.folder.path(), arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(output.stdout.is_empty(), "nothing is told as done: {output:?}");
        // The last line is what the operator reads first.
        let last = text.lines().rfind(|line| line.starts_with("anchorite: "));
        let message =
            &text[text.rfind(last.unwrap_or_else(|| panic!("no message: {text}"))).unwrap()..];
        for fragment in fragments {
            assert!(message.contains(fragment), "{fragment} is not in: {message}");
        }
        self.signed.check();
    }
}

fn sign(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(anchorite());
    command.arg("sign").args(arguments).current_dir(folder);
    command
}

/// A zone file that is wrong from its fourth line on, in the place of a good one.
#[track_caller]
fn check_zone_refused(zone: &str, fragments: &[&str]) {
    let place = Place::new();
    place.write("zone", zone);
    place.check_refused(&["zone", "--origin", ZONE], fragments);
    // What was read wrongly is not remembered: the next good file is signed.
    place.write("zone", small_zone(ZONE, 2, "www IN A 192.0.2.3"));
    let output = sign(place.folder.path(), &["zone"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let signed = std::fs::read_to_string(place.path("zone.signed")).unwrap();
    assert!(signed.contains("192.0.2.3"));
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    std::fs::remove_file(place.path("zone")).unwrap();
    place.check_refused(&["zone"], &["zone file zone does not exist", "check the path"]);
    place.check_refused(&["zone", "--origin", ZONE], &["zone file zone does not exist"]);
    place.check_refused(&["."], &[". is not a regular file"]);
}

#[test]
fn a_syntax_error_has_line_and_column() {
    check_zone_refused(
        &small_zone(ZONE, 2, "www IN A 192.0.2\nmail IN A 192.0.2.3"),
        &["zone:6:10: ", "A: expected an IPv4 address, found `192.0.2`"],
    );
    check_zone_refused(&small_zone(ZONE, 2, "www IN TXT \"open"), &["zone:6:12: "]);
    check_zone_refused(&small_zone(ZONE, 2, "www IN MX ( 10"), &["zone:6:11: ", "parenthes"]);
}

#[test]
fn an_included_file_that_is_wrong_is_named_with_its_own_line() {
    let place = Place::new();
    place.write("zone", small_zone(ZONE, 2, "$INCLUDE more"));
    place.check_refused(&["zone"], &["zone:6", "$INCLUDE", "more", "does not exist"]);
    place.write("more", "www IN A 192.0.2.2\nmail IN A wrong\n");
    place.check_refused(&["zone"], &["more:2:11: ", "`wrong`"]);
    place.write("more", "$INCLUDE more\n");
    place.check_refused(&["zone"], &["$INCLUDE", "deep"]);
}

#[test]
fn a_zone_has_exactly_one_soa() {
    let good = small_zone(ZONE, 2, "");
    let without: String =
        good.lines().filter(|line| !line.contains("SOA")).map(|line| format!("{line}\n")).collect();
    check_zone_refused(&without, &["zone: ", "zone example.net. has no SOA record"]);
    let place = Place::new();
    place.write("zone", &without);
    place.check_refused(&["zone"], &["zone: no SOA record was found", "--origin"]);

    let two = small_zone(ZONE, 2, "@ IN SOA ns2 hostmaster 3 3600 600 86400 60");
    check_zone_refused(
        &two,
        &["zone: ", "zone example.net. has more than one SOA record", "line "],
    );
}

#[test]
fn a_cname_stands_alone() {
    let clash = "www IN CNAME ns1\nmail IN A 192.0.2.4\nwww IN A 192.0.2.2";
    check_zone_refused(
        &small_zone(ZONE, 2, clash),
        &["zone: line ", "www.example.net. has a CNAME and other data", "must stand alone"],
    );
}

#[test]
fn a_zone_of_another_name_is_not_signed_as_this_one() {
    let place = Place::new();
    let fragments = ["zone example.org. has no SOA record", "example.net."];
    place
        .check_refused(&["zone", "--origin", "example.org", "--output", "zone.signed"], &fragments);
    place.check_refused(&["zone", "--origin", "a..b"], &["a..b is not a zone name"]);
}

#[test]
fn an_empty_or_binary_file_is_refused() {
    check_zone_refused("", &["zone: ", "no SOA record"]);
    let place = Place::new();
    place.write("zone", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0");
    place.check_refused(&["zone"], &["zone: no SOA record was found; is this a zone file?"]);
    place.check_refused(&["zone", "--origin", ZONE], &["zone:1:"]);
}

#[test]
fn an_output_folder_that_cannot_be_used_is_named() {
    let place = Place::new();
    place.check_refused(
        &["zone", "--output", "missing/zone.signed"],
        &["missing/zone.signed: its folder does not exist, create it first"],
    );
    place.check_refused(&["zone", "--output", "zone/below"], &["zone/below: ", "Not a directory"]);
    place.check_refused(&["zone", "--output", "."], &[".: is a directory, a file was expected"]);
    place.check_refused(&["zone", "--state", "zone/below"], &["cannot make folder zone/below"]);
    // What failed is done as soon as it is possible, with nothing signed again.
    std::fs::create_dir(place.path("missing")).unwrap();
    let again = sign(place.folder.path(), &["zone", "--output", "missing/zone.signed"]);
    assert_stands(&place.signed, &place.path("missing/zone.signed"), again);
}

/// `command` writes `output` with the very records of before.
#[track_caller]
fn assert_stands(before: &Untouched, output: &Path, mut command: Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    before.check();
    assert_eq!(std::fs::read(output).unwrap(), before.bytes());
}

/// Runs a script as root in a mount namespace of its own.
#[track_caller]
fn with_own_mounts(folder: &Path, script: &str) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-eu", "-c", script]).current_dir(folder);
    command.env("ANCHORITE", anchorite());
    let output = command.output().expect("unshare belongs to util-linux, which is always there");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the test mounts a file system of its own in a private mount namespace; run it as root, \
         in a container with CAP_SYS_ADMIN. The script said:\n{text}"
    );
    output
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let place = Place::new();
    let records: String = (0..3000).map(|host| format!("h{host} IN A 192.0.2.7\n")).collect();
    place.write("zone", small_zone(ZONE, 2, &records));
    std::fs::create_dir(place.path("full")).unwrap();
    let script = "mount -t tmpfs -o size=256k tmpfs full
        cp -p zone.signed full/zone.signed
        stat -c %.Y full/zone.signed > before
        \"$ANCHORITE\" sign zone --output full/zone.signed 2> message && exit 9 || test $? = 1
        stat -c %.Y full/zone.signed > after
        cp full/zone.signed kept
        ls -A full > listing";
    with_own_mounts(place.folder.path(), script);
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    let message = read("message");
    let expected =
        "full/zone.signed: disk full while writing; the old file is untouched, free some";
    assert!(message.lines().last().unwrap().contains(expected), "{message}");
    assert_eq!(read("before"), read("after"));
    assert_eq!(read("kept").as_bytes(), place.signed.bytes());
    assert_eq!(read("listing"), "zone.signed\n", "no temporary file stays on the full disk");
    place.signed.check();
}

#[test]
fn a_state_folder_on_a_full_disk_is_named_and_nothing_is_published() {
    let place = Place::new();
    std::fs::create_dir(place.path("full")).unwrap();
    let script = "mount -t tmpfs -o size=16k tmpfs full
        \"$ANCHORITE\" sign zone --state full/state 2> message && exit 9 || test $? = 1";
    with_own_mounts(place.folder.path(), script);
    let message = std::fs::read_to_string(place.path("message")).unwrap();
    let message = message.lines().last().unwrap();
    assert!(
        message.contains("full/state") && message.contains("disk full; free some space"),
        "{message}"
    );
    place.signed.check();
}

#[test]
fn a_read_only_output_folder_is_named() {
    let place = Place::new();
    place.write("zone", small_zone(ZONE, 2, ""));
    std::fs::create_dir(place.path("read-only")).unwrap();
    let script = "mount -t tmpfs -o size=256k tmpfs read-only
        cp -p zone.signed read-only/zone.signed
        mount -o remount,ro read-only
        \"$ANCHORITE\" sign zone --output read-only/zone.signed 2> message && exit 9 || test $? = 1
        cp read-only/zone.signed kept";
    with_own_mounts(place.folder.path(), script);
    let message = std::fs::read_to_string(place.path("message")).unwrap();
    let message = message.lines().last().unwrap();
    assert!(
        message.contains("read-only/zone.signed: ") && message.contains("Read-only"),
        "{message}"
    );
    assert_eq!(std::fs::read(place.path("kept")).unwrap(), place.signed.bytes());
}

#[test]
fn a_file_that_grows_while_it_is_read_is_refused() {
    let place = Place::new();
    let records: String = (0..20_000).map(|host| format!("h{host} IN A 192.0.2.7\n")).collect();
    place.write("zone", small_zone(ZONE, 2, &records) + "more IN");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (path, stop) = (place.path("zone"), &stop);
        scope.spawn(move || {
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            // At no moment is the file's last line whole, so whoever signs it has seen a file
            // that never was.
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b" A 192.0.2.8\nmore IN").unwrap();
            }
        });
        place.check_refused(&["zone", "--origin", ZONE], &["zone"]);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_policy_that_is_not_there_is_named_with_those_that_are() {
    let place = Place::new();
    let kasp = anchorite_tests::judges::repository_file("examples/default/kasp.xml");
    let kasp = kasp.to_str().unwrap();
    place.check_refused(
        &["zone", "--kasp", kasp, "--policy", "gold"],
        &["kasp.xml has no policy gold; it has: default"],
    );
    place.check_refused(&["zone", "--kasp", "none.xml"], &["cannot read none.xml", "No such file"]);
    place.check_refused(
        &["zone", "--algorithm", "ROT13"],
        &["ROT13 is no algorithm to sign with", "ECDSAP256SHA256 (13)"],
    );
    place.check_refused(
        &["zone", "--state", "other", "--algorithm", "5", "--denial", "nsec"],
        &["RFC 9905", "choose algorithm 13"],
    );
}

#[test]
fn broken_xml_has_line_column_and_a_caret() {
    let place = Place::new();
    place.write(
        "kasp.xml",
        "<KASP>\n  <Policy name=\"default\">\n    <Signatures><Resign>PT2H</Resin>\n",
    );
    place.check_refused(&["zone", "--kasp", "kasp.xml"], &["kasp.xml:3:", "Resin", "^"]);
    place.write("kasp.xml", "<!DOCTYPE KASP [<!ENTITY a \"b\">]>\n<KASP/>\n");
    place.check_refused(&["zone", "--kasp", "kasp.xml"], &["kasp.xml:1:1", "DOCTYPE"]);
    place.write("kasp.xml", b"\xff\xfe<KASP/>");
    place.check_refused(&["zone", "--kasp", "kasp.xml"], &["kasp.xml:1:"]);
}

#[test]
fn a_million_nested_elements_are_refused_at_once() {
    let place = Place::new();
    place.write("kasp.xml", "<a>".repeat(1_000_000));
    place.check_refused(&["zone", "--kasp", "kasp.xml"], &["kasp.xml:1:", "deep"]);
    let installation = installation();
    for file in ["conf.xml", "kasp.xml", "zonelist.xml"] {
        let before = installation.read(file);
        installation.write(file, &"<a>".repeat(1_000_000));
        let lines = installation.start_fails();
        assert!(lines.contains(&format!("{file}:1:")) && lines.contains("deep"), "{lines}");
        installation.write(file, &before);
    }
}

/// A configuration with one zone, signed once.
fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.2");
    installation
}

fn signed_once(installation: &Installation) -> Untouched {
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] example.net "]);
    daemon.stop();
    Untouched::look(&installation.signed(ZONE))
}

#[test]
fn a_daemon_with_a_broken_configuration_does_not_start() {
    let installation = installation();
    let signed = signed_once(&installation);
    let check = |file: &str, from: &str, to: &str, fragments: &[&str]| {
        let before = installation.read(file);
        installation.edit(file, from, to);
        let lines = installation.start_fails();
        for fragment in fragments {
            assert!(lines.contains(fragment), "{fragment} is not in: {lines}");
        }
        assert!(!lines.contains("signer started"), "{lines}");
        signed.check();
        installation.write(file, &before);
    };
    check("conf.xml", "</Signer>", "</Singer>", &["conf.xml:", "Singer", "^"]);
    check("kasp.xml", "<Resign>PT2H<", "<Resign>2 hours<", &["kasp.xml:", "2 hours", "Resign"]);
    check(
        "zonelist.xml",
        "<Policy>default<",
        "<Policy>gold<",
        &["zonelist.xml", "zone example.net has the policy gold", "it has: default"],
    );
    check(
        "kasp.xml",
        "<Repository>built-in<",
        "<Repository>vault<",
        &["policy default has a key in the repository vault", "it has: built-in"],
    );
    check(
        "conf.xml",
        "/zonelist.xml<",
        "/none.xml<",
        &["cannot read ", "/none.xml", "No such file"],
    );
    let mut command = Command::new(anchorite());
    command.args(["run", "-c", "/nonexistent/conf.xml"]);
    let (status, lines) = Daemon::spawn(command).ended();
    assert_eq!(status.code(), Some(1));
    assert!(lines.contains("cannot read /nonexistent/conf.xml: No such file"), "{lines}");
}

#[test]
fn a_second_output_gets_the_version_that_stands_in_the_first() {
    let place = Place::new();
    place.write("other", "what stood here before\n");
    let again = sign(place.folder.path(), &["zone", "--output", "other"]);
    assert_stands(&place.signed, &place.path("other"), again);
}

#[test]
fn bad_zones_do_not_keep_the_others_from_being_signed() {
    let installation = Installation::new("default");
    let bad = [
        ("missing.example", "", "missing.example does not exist; check the path"),
        ("syntax.example", "x IN A 1", "syntax.example:6:8: A: expected an IPv4 address"),
        ("cname.example", "ns1 IN CNAME x", "ns1.cname.example. has a CNAME and other data"),
        ("output.example", "", "output.example: is a directory, a file was expected"),
    ];
    let mut zones = vec![(ZONE, "default"), ("example.org", "default")];
    for (zone, records, _) in bad {
        zones.push((zone, "default"));
        installation.write_small_zone(zone, 1, records);
    }
    installation.write_zonelist(&zones);
    std::fs::remove_file(installation.unsigned("missing.example")).unwrap();
    std::fs::create_dir(installation.signed("output.example")).unwrap();
    installation.write_small_zone(ZONE, 1, "");
    installation.write_small_zone("example.org", 1, "");
    let mut daemon = installation.start();
    let failures: Vec<(String, &str)> = bad
        .iter()
        .map(|(zone, _, message)| (format!("CRITICAL: failed to sign zone {zone}: "), *message))
        .collect();
    let failures: Vec<[&str; 2]> =
        failures.iter().map(|(zone, message)| [zone.as_str(), *message]).collect();
    let mut wanted: Vec<&[&str]> = failures.iter().map(|line| line.as_slice()).collect();
    wanted.extend([&["[STATS] example.net "][..], &["[STATS] example.org "]]);
    daemon.wait_for_all(&wanted);
    daemon.stop();
    for zone in [ZONE, "example.org"] {
        anchorite_tests::judges::dnssec_verify(&installation.signed(zone), zone).unwrap();
    }
}

#[test]
fn a_wrong_pin_is_tried_once_and_the_signed_zone_stays() {
    let installation = installation();
    let signed = signed_once(&installation);
    installation.edit("conf.xml", "<PIN>1234</PIN>", "<PIN>4321</PIN>");
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.3");
    let mut daemon = installation.start();
    daemon.wait_for(&["[hsm] opening hsm failed: ", "repository built-in", "Incorrect PIN"]);
    daemon.wait_for(&["CRITICAL: failed to sign zone example.net", "Incorrect PIN"]);
    for _ in 0..3 {
        daemon.reload();
        daemon.wait_for(&["CRITICAL: failed to sign zone example.net", "Incorrect PIN"]);
    }
    let lines = daemon.stop();
    // Asked for again and again, but offered to the token only once.
    assert_eq!(lines.matches("opening hsm failed").count(), 1, "{lines}");
    signed.check();
}

#[test]
fn a_token_folder_that_is_gone_is_named_and_no_new_token_is_made() {
    let installation = installation();
    let signed = signed_once(&installation);
    let tokens = installation.path("tokens/built-in");
    assert!(tokens.is_dir());
    std::fs::rename(&tokens, installation.path("tokens/elsewhere")).unwrap();
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.3");
    let mut daemon = installation.start();
    daemon.wait_for(&["opening hsm failed", "repository built-in", "holds no built-in token"]);
    daemon.wait_for(&["CRITICAL: failed to sign zone example.net", "correct the path"]);
    daemon.stop();
    signed.check();
    assert!(!tokens.exists(), "no new token is made in place of one that has keys");
    std::fs::rename(installation.path("tokens/elsewhere"), &tokens).unwrap();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] example.net "]);
    daemon.stop();
}

/// Each of `<Limits>` stops a zone that goes beyond it, and the message says which, and how much;
/// a zone that just fits is signed.
#[test]
fn a_zone_beyond_a_limit_is_refused_with_the_limit_named() {
    let installation = installation();
    // It grows fifty-fold, which the input breaker would hold.
    installation.let_zones_grow();
    let signed = signed_once(&installation);
    let addresses: String = (0..200).map(|host| format!("www IN A 192.0.2.{host}\n")).collect();
    installation.write_small_zone(ZONE, 2, &addresses);
    let conf = installation.read("conf.xml");
    let start = |limit: &str| {
        installation.write("conf.xml", &conf);
        installation.edit("conf.xml", "<Signer>", &format!("<Signer><Limits>{limit}</Limits>"));
        installation.start()
    };
    // SOA, NS and the name server's address are three more.
    for (limit, message) in [
        ("<Records>202</Records>", "its limit of 202 records"),
        ("<Bytes>4096</Bytes>", "its limit of 4096 bytes"),
        ("<RecordsPerRRset>199</RecordsPerRRset>", "the limit of 199 records per name and type"),
    ] {
        let mut daemon = start(limit);
        daemon.wait_for(&["unable to read zone example.net: ", message, "the last good input"]);
        daemon.stop();
        signed.check();
    }
    let fits = "<Records>203</Records><RecordsPerRRset>200</RecordsPerRRset>";
    let mut daemon = start(fits);
    daemon.wait_for(&["[STATS] example.net "]);
    daemon.stop();
    assert!(std::fs::read_to_string(installation.signed(ZONE)).unwrap().contains("192.0.2.199"));
}
