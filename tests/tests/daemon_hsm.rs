//! `anchorite run` on a SoftHSM token that goes away, lies, crashes, hangs or is full (faults R9 to
//! R12), by the scripted fault module. Beside the zone whose keys are there, every installation has
//! a zone with keys elsewhere, which must not notice.
//! What every test shows: nothing wrong is ever in a signed file, no key is made twice or in place
//! of one that was away, the log says once why and what to do, and after the mend all goes on.

use actors::runtime::{Clock, System};
use actors::settings::{Auditor, read_settings};
use actors::slot::hosted_within;
use actors::system::{open_store, start_with};
use actors::zone::ZoneStatus;
use anchorite_tests::daemon::{Daemon, Installation, Untouched, WAIT};
use anchorite_tests::fault_module::{FaultyToken, module};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::program::anchorite;
use hsm::hosted::{Deadlines, HostProgram, Network};
use nix::sys::signal::{Signal, kill};
use std::time::Duration;

/// Its keys are in the token behind the fault module, repository SoftHSM.
const ZONE: &str = "a.example";
/// Its keys are in a built-in token.
const STEADY: &str = "steady.example";
const LABEL: &str = "OpenDNSSEC";
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The token is pulled out, for every process that looks.
const AWAY: &str = "* always unplug before";

struct Site {
    installation: Installation,
    token: FaultyToken,
}

impl Site {
    fn new() -> Site {
        Site::with_tokens(&[LABEL])
    }

    fn with_tokens(labels: &[&str]) -> Site {
        let mut installation = Installation::new("tld-optout");
        let folder = installation.path("softhsm");
        std::fs::create_dir(&folder).unwrap();
        let token = FaultyToken::new(&folder, labels);
        for (name, path) in token.environment() {
            installation.set_environment(name, path);
        }
        installation.edit("conf.xml", SOFTHSM, &module().display().to_string());
        let built_in = format!(
            "<Repository name=\"built-in\"><BuiltIn/><TokenLabel>Second</TokenLabel>\
             <PIN>9876</PIN><Directory>{}</Directory></Repository></RepositoryList>",
            installation.path("tokens/second").display()
        );
        installation.edit("conf.xml", "</RepositoryList>", &built_in);
        let kasp = installation.read("kasp.xml");
        let (_, policy) = kasp.split_once("<Policy name=\"tld\">").unwrap();
        let policy = policy.replace(">SoftHSM<", ">built-in<");
        let both = format!("<Policy name=\"steady\">{policy}");
        installation.edit("kasp.xml", "</KASP>", &both);
        installation.write_zonelist(&[(ZONE, "tld"), (STEADY, "steady")]);
        let site = Site { installation, token };
        site.write(1);
        site
    }

    /// New input for both zones.
    fn write(&self, serial: u32) {
        for zone in [ZONE, STEADY] {
            let records = format!("www IN A 192.0.2.{serial}\nmail IN A 192.0.2.{serial}");
            self.installation.write_small_zone(zone, serial, &records);
        }
    }

    /// Both zones signed for the first time.
    fn signed(&self) -> Daemon {
        let mut daemon = self.installation.start();
        daemon.wait_for_all(&[STATS, STATS_STEADY]);
        self.check(1);
        daemon
    }

    /// The zone's signed file has this input, and its two keys are all that were made.
    #[track_caller]
    fn check(&self, serial: u32) {
        self.verify();
        let text = self.installation.read(&format!("signed/{ZONE}"));
        assert!(text.contains(&format!("192.0.2.{serial}\n")), "input {serial}: {text}");
        assert_eq!(self.key_count(), 2);
    }

    /// Removes the zone's ZSK from the token, as somebody with another program would. Its id.
    fn remove_zsk(&self) -> String {
        // Without the built-in token, which the daemon has to itself.
        let conf = self.installation.read("conf.xml");
        let (before, _) = conf.split_once("<Repository name=\"built-in\">").unwrap();
        let (_, after) = conf.split_once("</RepositoryList>").unwrap();
        self.installation.write("tool.xml", &format!("{before}</RepositoryList>{after}"));
        let tool = |words: &[&str]| {
            let conf = self.installation.path("tool.xml");
            let mut command = std::process::Command::new(anchorite());
            command.args(["hsmutil", "-c"]).arg(conf).args(words);
            command.envs(self.token.environment());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{words:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let signed = self.installation.read(&format!("signed/{ZONE}"));
        let listed = tool(&["list", "SoftHSM"]);
        let ids = listed.split_whitespace().filter(|word| word.len() == 32);
        let is_zsk = |id: &&str| {
            let record = tool(&["dnskey", id, ZONE, "256", "13"]);
            let key: String =
                record.split_once(" 13 ").unwrap().1.split(';').next().unwrap().into();
            signed.lines().any(|line| line.contains("256 3 13") && line.contains(key.trim()))
        };
        let id = ids.clone().find(is_zsk).unwrap().to_owned();
        tool(&["remove", &id]);
        id
    }

    /// Every signed file is right.
    #[track_caller]
    fn verify(&self) {
        for zone in [ZONE, STEADY] {
            let signed = self.installation.signed(zone);
            if zone == STEADY || signed.exists() {
                dnssec_verify(&signed, zone).unwrap();
            }
        }
    }

    fn look(&self) -> Untouched {
        Untouched::look(&self.installation.signed(ZONE))
    }

    /// Pairs of keys; the object beside them is the canary.
    fn key_count(&self) -> usize {
        self.token.object_count() / 2
    }
}

const STATS: &[&str] = &["[STATS] a.example "];
const STATS_STEADY: &[&str] = &["[STATS] steady.example "];
const CRITICAL: &[&str] = &["CRITICAL: failed to sign zone a.example", "repository SoftHSM"];
const NO_KEYS: &[&str] = &["zone a.example has no keys yet", "repository SoftHSM"];

#[track_caller]
fn check_count(lines: &str, fragment: &str, count: usize) {
    assert_eq!(lines.matches(fragment).count(), count, "{fragment}: {lines}");
}

#[test]
fn a_module_that_cannot_begin_at_the_start_is_used_when_it_can() {
    check_away_at_the_start(
        "C_Initialize always return CKR_DEVICE_ERROR",
        ("C_Initialize", "CKR_DEVICE_ERROR", 3),
        &["the module failed during C_Initialize", "look at the vendor's log"],
    );
}

#[test]
fn a_module_without_its_slots_at_the_start_is_used_when_it_has_them() {
    check_away_at_the_start(
        "C_GetSlotList always return CKR_GENERAL_ERROR",
        ("C_GetSlotList", "CKR_GENERAL_ERROR", 3),
        &["the module failed during C_GetSlotList", "look at the vendor's log"],
    );
}

#[test]
fn a_token_that_is_away_at_the_start_is_used_when_it_comes() {
    check_away_at_the_start(
        AWAY,
        // Each try looks at two slots.
        ("C_GetTokenInfo", "CKR_TOKEN_NOT_PRESENT", 6),
        &["token \"OpenDNSSEC\": no such token", "connect it, or correct <TokenLabel>"],
    );
}

/// `three_tries`: a function, what it returns, and how often when the token was tried three times.
#[track_caller]
fn check_away_at_the_start(rules: &str, three_tries: (&str, &str, usize), words: &[&str]) {
    let site = Site::new();
    site.token.rules(rules);
    let mut daemon = site.installation.start();
    let why: &[&str] = &["opening hsm failed", "repository SoftHSM", "tried again by itself"];
    daemon.wait_for_all(&[&[why, words].concat(), NO_KEYS, STATS_STEADY]);
    site.verify();
    let (function, value, times) = three_tries;
    site.token.wait_for(function, value, times);
    assert!(!site.installation.signed(ZONE).exists());
    assert_eq!(site.key_count(), 0);
    site.token.rules("");
    daemon.wait_for(&["HSM opened successfully."]);
    daemon.wait_for(STATS);
    site.check(1);
    let lines = daemon.stop();
    // Three tries, and one line.
    check_count(&lines, "opening hsm failed", 1);
    check_count(&lines, "has no keys yet", 1);
    check_count(&lines, "need to be created", 4);
}

#[test]
fn a_token_that_goes_away_between_two_runs_is_used_when_it_is_back() {
    check_away(false);
}

#[test]
fn a_token_that_goes_away_in_mid_run_is_used_when_it_is_back() {
    check_away(true);
}

#[track_caller]
fn check_away(is_in_mid_run: bool) {
    let site = Site::new();
    let mut daemon = site.signed();
    let before = site.look();
    site.write(2);
    if is_in_mid_run {
        site.token.rules("C_Sign 1 stall");
        daemon.reload();
        site.token.wait_for("C_Sign", "stalls", 1);
    }
    site.token.rules(AWAY);
    if !is_in_mid_run {
        daemon.reload();
    }
    let reset = &["signer instructed to reload due to hsm reset", "tried again by itself"];
    daemon.wait_for_all(&[reset, CRITICAL, STATS_STEADY]);
    before.check();
    // Counted anew: three tries to open it, each of which looks at two slots.
    site.token.rules(AWAY);
    site.token.wait_for("C_GetTokenInfo", "CKR_TOKEN_NOT_PRESENT", 6);
    site.token.rules("");
    daemon.wait_for(&["HSM opened successfully."]);
    daemon.wait_for(STATS);
    site.check(2);
    let lines = daemon.stop();
    // A line when it went away, or two when its words change, and none for each try.
    check_count(&lines, "signer instructed to reload", 1);
    assert!(lines.matches("opening hsm failed").count() <= 1, "{lines}");
    check_count(&lines, "need to be created", 4);
}

/// Away when the daemon starts with a zone that has keys: none are made in their place, and what
/// is published stays.
#[test]
fn no_key_is_made_in_place_of_one_whose_token_is_away() {
    let site = Site::new();
    site.signed().stop();
    for (serial, rules) in [(2, AWAY), (3, "C_FindObjects always forget")] {
        let before = site.look();
        site.write(serial);
        site.token.rules(rules);
        let mut daemon = site.installation.start();
        daemon.wait_for_all(&[CRITICAL, STATS_STEADY]);
        before.check();
        site.token.rules("");
        // A token that hides its keys is not known to be away: the operator says when to look.
        if rules != AWAY {
            daemon.reload();
        }
        daemon.wait_for(STATS);
        site.check(serial);
        let lines = daemon.stop();
        check_count(&lines, "need to be created", 0);
    }
}

#[test]
fn a_token_that_lies_is_not_used_before_a_sighup() {
    let site = Site::new();
    let mut daemon = site.signed();
    for (serial, lie) in [(2, "flip"), (3, "other-key"), (4, "short"), (5, "empty")] {
        let before = site.look();
        site.write(serial);
        site.token.rules(&format!("C_Sign always {lie}"));
        daemon.reload();
        let alarm = &[
            "repository SoftHSM is not used any more",
            "token \"OpenDNSSEC\": the token made a wrong signature with key ",
            "call its vendor",
            "it is tried again at a SIGHUP or a restart, not before",
        ];
        daemon.wait_for_all(&[alarm, CRITICAL, STATS_STEADY]);
        before.check();
        site.verify();
        // Somebody looks, and it still lies.
        daemon.reload();
        daemon.wait_for_all(&[alarm, CRITICAL]);
        before.check();
        assert_eq!(daemon.count("is not used any more"), 2 * (serial as usize - 1));
        site.token.rules("");
        daemon.reload();
        daemon.wait_for(STATS);
        site.check(serial);
    }
    let lines = daemon.stop();
    check_count(&lines, "opening hsm failed", 0);
}

/// One wrong signature is made again, and the zone is signed; the log tells the operator.
#[test]
fn one_wrong_signature_is_told_and_made_again() {
    let site = Site::new();
    let mut daemon = site.signed();
    site.write(2);
    site.token.rules("C_Sign 1 flip");
    daemon.reload();
    daemon.wait_for(&["repository SoftHSM", "made 1 wrong signatures", "call its vendor"]);
    daemon.wait_for(STATS);
    site.check(2);
    // Signatures in DER are no lie.
    site.write(3);
    site.token.rules("C_Sign always der");
    daemon.reload();
    daemon.wait_for(STATS);
    site.check(3);
    daemon.stop();
}

/// A token that lies while the first keys are made: none of them gets into the zone.
#[test]
fn a_token_that_lies_at_the_start_makes_no_keys() {
    let site = Site::new();
    site.token.rules("C_Sign always flip");
    let mut daemon = site.installation.start();
    let alarm = &["repository SoftHSM is not used any more", "wrong signature", "SIGHUP"];
    daemon.wait_for_all(&[alarm, NO_KEYS, STATS_STEADY]);
    assert!(!site.installation.signed(ZONE).exists());
    site.token.rules("");
    daemon.reload();
    daemon.wait_for(STATS);
    site.check(1);
    let lines = daemon.stop();
    check_count(&lines, "is not used any more", 1);
}

#[test]
fn a_slot_host_killed_in_mid_run_costs_nothing() {
    let site = Site::new();
    let mut daemon = site.signed();
    let hosts = daemon.slot_hosts();
    assert_eq!(hosts.len(), 2, "{hosts:?}");
    for serial in 2..=3 {
        site.write(serial);
        site.token.rules("C_Sign 1 stall");
        daemon.reload();
        site.token.wait_for("C_Sign", "stalls", 1);
        // Those of both repositories.
        daemon.slot_hosts().into_iter().for_each(|host| kill(host, Signal::SIGKILL).unwrap());
        site.token.rules("");
        daemon.wait_for(&["repository SoftHSM", "slot host ended", "signal: 9 (SIGKILL)"]);
        daemon.wait_for(STATS);
        site.check(serial);
    }
    daemon.stop();
}

/// The deadline is an argument of the whole system here; the program's own is a minute.
#[test]
fn a_module_that_hangs_is_killed_at_its_deadline() {
    let site = Site::new();
    let (mut settings, _) = read_settings(&site.installation.path("conf.xml")).unwrap();
    // This program is no audit host.
    settings.auditor = Auditor::Here;
    let environment = site.token.environment();
    let program = HostProgram {
        path: anchorite(),
        arguments: vec!["slot-host".into()],
        environment: environment.map(|(name, path)| (name.into(), path.into())).to_vec(),
        working_directory: None,
        network: Network::Allow,
    };
    let seconds = Duration::from_secs(4);
    let open = hosted_within(program, Deadlines { answer: seconds, generate: seconds });
    System::new().block_on(async {
        let clock = Clock::system();
        let store = open_store(&settings, &clock).unwrap();
        let running = start_with(&settings, store, clock, open, |failure| panic!("{failure}"));
        let running = running.unwrap();
        let zones = running.staff.zones.all();
        let (mut first, mut other) = (zones[0].status.clone(), zones[1].status.clone());
        wait(&mut first, |zone| zone.output_serial.is_some()).await;
        wait(&mut other, |zone| zone.output_serial.is_some()).await;
        let runs = other.borrow().run_count;
        site.write(2);
        site.token.rules("C_Sign 1 stall");
        running.staff.sign_all();
        wait(&mut other, |zone| zone.run_count > runs).await;
        assert_eq!(first.borrow().failures, 0, "the other was first");
        let words = "no answer during C_Sign within 4s, the slot host was killed";
        wait(&mut first, |zone| has_failed(zone, words)).await;
        site.verify();
        site.token.rules("");
        wait(&mut first, |zone| zone.failure.is_none()).await;
        running.stop().await;
    });
    site.check(2);
}

/// The enforcer sees to the keys of other policies meanwhile.
#[test]
fn a_module_that_hangs_at_the_start_delays_no_other_repository() {
    let site = Site::new();
    site.token.rules("C_Initialize 1 stall");
    let mut daemon = site.installation.start();
    site.token.wait_for("C_Initialize", "stalls", 1);
    daemon.wait_for(STATS_STEADY);
    assert_eq!(daemon.count("SoftHSM"), 0, "it still hangs: {}", daemon.log());
    site.token.rules("");
    daemon.wait_for(STATS);
    site.check(1);
    daemon.stop();
}

fn has_failed(zone: &ZoneStatus, words: &str) -> bool {
    zone.failure.as_ref().is_some_and(|failure| failure.contains(words))
}

/// Waits for a state of a zone.
async fn wait(
    status: &mut tokio::sync::watch::Receiver<ZoneStatus>,
    is_there: impl Fn(&ZoneStatus) -> bool,
) {
    let waited = tokio::time::timeout(WAIT, status.wait_for(|status| is_there(status))).await;
    let is_over = waited.is_ok();
    drop(waited);
    assert!(is_over, "{:?}", *status.borrow());
}

#[test]
fn a_wrong_pin_is_offered_once_and_the_tries_left_are_told() {
    let site = Site::new();
    site.signed().stop();
    let before = site.look();
    site.installation.edit("conf.xml", "<PIN>1234<", "<PIN>4321<");
    site.token.rules(&site.token.pin_tries(3));
    site.write(2);
    let mut daemon = site.installation.start();
    let why = &["opening hsm failed", "repository SoftHSM", "Incorrect PIN (few tries are left)"];
    daemon.wait_for_all(&[why, CRITICAL, STATS_STEADY]);
    for _ in 0..2 {
        daemon.reload();
        daemon.wait_for(CRITICAL);
    }
    assert_eq!(site.token.pins(), (1, 1), "wrong ones, and all that were offered");
    before.check();
    let lines = daemon.stop();
    check_count(&lines, "opening hsm failed", 1);
    site.installation.edit("conf.xml", "<PIN>4321<", "<PIN>1234<");
    let mut daemon = site.installation.start();
    daemon.wait_for(STATS);
    assert_eq!(site.token.pins().0, 0);
    site.check(2);
    daemon.stop();
}

/// The daemon says what is wrong with this repository, once, and signs the other zone. What it
/// says to SIGHUP after `mend`: the zone is signed.
#[track_caller]
fn check_refused(site: &Site, words: &[&str], mend: impl FnOnce()) {
    let mut daemon = site.installation.start();
    let why: &[&str] =
        &["opening hsm failed", "repository SoftHSM, token \"", "at a SIGHUP or a restart"];
    daemon.wait_for_all(&[&[why, words].concat(), NO_KEYS, STATS_STEADY]);
    site.verify();
    assert!(!site.installation.signed(ZONE).exists());
    assert_eq!(site.key_count(), 0);
    mend();
    daemon.reload();
    daemon.wait_for(STATS);
    site.check(1);
    let lines = daemon.stop();
    check_count(&lines, "opening hsm failed", 1);
    check_count(&lines, "has no keys yet", 1);
}

#[test]
fn a_locked_pin_is_named() {
    let site = Site::new();
    site.token.rules("C_GetTokenInfo always flag CKF_USER_PIN_LOCKED");
    let words = &["the user PIN is locked", "unlock it with the security officer's PIN"];
    check_refused(&site, words, || site.token.rules(""));
}

#[test]
fn modules_that_are_none_are_named() {
    let libm = format!("/lib/{}-linux-gnu/libm.so.6", std::env::consts::ARCH);
    let no_module = &["is not a working PKCS#11 module", "check that <Module> in conf.xml names"];
    let missing = &["cannot be opened", "install the vendor's library or correct <Module>"];
    for (content, words) in [("", missing), ("text", no_module), (libm.as_str(), no_module)] {
        let site = Site::new();
        let path = site.installation.path("module.so");
        let (text, own) = (path.display().to_string(), module().display().to_string());
        site.installation.edit("conf.xml", &own, &text);
        match content {
            "" => {}
            "text" => site.installation.write("module.so", "a letter to the vendor\n"),
            library => std::os::unix::fs::symlink(library, &path).unwrap(),
        }
        check_refused(&site, &[words.as_slice(), &[text.as_str()]].concat(), || {
            // The first of the three has no file yet.
            std::fs::remove_file(&path).ok();
            std::os::unix::fs::symlink(module(), &path).unwrap();
        });
    }
}

#[test]
fn two_tokens_with_one_label_are_named() {
    let site = Site::with_tokens(&[LABEL, LABEL]);
    let words = &["2 tokens have this label, with the serial numbers", "give each token its own"];
    check_refused(&site, words, || {
        let tokens = std::fs::read_dir(site.token.path("tokens")).unwrap();
        let one = tokens.map(|token| token.unwrap().path()).next().unwrap();
        std::fs::remove_dir_all(one).unwrap();
    });
}

/// A token that is not there is waited for, since it may be plugged in; a wrong label is a token
/// that is not there.
#[test]
fn a_wrong_label_is_named_with_the_labels_that_were_seen() {
    let site = Site::with_tokens(&["Elsewhere"]);
    let mut daemon = site.installation.start();
    let why = &[
        "opening hsm failed",
        "repository SoftHSM, token \"OpenDNSSEC\": no such token",
        "labels seen: \"Elsewhere\"",
        "correct <TokenLabel> in conf.xml",
    ];
    daemon.wait_for_all(&[why, NO_KEYS, STATS_STEADY]);
    site.verify();
    daemon.stop();
}

/// KSK and ZSK in two repositories: without the KSK's the ZSK goes on signing while the
/// signature of the keys is not due, also after a restart.
#[test]
fn a_zone_is_signed_without_the_repository_that_has_nothing_to_sign() {
    let site = Site::new();
    let kasp = site.installation.read("kasp.xml");
    let (before, zsk) = kasp.split_once("<ZSK>").unwrap();
    let zsk = zsk.replacen("SoftHSM", "built-in", 1);
    site.installation.write("kasp.xml", &format!("{before}<ZSK>{zsk}"));
    let mut daemon = site.installation.start();
    daemon.wait_for(STATS);
    site.token.rules(AWAY);
    site.write(2);
    daemon.reload();
    daemon.wait_for(STATS);
    site.verify();
    let lines = daemon.stop();
    check_count(&lines, "CRITICAL", 0);

    site.write(3);
    let mut daemon = site.installation.start();
    daemon.wait_for_all(&[&["opening hsm failed", "repository SoftHSM"], STATS]);
    site.verify();
    assert!(site.installation.read(&format!("signed/{ZONE}")).contains("192.0.2.3\n"));
    let lines = daemon.stop();
    check_count(&lines, "CRITICAL", 0);

    // Now every signature is due: that of the keys waits, and an alarm says so.
    site.installation.edit("kasp.xml", "<Refresh>P7D<", "<Refresh>P23D<");
    site.installation.edit("kasp.xml", "<Default>P21D<", "<Default>P24D<");
    site.installation.edit("kasp.xml", "<Denial>P21D<", "<Denial>P24D<");
    site.installation.edit("kasp.xml", "<Jitter>P1D<", "<Jitter>PT0S<");
    let mut daemon = site.installation.start();
    let alarm = &["ALARM: the DNSKEY RRset of zone a.example is due", "repository SoftHSM"];
    daemon.wait_for_all(&[alarm, STATS]);
    site.verify();
    site.token.rules("");
    daemon.wait_for(&["the DNSKEY RRset of zone a.example is signed in time again"]);
    site.verify();
    let lines = daemon.stop();
    check_count(&lines, "CRITICAL", 0);
    assert_eq!(site.key_count(), 1);
}

#[test]
fn a_full_token_is_named_and_used_when_it_has_room() {
    let site = Site::new();
    site.token.rules("C_GenerateKeyPair always return CKR_DEVICE_MEMORY");
    let mut daemon = site.installation.start();
    let why = [NO_KEYS, &["no room for key ", "remove keys that are out of use"]].concat();
    daemon.wait_for_all(&[&why, STATS_STEADY]);
    site.token.rules("");
    daemon.reload();
    daemon.wait_for(STATS);
    site.check(1);
    let lines = daemon.stop();
    check_count(&lines, "has no keys yet", 1);
    check_count(&lines, "signer instructed to reload", 0);
}

#[test]
fn a_reached_capacity_is_named() {
    let site = Site::new();
    let limit = "<Capacity>1</Capacity><RequireBackup/>";
    site.installation.edit("conf.xml", "<RequireBackup/>", limit);
    let mut daemon = site.installation.start();
    let full = "Repository SoftHSM is full, cannot create more KSKs for policy tld";
    let why = &["zone a.example has no keys yet", full, "room for 1 more", "raise <Capacity>"];
    daemon.wait_for_all(&[why, STATS_STEADY]);
    assert_eq!(site.key_count(), 0, "a zone whose keys could never be rolled gets none");
    assert!(!site.installation.signed(ZONE).exists());
    daemon.stop();
    site.installation.edit("conf.xml", "<Capacity>1<", "<Capacity>3<");
    let mut daemon = site.installation.start();
    daemon.wait_for_all(&[STATS]);
    site.check(1);
    daemon.stop();
    // It has its keys; now there is no room for their successors.
    site.installation.edit("conf.xml", "<Capacity>3<", "<Capacity>2<");
    let mut daemon = site.installation.start();
    let small = &["repository SoftHSM", "of 2 used", "room for 3", "raise <Capacity>"];
    daemon.wait_for(small);
    site.check(1);
    daemon.stop();
    site.installation.edit("conf.xml", "<Capacity>2<", "<Capacity>9<");
    let mut daemon = site.installation.start();
    daemon.wait_for(&["epository SoftHSM", "2 keys of 9 used"]);
    daemon.stop();
}

/// The token of before is bound to the repository: another one with its label is not used, and not
/// even offered the PIN, until conf.xml names it.
#[test]
fn another_token_with_the_label_is_not_used_until_it_is_named() {
    let site = Site::new();
    site.signed().stop();
    let before = site.look();
    site.write(2);
    let other = "C_GetTokenInfo always serial 42";
    site.token.rules(&format!("{}{other}", site.token.pin_tries(3)));
    let mut daemon = site.installation.start();
    let alarm = daemon_alarm(&mut daemon);
    assert!(alarm.contains("\"42\"") && alarm.contains("<TokenSerial>"), "{alarm}");
    daemon.wait_for_all(&[CRITICAL, STATS_STEADY]);
    assert_eq!(site.token.pins(), (0, 0), "it is another token's");
    before.check();
    daemon.stop();
    // The old number is named in the alarm too; with that one in conf.xml nothing is better.
    let old = alarm.split('"').find(|word| word.len() == 16).unwrap().to_owned();
    let serial = |number: &str| format!("<TokenSerial>{number}</TokenSerial><PIN>1234<");
    site.installation.edit("conf.xml", "<PIN>1234<", &serial(&old));
    let mut daemon = site.installation.start();
    daemon_alarm(&mut daemon);
    daemon.stop();
    before.check();
    // Replaced on purpose, with the same keys.
    site.installation.edit("conf.xml", &serial(&old), &serial("42"));
    let mut daemon = site.installation.start();
    daemon.wait_for_all(&[&["serial number 42 takes the place of the one with", &old], STATS]);
    site.verify();
    let lines = daemon.stop();
    check_count(&lines, "need to be created", 0);
    assert!(site.installation.read(&format!("signed/{ZONE}")).contains("192.0.2.2\n"));
    // It is the known one from now on, also without the element.
    site.installation.edit("conf.xml", &serial("42"), "<PIN>1234<");
    site.token.rules("");
    let mut daemon = site.installation.start();
    daemon_alarm(&mut daemon);
    daemon.stop();
}

/// The alarm about another token.
fn daemon_alarm(daemon: &mut Daemon) -> String {
    daemon.wait_for(&[
        "opening hsm failed",
        "repository SoftHSM, token \"OpenDNSSEC\": the token has the serial number",
        "at a SIGHUP or a restart",
    ])
}

/// The key was deleted with another program. One look proves nothing; that it needs a second one
/// half a minute later is shown in virtual time elsewhere.
#[test]
fn a_key_that_is_not_found_is_not_called_missing_at_once() {
    let site = Site::new();
    let mut daemon = site.signed();
    let before = site.look();
    let removed = site.remove_zsk();
    site.write(2);
    daemon.reload();
    let unknown = ["was not found, and whether it is lost is unknown", "compare with the backup"];
    let line = daemon.wait_for(&[CRITICAL, &unknown, &["one look proves nothing"]].concat());
    assert!(line.contains(&removed), "{line}");
    before.check();
    daemon.stop();
}
