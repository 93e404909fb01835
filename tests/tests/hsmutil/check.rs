//! `anchorite hsm test` on tokens that are well, and on tokens that are not.

use crate::bench::{Bench, Result};
use anchorite_tests::fault_module::{FaultyToken, module, with_tokens};
use anchorite_tests::program::anchorite;
use std::process::{Command, Stdio};

#[test]
fn softhsm_passes_and_keeps_its_keys() {
    let bench = Bench::new();
    let kept = [bench.generate("first ecdsa 256"), bench.generate("second rsa 2048")];
    let report = bench.anchorite("hsm test -c conf.xml", "");
    assert_eq!(report.code, Some(0), "{}", report.output);
    assert_eq!(report.output.matches("\n15 OK, 0 FAIL, 1 SKIPPED\n").count(), 2, "{report:?}");
    for name in ["RSA 4096: generate", "Ed25519: generate", "two processes at once", "login anew"] {
        assert_eq!(report.output.matches(&format!("\nOK       {name}")).count(), 2, "{name}");
    }
    let mut left: Vec<_> = bench.keys().into_iter().map(|[_, id, _]| id).collect();
    left.sort();
    let mut kept = kept.to_vec();
    kept.sort();
    assert_eq!(left, kept);
}

#[test]
fn wrong_words_and_tokens_that_do_not_open() {
    let bench = Bench::new();
    let unknown = bench.anchorite("hsm test -c conf.xml -r nope", "");
    assert!(unknown.errors.contains("Can't find repository: nope"), "{unknown:?}");
    assert_eq!(unknown.code, Some(1));
    assert_eq!(bench.anchorite("hsm test -c /nonexistent", "").code, Some(1));
    assert_eq!(bench.anchorite("hsm test --bogus", "").code, Some(2));
    assert_eq!(bench.anchorite("hsm", "").code, Some(2));
    bench.write_variant("pin.xml", "<PIN>1234<", "<PIN>9999<");
    let report = bench.anchorite("hsm test -c pin.xml -r first", "");
    assert!(report.output.contains("FAIL     login"), "{report:?}");
    assert!(report.output.contains("that means: nothing can be signed"), "{report:?}");
    assert_eq!(report.code, Some(1));
}

/// Two keys with one id, as a careless restore leaves them.
#[test]
fn ids_that_are_there_twice_are_named() {
    let bench = Bench::new();
    let key = bench.path("key.pem");
    let openssl = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-out", key.to_str().unwrap()])
        .stderr(Stdio::null())
        .status();
    assert!(openssl.expect("openssl can be run: run cargo xtask setup").success());
    for label in ["one", "two"] {
        let status = bench
            .command("softhsm2-util")
            .args(["--import", key.to_str().unwrap(), "--token", "Second", "--label", label])
            .args(["--id", "C0FFEE", "--force", "--pin", "1234"])
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
    }
    let report = bench.anchorite("hsm test -c conf.xml -r second", "");
    let line = "FAIL     no two keys share a CKA_ID";
    let line = report.output.lines().find(|one| one.starts_with(line));
    assert!(line.is_some_and(|line| line.ends_with(": c0ffee")), "{report:?}");
    assert_eq!(report.code, Some(1));
}

fn report(token: &FaultyToken, words: &str) -> Result {
    let conf = token.path("conf.xml");
    let text = format!(
        "<Configuration><RepositoryList><Repository name=\"r\"><Module>{}</Module>\
         <TokenLabel>T</TokenLabel><PIN>1234</PIN></Repository></RepositoryList><Common>\
         <PolicyFile>/k</PolicyFile><ZoneListFile>/z</ZoneListFile></Common><Enforcer>\
         <Datastore><SQLite>/d</SQLite></Datastore></Enforcer></Configuration>",
        module().display()
    );
    std::fs::write(&conf, text).unwrap();
    let mut command = Command::new(anchorite());
    command.args(["hsm", "test", "-c", conf.to_str().unwrap()]).args(words.split_whitespace());
    Result::of(&command.stdin(Stdio::null()).output().unwrap())
}

#[track_caller]
fn check_fails(report: &Result, check: &str, meaning: &str) {
    let mut lines = report.output.lines();
    let line = lines.find(|line| line.starts_with("FAIL") && line.contains(check));
    assert!(line.is_some(), "{check}: {report:?}");
    let means = lines.next().unwrap();
    assert!(means.starts_with("         that means: ") && means.contains(meaning), "{means}");
    assert_eq!(report.code, Some(1));
}

#[test]
fn wrong_signatures_fail() {
    with_tokens("check::wrong_signatures_fail", &["T"], |token| {
        token.rules("C_Sign always flip");
        let report = report(token, "");
        check_fails(&report, "ECDSA P-256", "do not use this kind of key");
        check_fails(&report, "RSA 2048", "do not use this kind of key");
        assert!(report.output.contains("SKIPPED  several sessions at once"), "{report:?}");
        token.rules("");
        assert_eq!(token.object_count(), 0, "what failed was cleaned up");
    });
}

#[test]
fn what_a_token_has_not_got_is_skipped() {
    with_tokens("check::what_a_token_has_not_got_is_skipped", &["T"], |token| {
        token.rules("C_GenerateKeyPair 1..2 return CKR_MECHANISM_INVALID");
        let report = report(token, "");
        assert!(report.output.contains("SKIPPED  ECDSA P-256: generate"), "{report:?}");
        assert!(report.output.contains("OK       RSA 2048: generate"), "{report:?}");
        assert_eq!(report.code, Some(0), "{report:?}");
    });
}

#[test]
fn keys_that_stay_are_named() {
    with_tokens("check::keys_that_stay_are_named", &["T"], |token| {
        token.rules("C_DestroyObject always claim");
        let report = report(token, "");
        check_fails(&report, "everything removed", "keys of this test are left");
        assert!(report.output.contains("is still there after it was destroyed"), "{report:?}");
        check_fails(&report, "ECDSA P-256", "do not use this kind of key");
    });
}

#[test]
fn a_wrong_pin_is_offered_once_and_only_when_that_is_allowed() {
    let name = "check::a_wrong_pin_is_offered_once_and_only_when_that_is_allowed";
    with_tokens(name, &["T"], |token| {
        token.rules(&token.pin_tries(3));
        let plain = report(token, "");
        assert!(plain.output.contains("SKIPPED  a wrong PIN is refused"), "{plain:?}");
        let (wrong, offered) = token.pins();
        assert_eq!(wrong, 0);
        let destructive = report(token, "--destructive");
        assert!(
            destructive.output.contains("\nOK       a wrong PIN is refused"),
            "{destructive:?}"
        );
        let (wrong, now) = token.pins();
        assert_eq!(wrong, 0, "the right one came last");
        assert!(now > offered);
    });
}
