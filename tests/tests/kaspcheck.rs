//! `anchorite` as `ods-kaspcheck` beside Debian's: the same lines on standard output, the same
//! exit status; details on standard error, in another form. What each check says is compared on
//! all fixtures by `appliance-config/tests/oracle.rs`; here it is the program: streams, status,
//! options, and the real machine behind it. Needs the packages that `cargo xtask setup` installs.

use anchorite_tests::program::anchorite;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../appliance-config/tests/fixtures");

fn run(command: &mut Command, arguments: &[String]) -> Output {
    let output = command.args(arguments).output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}; run cargo xtask setup"))
}

fn ours(arguments: &[String]) -> Output {
    run(Command::new(anchorite()).arg0("ods-kaspcheck"), arguments)
}

fn theirs(arguments: &[String]) -> Output {
    run(&mut Command::new("ods-kaspcheck"), arguments)
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

/// Same status and same lines in the same order; warnings of our own may stand among them.
#[track_caller]
fn check_same(arguments: &[String]) -> Output {
    let (ours, theirs) = (ours(arguments), theirs(arguments));
    let expected = lines(&theirs.stdout);
    let mut found = lines(&ours.stdout);
    found.retain(|line| !line.starts_with("WARNING: ") || expected.contains(line));
    assert_eq!(found, expected, "{arguments:?}");
    assert_eq!(ours.status.code(), theirs.status.code(), "{arguments:?}");
    ours
}

/// The arguments that check these three files; names without a folder are fixtures.
fn files(conf: &str, kasp: &str, zonelist: &str) -> Vec<String> {
    let path = |name: &str| match name.contains('/') {
        true => name.to_owned(),
        false => format!("{FIXTURES}/{name}.xml"),
    };
    ["-c", &path(conf), "-k", &path(kasp), "-z", &path(zonelist)].map(str::to_owned).into()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn good_files() {
    let output = check_same(&files("conf-good", "kasp-good", "zonelist-good"));
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn details_of_a_fault_go_to_standard_error() {
    let output = check_same(&files("conf-invalid-node", "kasp-good", "zonelist-good"));
    let details = String::from_utf8_lossy(&output.stderr);
    assert!(details.contains("conf-invalid-node.xml:13:"), "{details}");
    assert!(details.contains("unknown element <InvalidNode>"), "{details}");
}

#[test]
fn broken_files() {
    let mut broken = 0;
    for conf in [
        "conf-invalid-node",
        "conf-directory-missing",
        "conf-directory-is-file",
        "conf-directory-same",
        "conf-module-missing",
        "conf-no-user",
        "conf-same-name",
        "conf-same-token",
        "/nonexistent/conf.xml",
        "/etc",
    ] {
        broken += check_same(&files(conf, "kasp-good", "zonelist-good")).status.code().unwrap();
    }
    for kasp in ["kasp-invalid-node", "kasp-jitter-bad-text", "kasp-duplicate-policy", "/etc/none"]
    {
        broken += check_same(&files("conf-good", kasp, "zonelist-good")).status.code().unwrap();
    }
    for zonelist in ["zonelist-policy-missing", "/etc/none"] {
        broken += check_same(&files("conf-good", "kasp-good", zonelist)).status.code().unwrap();
    }
    assert!(broken >= 16, "only {broken} errors");
}

#[test]
fn options_are_read_alike() {
    check_same(&words("--conf=/none --kas /none --zone /none"));
    check_same(&words("-c/none extra -k /none -- -h"));
    let complaints =
        words("-x --bogus=1 --ve --verbose=1 -c /none --kasp /none --zonelist=/none -k");
    let output = check_same(&complaints);
    // The system's own complaints about the files are in another form.
    let expected = &lines(&theirs(&complaints).stderr)[..5];
    assert_eq!(expected[4], "ods-kaspcheck: option requires an argument -- 'k'");
    assert_eq!(&lines(&output.stderr), expected);
    let output = ours(&words("-v -c /none -k /none -z /none"));
    assert_eq!(lines(&output.stdout).last().unwrap(), "DEBUG: finished 3");
}

#[test]
fn help_and_version_end_the_program() {
    let output = ours(&words("-c /none -h --bogus"));
    assert_eq!(output.status.code(), theirs(&words("-c /none -h --bogus")).status.code());
    assert!(output.stdout.is_empty() && output.stderr.starts_with(b"usage: ods-kaspcheck"));
    let output = ours(&words("-c /none -V"));
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(b"opendnssec version "));
}

#[test]
fn anchorite_check_is_the_same() {
    let arguments = files("conf-invalid-node", "kasp-good", "zonelist-good");
    let check = run(Command::new(anchorite()).arg("check"), &arguments);
    let named = ours(&arguments);
    assert_eq!((check.status, &check.stdout), (named.status, &named.stdout));
    assert!(!check.stderr.is_empty());
    assert_eq!(check.stderr, named.stderr);
}

/// OpenDNSSEC has `ods-enforcer-db-setup` for it; our store is made at the first start.
#[test]
fn datastore_that_will_be_made_is_no_error() {
    let arguments = files("conf-datastore-missing", "kasp-good", "zonelist-good");
    assert!(Path::new("/usr/share/opendnssec").is_dir(), "run cargo xtask setup");
    assert_eq!(theirs(&arguments).status.code(), Some(1));
    assert_eq!(ours(&arguments).status.code(), Some(0));
}

/// OpenDNSSEC's status wraps: there, 256 errors look like success.
#[test]
fn many_errors_are_never_success() {
    let folder = tempfile::tempdir().unwrap();
    let zone = |number: usize| {
        format!(
            "<Zone name=\"z{number}.example\"><Policy>none</Policy>\
             <SignerConfiguration>s</SignerConfiguration><Adapters>\
             <Input><Adapter type=\"File\">i{number}</Adapter></Input>\
             <Output><Adapter type=\"File\">o{number}</Adapter></Output></Adapters></Zone>\n"
        )
    };
    let zones: String = (0..256).map(zone).collect();
    let path = folder.path().join("zonelist.xml");
    std::fs::write(&path, format!("<ZoneList>\n{zones}</ZoneList>\n")).unwrap();
    let arguments = files("conf-good", "kasp-good", path.to_str().unwrap());
    assert_eq!(theirs(&arguments).status.code(), Some(0));
    assert_eq!(ours(&arguments).status.code(), Some(255));
}
