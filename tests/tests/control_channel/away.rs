//! No daemon runs: ours beside Debian's, byte for byte.

use crate::client::{ours, run, theirs};

const NOWHERE: &str = "/nonexistent/enforcer.sock";

#[track_caller]
fn check_same(name: &str, words: &[&str]) {
    let (ours, theirs) = (run(&mut ours(name), words, ""), run(&mut theirs(name), words, ""));
    assert_eq!(ours, theirs, "{name} {words:?}");
}

#[test]
fn commands_and_wrong_options_are_answered_as_debians_tools_do() {
    for name in ["ods-enforcer", "ods-signer"] {
        for words in [
            &["-s", NOWHERE][..],
            &["-s", NOWHERE, "running"],
            &["--socket", NOWHERE, "zone", "list"],
            &["--socket=/nonexistent/x", "zones"],
            &["--soc", NOWHERE, "stop"],
            &["-s/nonexistent/x", "help", "zone"],
            &["-s", NOWHERE, "bogus"],
            &["-s", NOWHERE, "zones", "-x"],
            &["-s", NOWHERE, "--", "running"],
            &["-s", "/etc/passwd", "running"],
            &["-x"],
            &["--bogus"],
            &["-s"],
            &["--socket"],
            &["-x", "-h"],
            &["--help=x"],
            &["-s", NOWHERE, "-x"],
            // A path that is a folder on the way.
            &["-s", "/etc/passwd/x", "running"],
        ] {
            check_same(name, words);
        }
    }
}

#[test]
fn usage_and_version_are_debians_but_for_the_version() {
    for name in ["ods-enforcer", "ods-signer"] {
        for words in [&["-h"][..], &["--help"], &["--he"], &["-h", "-x"]] {
            let (ours, theirs) =
                (run(&mut ours(name), words, ""), run(&mut theirs(name), words, ""));
            assert_eq!(ours.code, theirs.code, "{name} {words:?}");
            // Theirs goes on with a licence and where to report bugs.
            let (same, theirs_only) = theirs.stdout.split_once("\n\nBSD licensed").unwrap();
            assert!(theirs_only.contains("Version 2.1"), "{theirs_only}");
            let (begin, version) = ours.stdout.split_once("\n\nVersion ").unwrap();
            assert_eq!(begin, same, "{name} {words:?}");
            assert!(version.starts_with("2.1 (anchorite "), "{version}");
            assert!(ours.stderr.is_empty());
        }
        let version = run(&mut ours(name), &["-V"], "");
        assert_eq!(version.code, Some(0));
        assert!(version.stdout.starts_with("opendnssec version 2.1 ("), "{version:?}");
    }
}

#[test]
fn ods_control_has_its_usage() {
    check_same("ods-control", &[]);
    check_same("ods-control", &["bogus"]);
}

#[test]
fn ours_says_not_running_and_what_was_meant() {
    let anchorite = |words: &[&str]| {
        let mut all = vec!["-s", NOWHERE];
        all.extend(words);
        run(&mut ours("anchorite"), &all, "")
    };
    anchorite(&["running"]).ends("Engine not running.\n", "", 209);
    anchorite(&["signer", "running"]).ends("Engine not running.\n", "", 209);
    let hint = "Unknown command zone lits.\nDid you mean \"zone list\"?\n";
    anchorite(&["zone", "lits"]).ends("", hint, 2);
    let hint = "Unknown command chekc.\nDid you mean \"check\"?\n";
    anchorite(&["chekc"]).ends("", hint, 2);
    let hint = "Unknown command xyzzy.\n\"anchorite help\" lists the commands.\n";
    anchorite(&["xyzzy"]).ends("", hint, 2);
    let away = anchorite(&["zones"]);
    assert_eq!(away.code, Some(201));
    assert!(away.stderr.starts_with("Unable to connect to engine."), "{away:?}");
    let help = run(&mut ours("anchorite"), &["help"], "");
    assert!(help.code == Some(0) && help.stdout.contains("sign <zone> "), "{help:?}");
    let help = run(&mut ours("anchorite"), &["help", "zone", "list"], "");
    help.is(
        "Usage:\nzone list [--json]\n\n\n    List the zones: policy, state, serials, and what is \
         wrong with masters\n    and secondaries.\n",
    );
}
