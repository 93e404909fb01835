//! `anchorite run` with keys in SoftHSM2, by `<Module>` as OpenDNSSEC's installations have it.

use anchorite_tests::daemon::{Installation, Untouched};
use anchorite_tests::judges::{dnssec_verify, ldns_verify_zone};
use std::path::{Path, PathBuf};
use std::process::Command;

const ZONE: &str = "a.example";
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// The example `tld-optout` or `opendnssec-1.1`, whose repository is the token OpenDNSSEC of
/// SoftHSM, with a token of its own.
fn with_token(example: &str, policy: &str) -> Installation {
    assert!(Path::new(MODULE).exists(), "SoftHSM2 is not installed: run cargo xtask setup");
    let mut installation = Installation::new(example);
    let configuration = installation.path("softhsm2.conf");
    let tokens = installation.path("softhsm");
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    installation.write("softhsm2.conf", &text);
    softhsm(&configuration, &["--init-token", "--free", "--label", "OpenDNSSEC"]);
    installation.set_environment("SOFTHSM2_CONF", configuration);
    // Whoever signs has to read the zone from a file here.
    installation.write_zonelist(&[(ZONE, policy)]);
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.2\nsub IN NS ns.elsewhere.example.");
    installation
}

fn softhsm(configuration: &PathBuf, arguments: &[&str]) {
    let mut command = Command::new("softhsm2-util");
    command.env("SOFTHSM2_CONF", configuration).args(arguments);
    command.args(["--so-pin", "5678", "--pin", "1234"]);
    let output = command.output().expect("softhsm2-util cannot be run: run cargo xtask setup");
    assert!(output.status.success(), "{output:?}");
}

/// Private keys in the token: files of SoftHSM's own store that hold one.
fn key_count(installation: &Installation) -> usize {
    let tokens = std::fs::read_dir(installation.path("softhsm")).unwrap();
    let in_token = |token: std::io::Result<std::fs::DirEntry>| {
        let objects = std::fs::read_dir(token.unwrap().path()).unwrap();
        let names = objects.map(|object| object.unwrap().file_name().into_string().unwrap());
        let own = |name: &String| name.ends_with(".object") && name != "token.object";
        let count = names.filter(own).count();
        // A pair is two objects, and one object is the canary of a token in use.
        assert!(count == 0 || count % 2 == 1, "{count} objects");
        count / 2
    };
    tokens.map(in_token).sum()
}

#[test]
fn keys_made_ahead_stop_at_the_capacity() {
    let installation = with_token("tld-optout", "tld");
    // Two in use, and ahead one KSK and five ZSKs: two are too many.
    installation.edit("conf.xml", ">PT0S</Automatic", ">P1Y</Automatic");
    installation.edit("conf.xml", "</PIN>", "</PIN><Capacity>6</Capacity>");
    let mut daemon = installation.start();
    daemon.wait_for_all(&[
        &["[STATS] a.example "],
        &["5", "keys needed for 1 zones covering 31536000 seconds, generating 5 keys"],
        &["Repository SoftHSM is full, cannot create more ZSKs for policy tld"],
    ]);
    assert_eq!(key_count(&installation), 6);
    daemon.stop();
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
}

#[test]
fn zones_are_signed_with_keys_in_softhsm_and_again_after_a_restart() {
    let installation = with_token("tld-optout", "tld");
    let mut daemon = installation.start();
    daemon.wait_for(&["[hsm] HSM opened successfully."]);
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();
    let signed = installation.signed(ZONE);
    dnssec_verify(&signed, ZONE).unwrap();
    ldns_verify_zone(&signed).unwrap();
    assert_eq!(key_count(&installation), 2);
    let before = std::fs::read_to_string(&signed).unwrap();

    let untouched = Untouched::look(&signed);
    let mut daemon = installation.start();
    daemon.wait_for(&["skip write zone a.example"]);
    untouched.check();
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.3\nsub IN NS ns.elsewhere.example.");
    daemon.reload();
    let stats = daemon.wait_for(&["[STATS] a.example "]);
    assert!(stats.contains("RRSIG[new=2 "), "SOA and www: {stats}");
    daemon.stop();
    dnssec_verify(&signed, ZONE).unwrap();
    assert_eq!(key_count(&installation), 2, "no key is made again");
    let dnskeys = |text: &str| {
        text.lines().filter(|line| line.contains("DNSKEY")).map(str::to_owned).collect::<Vec<_>>()
    };
    let after = std::fs::read_to_string(&signed).unwrap();
    assert_eq!(dnskeys(&before), dnskeys(&after));
}

#[test]
fn an_installation_of_opendnssec_1_1_runs_and_says_what_is_deprecated() {
    let installation = with_token("opendnssec-1.1", "default");
    let mut daemon = installation.start();
    // Its policy wants SHA-1 keys, which nobody makes any more without being told to.
    daemon.wait_for(&[
        "zone a.example has no keys yet",
        "RFC 9905",
        "choose algorithm 13",
        "<AllowDeprecatedAlgorithms/>",
    ]);
    daemon.stop();
    assert_eq!(key_count(&installation), 0);
    installation.edit("kasp.xml", "<Algorithm length=\"2048\">7<", "<Algorithm length=\"2048\">8<");
    installation.edit("kasp.xml", "<Algorithm length=\"1024\">7<", "<Algorithm length=\"2048\">8<");
    let mut daemon = installation.start();
    let stats = daemon.wait_for(&["[STATS] a.example "]);
    assert!(stats.contains("NSEC3[count="), "{stats}");
    daemon.stop();
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    assert_eq!(key_count(&installation), 2);
}

#[test]
fn ksk_and_zsk_may_live_in_different_repositories() {
    let installation = with_token("tld-optout", "tld");
    let built_in = format!(
        "<Repository name=\"built-in\"><BuiltIn/><TokenLabel>Second</TokenLabel><PIN>9876</PIN>\
         <Directory>{}</Directory></Repository></RepositoryList>",
        installation.path("tokens/second").display()
    );
    installation.edit("conf.xml", "</RepositoryList>", &built_in);
    let kasp = installation.read("kasp.xml");
    let (before, zsk) = kasp.split_once("<ZSK>").unwrap();
    let zsk = zsk.replacen("SoftHSM", "built-in", 1);
    installation.write("kasp.xml", &format!("{before}<ZSK>{zsk}"));
    for serial in 1..=2 {
        installation.write_small_zone(ZONE, serial, &format!("www IN A 192.0.2.{serial}"));
        let mut daemon = installation.start();
        daemon.wait_for(&["[STATS] a.example "]);
        daemon.stop();
        dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    }
    let own = std::fs::read_dir(installation.path("tokens/second")).unwrap();
    let own = own.filter(|file| {
        file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "key")
    });
    assert_eq!(own.count(), 1);
    assert_eq!(key_count(&installation), 1);

    // The one that has nothing to sign may be away, and the message says which it is.
    std::fs::rename(installation.path("softhsm"), installation.path("away")).unwrap();
    std::fs::create_dir(installation.path("softhsm")).unwrap();
    installation.write_small_zone(ZONE, 3, "");
    let mut daemon = installation.start();
    let why: &[&str] = &["opening hsm failed", "repository SoftHSM", "OpenDNSSEC"];
    daemon.wait_for_all(&[why, &["[STATS] a.example "]]);
    daemon.stop();
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    std::fs::remove_dir(installation.path("softhsm")).unwrap();
    std::fs::rename(installation.path("away"), installation.path("softhsm")).unwrap();
    installation.write_small_zone(ZONE, 4, "www IN A 192.0.2.4");
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();
    dnssec_verify(&installation.signed(ZONE), ZONE).unwrap();
    assert_eq!(key_count(&installation), 1, "no key is made in place of one that was away");
}

#[test]
fn a_wrong_pin_is_offered_once_and_the_zone_stays_published() {
    let installation = with_token("tld-optout", "tld");
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();
    let signed = Untouched::look(&installation.signed(ZONE));
    installation.edit("conf.xml", "<PIN>1234<", "<PIN>4321<");
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.3");
    let mut daemon = installation.start();
    daemon.wait_for(&[
        "opening hsm failed",
        "repository SoftHSM",
        "Incorrect PIN",
        "correct the PIN",
    ]);
    daemon.wait_for(&["CRITICAL: failed to sign zone a.example", "Incorrect PIN"]);
    for _ in 0..2 {
        daemon.reload();
        daemon.wait_for(&["CRITICAL: failed to sign zone a.example", "Incorrect PIN"]);
    }
    let lines = daemon.stop();
    assert_eq!(lines.matches("opening hsm failed").count(), 1, "{lines}");
    signed.check();
    installation.edit("conf.xml", "<PIN>4321<", "<PIN>1234<");
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();
}

#[test]
fn modules_and_tokens_that_are_missing_are_named() {
    let installation = with_token("tld-optout", "tld");
    installation.edit("conf.xml", "<TokenLabel>OpenDNSSEC<", "<TokenLabel>OpenDNSEC<");
    let mut daemon = installation.start();
    daemon.wait_for(&["opening hsm failed", "OpenDNSEC", "labels seen: \"OpenDNSSEC\""]);
    daemon.wait_for(&["zone a.example has no keys yet", "OpenDNSEC"]);
    daemon.stop();
    installation.edit("conf.xml", MODULE, "/nonexistent/module.so");
    let mut daemon = installation.start();
    daemon.wait_for(&["opening hsm failed", "/nonexistent/module.so"]);
    daemon.wait_for(&["zone a.example has no keys yet"]);
    daemon.stop();
    assert!(!installation.signed(ZONE).exists());
}
