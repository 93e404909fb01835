//! `anchorite run` as an operator sees it: OpenDNSSEC's files, log lines, signals, signed zones.

use anchorite_tests::daemon::{Installation, Untouched, WAIT, serial_of};
use anchorite_tests::judges::{self, dnssec_verify, repository_file};
use anchorite_tests::program::anchorite;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

const EXAMPLES: [(&str, &str); 2] = [
    ("example.com", "examples/zones/example.com.zone"),
    ("example.org", "examples/zones/example.org.zone"),
];

fn with_examples(example: &str, policy: &str) -> Installation {
    let installation = Installation::new(example);
    for (zone, file) in EXAMPLES {
        let text = std::fs::read_to_string(repository_file(file)).unwrap();
        installation.write_zone(zone, &text);
    }
    installation.write_zonelist(&EXAMPLES.map(|(zone, _)| (zone, policy)));
    installation
}

/// A lab where signatures are made anew in each run, every second.
fn hasty() -> Installation {
    let installation = Installation::new("lab");
    installation.edit("kasp.xml", "<Resign>PT1M<", "<Resign>PT1S<");
    installation.edit("kasp.xml", "<Refresh>PT10M<", "<Refresh>PT25M<");
    installation.edit("kasp.xml", "<Jitter>PT2M<", "<Jitter>PT0S<");
    installation
}

#[test]
fn every_zone_of_the_example_configurations_is_signed() {
    for (example, policy) in [("default", "default"), ("lab", "lab")] {
        let installation = with_examples(example, policy);
        let mut daemon = installation.start();
        daemon.wait_for(&["[engine] signer started (version "]);
        daemon.wait_for_all(&EXAMPLES.map(|(zone, _)| zone).map(|zone| match zone {
            "example.com" => &["[STATS] example.com "][..],
            _ => &["[STATS] example.org "][..],
        }));
        for (zone, _) in EXAMPLES {
            let signed = installation.signed(zone);
            dnssec_verify(&signed, zone).unwrap();
            judges::ldns_verify_zone(&signed).unwrap();
            judges::kzonecheck(&signed, zone).unwrap();
        }
        daemon.stop();
    }
}

/// Waits until it is durable that a DS was handed over.
#[track_caller]
fn until_waiting_for_ds_seen(installation: &Installation) {
    let begin = Instant::now();
    loop {
        let mut command = Command::new(anchorite());
        command.arg0("ods-enforcer").args(["-s", &installation.socket(), "key", "list"]);
        let list = String::from_utf8(command.output().unwrap().stdout).unwrap();
        if list.contains("waiting for ds-seen") {
            return;
        }
        assert!(begin.elapsed() < WAIT, "nobody remembers that the DS was handed over: {list}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn stats_and_ds_lines_have_the_form_that_monitoring_reads() {
    let installation = with_examples("default", "default");
    installation.write_zonelist(&[("example.org", "default")]);
    // The DS goes out when every cache has keys and signatures: here, within seconds.
    installation.edit("kasp.xml", "<TTL>PT3600S<", "<TTL>PT1S<");
    installation.edit("kasp.xml", "<MaxZoneTTL>P1D<", "<MaxZoneTTL>PT1S<");
    installation.edit("kasp.xml", "<PublishSafety>PT3600S<", "<PublishSafety>PT0S<");
    installation.edit("kasp.xml", "<PropagationDelay>PT43200S<", "<PropagationDelay>PT0S<");
    installation.edit("kasp.xml", "<Minimum>PT3600S<", "<Minimum>PT1S<");
    let mut daemon = installation.start();
    daemon.wait_for(&["ods-enforcerd: [enforcer] 1 new KSK(s) (256 bits) need to be created."]);
    daemon.wait_for(&["ods-enforcerd: [enforcer] 1 new ZSK(s) (256 bits) need to be created."]);
    let stats = daemon.wait_for(&["[STATS]"]);
    let serial = serial_of(&installation.signed("example.org"));
    let text = std::fs::read_to_string(installation.signed("example.org")).unwrap();
    let count = |rr_type: &str| text.lines().filter(|line| line.contains(rr_type)).count();
    let (all, chain, signatures) = (text.lines().count(), count("\tNSEC3\t"), count("\tRRSIG\t"));
    let expected = format!(
        "ods-signerd: [STATS] example.org {serial} RR[count={} time=0(sec)] \
         NSEC3[count={chain} time=0(sec)] RRSIG[new={signatures} reused=0 time=0(sec) \
         avg=0(sig/sec)] TOTAL[time=0(sec)]",
        all - signatures
    );
    assert_eq!(stats, expected);
    daemon.wait_for(&["please submit DS with keytag ", " for zone example.org"]);
    let ds = daemon.wait_for(&["example.org. ", " IN DS "]);
    let record = &ds[ds.find("example.org. ").unwrap()..];
    let questions = [
        ("members.example.org.", "A", judges::Expect::Secure),
        ("none.example.org.", "A", judges::Expect::NxDomainSecure),
    ];
    let signed = installation.signed("example.org");
    judges::resolve_secure("example.org.", &signed, record, &questions).unwrap();
    // The line is said before it is durable that it was: whoever ends the daemon in between hears
    // it again, which is right, and not what is looked at here.
    until_waiting_for_ds_seen(&installation);
    daemon.stop();

    // A zone that is known does not ask for its DS again.
    installation.edit("unsigned/example.org", "192.0.2.91", "192.0.2.92");
    let mut daemon = installation.start();
    let stats = daemon.wait_for(&["[STATS] example.org "]);
    assert!(stats.contains("RRSIG[new=2 reused="), "the SOA and what changed: {stats}");
    let lines = daemon.stop();
    assert!(!lines.contains("please submit DS"), "{lines}");
    assert!(!lines.contains("need to be created"), "{lines}");
}

#[test]
fn the_notify_command_gets_zone_and_file_without_a_shell() {
    let installation = Installation::new("default");
    installation.write_zonelist(&[("a.example", "default"), ("b.example", "default")]);
    installation.write_small_zone("a.example", 1, "");
    installation.write_small_zone("b.example", 1, "");
    let script = installation.path("reload");
    // Each argument on a line; the file of the zone shows that the signed file is there already.
    let text = "#!/bin/sh\nset -eu\ntest -s \"$2\"\nfor word; do printf '%s\\n' \"$word\"; done \
                >> \"$0-$1\"\n";
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command =
        format!("{} %zone %zonefile ; zone=%zone $(id) `id` * '%zone x'", script.display());
    installation.edit(
        "conf.xml",
        "</Signer>",
        &format!("<NotifyCommand>{command}</NotifyCommand></Signer>"),
    );
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] b.example "]]);
    for zone in ["a.example", "b.example"] {
        let words = installation.read(&format!("reload-{zone}"));
        let signed = installation.signed(zone);
        let expected =
            format!("{zone}\n{}\n;\nzone={zone}\n$(id)\n`id`\n*\n'{zone}\nx'\n", signed.display());
        assert_eq!(words, expected);
    }
    // One that fails is told, and the zone stays published.
    std::fs::remove_file(&script).unwrap();
    installation.write_small_zone("a.example", 2, "new IN A 192.0.2.5");
    daemon.reload();
    daemon.wait_for(&["[notify] Error running notification command: cannot start ", "/reload"]);
    daemon.wait_for(&["[STATS] a.example "]);
    assert!(installation.read("signed/a.example").contains("new.a.example."));
    daemon.stop();
}

#[test]
fn zones_are_signed_again_on_schedule() {
    let installation = hasty();
    installation.write_zonelist(&[("a.example", "lab"), ("b.example", "lab")]);
    installation.write_small_zone("a.example", 1, "");
    installation.write_small_zone("b.example", 1, "");
    let mut daemon = installation.start();
    let mut last = 0;
    for _ in 0..3 {
        daemon.wait_for(&["[STATS] a.example "]);
        let serial = serial_of(&installation.signed("a.example"));
        assert!(serial > last, "{serial} is not after {last}");
        last = serial;
    }
    daemon.stop();
    dnssec_verify(&installation.signed("a.example"), "a.example").unwrap();
    dnssec_verify(&installation.signed("b.example"), "b.example").unwrap();
}

#[test]
fn a_reload_reads_every_zone_and_signs_what_changed() {
    let installation = Installation::new("default");
    let zones = [("a.example", "default"), ("b.example", "default")];
    installation.write_zonelist(&zones);
    installation.write_small_zone("a.example", 1, "");
    installation.write_small_zone("b.example", 1, "");
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] b.example "]]);
    let same = Untouched::look(&installation.signed("b.example"));
    installation.write_small_zone("a.example", 2, "new IN A 192.0.2.5");
    daemon.reload();
    daemon.wait_for(&["[engine] signer reloading"]);
    daemon.wait_for_all(&[
        &["[STATS] a.example ", "RRSIG[new=4 "],
        &["skip write zone b.example", "(zone not changed)"],
    ]);
    same.check();
    // The input is gone: nothing happens to what is published, and the log says what to do.
    std::fs::remove_file(installation.unsigned("a.example")).unwrap();
    let kept = Untouched::look(&installation.signed("a.example"));
    daemon.reload();
    daemon.wait_for(&["unable to read zone a.example", "does not exist", "last good input"]);
    kept.check();
    daemon.stop();
}

#[test]
fn a_pin_that_an_operator_gave_opens_the_token() {
    let mut installation = with_examples("default", "default");
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] example.com "], &["[STATS] example.org "]]);
    daemon.stop();
    installation.edit("conf.xml", "<PIN>1234</PIN>", "");
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    installation.set_environment("ANCHORITE_RUNTIME_DIRECTORY", memory.path().to_owned());
    installation.edit("unsigned/example.org", "192.0.2.91", "192.0.2.92");
    let mut daemon = installation.start();
    daemon.wait_for(&["repository built-in has no <PIN> and nobody has logged in"]);
    daemon.wait_for(&["[engine] signer started "]);
    daemon.stop();
    let mut login = std::process::Command::new("setsid");
    login.arg("--wait").arg(anchorite_tests::program::anchorite());
    login.args(["hsmutil", "-c"]).arg(installation.path("conf.xml")).arg("login");
    login.env("ANCHORITE_RUNTIME_DIRECTORY", memory.path());
    login.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut login = login.spawn().unwrap();
    std::io::Write::write_all(&mut login.stdin.take().unwrap(), b"1234\n").unwrap();
    assert!(login.wait_with_output().unwrap().status.success());
    let mut daemon = installation.start();
    let stats = daemon.wait_for(&["[STATS] example.org "]);
    assert!(stats.contains("RRSIG[new=2 reused="), "{stats}");
    daemon.stop();
}

/// Two reloads while a zone is being signed: the file that was there at the last one counts.
#[test]
fn a_reload_during_a_run_is_not_lost() {
    let installation = Installation::new("default");
    installation.write_zonelist(&[("a.example", "default")]);
    // The notify command holds the run until the test lets it go.
    let (held, go) = (installation.path("held"), installation.path("go"));
    for pipe in [&held, &go] {
        nix_mkfifo(pipe);
    }
    let script = installation.path("hold");
    let text = format!("#!/bin/sh\necho held > {}\nread line < {}\n", held.display(), go.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!("<NotifyCommand>{}</NotifyCommand></Signer>", script.display());
    installation.edit("conf.xml", "</Signer>", &command);
    installation.write_small_zone("a.example", 1, "");
    let mut daemon = installation.start();
    let is_held = || assert_eq!(std::fs::read_to_string(&held).unwrap(), "held\n");
    is_held();
    installation.write_small_zone("a.example", 2, "new IN A 192.0.2.5");
    daemon.reload();
    daemon.wait_for(&["signer reloading"]);
    std::fs::write(&go, "go\n").unwrap();
    daemon.wait_for(&["[STATS] a.example "]);
    is_held();
    assert!(installation.read("signed/a.example").contains("new.a.example."));
    std::fs::write(&go, "go\n").unwrap();
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();
}

fn nix_mkfifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn a_zone_whose_input_breaks_is_signed_from_the_last_good_one() {
    let installation = hasty();
    installation.write_zonelist(&[("a.example", "lab"), ("b.example", "lab")]);
    installation.write_small_zone("a.example", 1, "www IN A 192.0.2.5");
    installation.write_small_zone("b.example", 1, "");
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] b.example "]]);
    installation.write_small_zone("a.example", 2, "www IN A broken");
    daemon.reload();
    daemon.wait_for(&["unable to read zone a.example", "a.example:6:10: ", "last good input"]);
    let serial = serial_of(&installation.signed("a.example"));
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] b.example "]]);
    daemon.wait_for_all(&[&["[STATS] a.example "], &["[STATS] b.example "]]);
    assert!(serial_of(&installation.signed("a.example")) > serial);
    daemon.stop();
    dnssec_verify(&installation.signed("a.example"), "a.example").unwrap();
    assert!(installation.read("signed/a.example").contains("192.0.2.5"));

    // After a restart, too, with the input still broken.
    let mut daemon = installation.start();
    daemon.wait_for(&["unable to read zone a.example", "last good input"]);
    daemon.wait_for(&["[STATS] a.example "]);
    // And when it is whole again, it counts.
    installation.write_small_zone("a.example", 3, "www IN A 192.0.2.6");
    daemon.reload();
    daemon.wait_for(&["signer reloading"]);
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.wait_for(&["[STATS] a.example "]);
    daemon.stop();
    assert!(installation.read("signed/a.example").contains("192.0.2.6"));
    dnssec_verify(&installation.signed("a.example"), "a.example").unwrap();
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let installation = Installation::new("default");
    installation.write_zonelist(&[("a.example", "default")]);
    installation.write_small_zone("a.example", 1, "");
    let mut first = installation.start();
    first.wait_for(&["[STATS] a.example "]);
    let signed = Untouched::look(&installation.signed("a.example"));
    let lines = installation.start_fails();
    assert!(lines.contains("kasp.db.redb") && lines.contains("another process"), "{lines}");
    signed.check();
    // The first has not noticed.
    installation.write_small_zone("a.example", 2, "new IN A 192.0.2.5");
    first.reload();
    first.wait_for(&["[STATS] a.example "]);
    first.stop();
}

#[test]
fn a_stop_while_zones_are_signed_ends_in_order() {
    let installation = Installation::new("default");
    let names: Vec<String> = (0..40).map(|number| format!("z{number}.example")).collect();
    let zones: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "default")).collect();
    installation.write_zonelist(&zones);
    let records: String = (0..50).map(|host| format!("h{host} IN A 192.0.2.7\n")).collect();
    for name in &names {
        installation.write_small_zone(name, 1, &records);
    }
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] "]);
    daemon.stop();
    // What was not finished is finished by the next start; nothing is left half done.
    let mut daemon = installation.start();
    let wanted: Vec<[String; 1]> = names.iter().map(|name| [format!("zone {name} ")]).collect();
    let wanted: Vec<Vec<&str>> =
        wanted.iter().map(|[line]| vec!["write zone", line.as_str()]).collect();
    let wanted: Vec<&[&str]> = wanted.iter().map(Vec::as_slice).collect();
    daemon.wait_for_all(&wanted);
    daemon.stop();
    for name in &names {
        dnssec_verify(&installation.signed(name), name).unwrap();
    }
}

#[test]
fn a_signed_file_that_was_damaged_or_removed_is_written_again() {
    let installation = Installation::new("default");
    installation.write_zonelist(&[("a.example", "default")]);
    installation.write_small_zone("a.example", 1, "");
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example "]);
    let signed = installation.signed("a.example");
    let good = std::fs::read(&signed).unwrap();
    for damage in [&b""[..], b"something else\n"] {
        std::fs::write(&signed, damage).unwrap();
        daemon.reload();
        daemon.wait_for(&["write zone a.example serial "]);
        assert!(std::fs::read(&signed).unwrap() == good, "the same version, not a new one");
    }
    std::fs::remove_file(&signed).unwrap();
    daemon.reload();
    daemon.wait_for(&["write zone a.example serial "]);
    assert!(std::fs::read(&signed).unwrap() == good);
    let lines = daemon.stop();
    assert_eq!(lines.matches("[STATS]").count(), 1, "{lines}");
}
