//! Words as they are typed become words of the table; what is wrong is said as 1.4 says it.

use super::*;
use proptest::prelude::*;
use std::io::Cursor;

fn words(typed: &str) -> Vec<String> {
    typed.split_ascii_whitespace().map(str::to_owned).collect()
}

fn taken(typed: &str) -> Result<Vec<String>, String> {
    read(&words(typed), Path::new("/srv/op")).map(|line| line.words)
}

#[track_caller]
fn check(typed: &str, expected: &str) {
    assert_eq!(taken(typed).unwrap().join(" "), expected);
}

/// What a command line does while no daemon runs: standard output, standard error, exit code, and
/// what a daemon would have been started with.
fn run(typed: &str) -> (String, String, u8, Option<Vec<String>>) {
    let (mut stdin, mut stdout, mut stderr) = (Cursor::new(Vec::new()), Vec::new(), Vec::new());
    let mut started = None;
    let mut start = |options: &[String]| {
        started = Some(options.to_vec());
        true
    };
    let socket_of = |config: Option<&Path>| match config {
        Some(path) if path.ends_with("none.xml") => Err("cannot read none.xml".to_owned()),
        _ => Ok("/nonexistent/enforcer.sock".to_owned()),
    };
    let around = Surroundings { folder: Path::new("/srv/op"), socket_of: &socket_of };
    let mut terminal = Terminal {
        stdin: &mut stdin,
        is_interactive: false,
        stdout: &mut stdout,
        stderr: &mut stderr,
        start: &mut start,
    };
    let code = main("ods-ksmutil", &words(typed), &around, &mut terminal);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), code, started)
}

#[test]
fn options_stand_anywhere_and_get_their_long_names() {
    check("key list -v -z example.com", "key list --verbose --zone=example.com");
    check("-v key -z x list", "key list --verbose --zone=x");
    check("KEY LIST --keyst ACTIVE -tKSK", "key list --keystate=ACTIVE --keytype=KSK");
    check("key list --zone=Example.COM.", "key list --zone=Example.COM.");
    check("key ds-seen -z x -x 17 -lf", "key ds-seen --zone=x --keytag=17 --no-notify --no-retire");
    check("-c /c.xml update KASP", "update kasp");
}

#[test]
fn paths_are_relative_to_the_callers_folder() {
    check("zone add -z x -i in/x -o /out", "zone add --zone=x --input=/srv/op/in/x --output=/out");
    check("zone add -s x.xml", "zone add --signerconf=/srv/op/x.xml");
    check("database backup -o copy", "database backup --output=/srv/op/copy");
}

#[test]
fn options_that_there_are_not_are_named_with_the_usage() {
    assert_eq!(taken("key list -?"), Err("invalid option -- '?'".to_owned()));
    assert_eq!(taken("key list --zone"), Err("option '--zone' requires an argument".to_owned()));
    assert!(taken("setup -5").unwrap_err().contains("<RFC5011/>"));
    let (stdout, stderr, code, _) = run("key list --zones x");
    assert_eq!((stdout.as_str(), code), ("", 1));
    assert!(stderr.starts_with("ods-ksmutil: unrecognized option '--zones'\nusage: "), "{stderr}");
}

#[test]
fn usage_help_and_version_need_no_daemon() {
    let (stdout, stderr, code, _) = run("");
    assert_eq!((stdout.as_str(), code), ("", 1));
    let head = "usage: ods-ksmutil [-c <config> | --config <config>] command [options]\n\n  \
                help\n  --version                                      aka -V\n  setup\n";
    assert!(stderr.starts_with(head), "{stderr}");
    assert!(!stderr.contains("revoke"), "{stderr}");
    let (stdout, long, code, _) = run("--help");
    assert_eq!((stdout.as_str(), code), ("", 0));
    assert!(long.starts_with(&stderr) && long.contains("YYYYMMDD[HH[MM[SS]]]"), "{long}");
    assert_eq!(run("help"), (stderr, String::new(), 0, None));
    let (stdout, stderr, code, _) = run("-V key list");
    assert_eq!((stderr.as_str(), code), ("", 0));
    assert!(stdout.starts_with("opendnssec version "), "{stdout}");
    let (stdout, _, code, _) = run("help key ksk-revoke");
    assert!(code == 0 && stdout.starts_with("key ksk-revoke --zone <zone>"), "{stdout}");
    for typed in ["help zone", "zone help"] {
        let (stdout, _, code, _) = run(typed);
        assert!(code == 0 && stdout.contains("  zone add\n\t--zone <zone>"), "{typed}: {stdout}");
        assert!(!stdout.contains("zonelist export"), "{typed}: {stdout}");
    }
}

#[test]
fn commands_that_there_are_not_are_said_on_standard_output() {
    for (typed, expected) in [
        ("frob", "Unknown command: frob\n"),
        ("key frob", "Unknown command: key frob\n"),
        ("key", "Unknown command: key NULL\n"),
        ("backup -r x", "Unknown command: backup NULL\n"),
        ("update everything", "Unknown command: update everything\n"),
    ] {
        let (stdout, stderr, code, _) = run(typed);
        assert_eq!((stdout.as_str(), code), (expected, 255), "{typed}");
        assert!(stderr.starts_with("usage: ods-ksmutil "), "{typed}: {stderr}");
    }
}

#[test]
fn options_that_a_command_does_not_know_are_refused() {
    for (typed, complaint) in [
        ("zone list -z x", "zone list: unrecognized option '--zone=x'\n"),
        ("key list --ds", "key list: unrecognized option '--ds'\n"),
        ("key purge x", "key purge: too many arguments\n"),
    ] {
        let (stdout, stderr, code, _) = run(typed);
        assert_eq!((stdout.as_str(), code), ("", 1), "{typed}");
        assert!(stderr.starts_with(complaint), "{typed}: {stderr}");
    }
}

#[test]
fn without_a_daemon_only_start_does_anything() {
    let (stdout, stderr, code, started) = run("-c conf.xml start");
    assert_eq!((stdout.as_str(), stderr.as_str(), code), ("Starting enforcer...\n", "", 0));
    assert_eq!(started.unwrap(), ["--config", "/srv/op/conf.xml"]);
    for (typed, hint) in [
        ("setup", "instead of setup, run"),
        ("key list", "start it with"),
        ("stop", "does not run"),
        ("notify", "start it with"),
    ] {
        let (stdout, stderr, code, started) = run(typed);
        assert_eq!((stdout.as_str(), code, started), ("", 201, None), "{typed}");
        assert!(stderr.starts_with("Unable to connect to engine.") && stderr.contains(hint));
    }
    let (_, stderr, code, _) = run("-c none.xml key list");
    assert_eq!((stderr.as_str(), code), ("ods-ksmutil: cannot read none.xml\n", 1));
}

#[test]
fn every_command_is_reached_by_its_words_in_any_case() {
    for command in table::of(Family::Ksmutil) {
        let words = taken(&command.path.to_uppercase()).unwrap();
        let found = table::find(FrontEnd::Ksmutil, &words);
        assert_eq!(found.map(|(found, _)| found.path), Some(command.path));
        for parameter in command.options() {
            let known = OPTIONS.iter().find(|known| known.short == parameter.short);
            let known = known.unwrap_or_else(|| panic!("{} -{}", command.path, parameter.short));
            let is_same = known.long == parameter.long;
            assert!(is_same && known.takes_value == parameter.value.is_some(), "{}", command.path);
        }
    }
}

proptest! {
    #[test]
    fn no_words_panic(words in proptest::collection::vec("(-{0,2}[a-zA-Z=]{0,8}|\\PC{0,8})", 0..6)) {
        if let Ok(line) = read(&words, Path::new("/")) {
            let _ = parse(FrontEnd::Ksmutil, &line.words);
        }
    }
}
