//! Zones that `anchorite run` publishes without signing them: by a policy without keys, and by
//! `<Passthrough/>`.

use anchorite_tests::daemon::{Installation, serial_of, small_zone};
use anchorite_tests::judges;

const ZONE: &str = "unsigned.example";

fn lab() -> Installation {
    let installation = Installation::new("lab");
    installation.write_zonelist(&[(ZONE, "lab")]);
    installation
}

/// kasp.xml without the keys of the policy.
fn without_keys(installation: &Installation) {
    let mut text = installation.read("kasp.xml");
    for (begin, end) in [("<KSK>", "</KSK>"), ("<ZSK>", "</ZSK>")] {
        while let Some(at) = text.find(begin) {
            let length = text[at..].find(end).expect("the element ends") + end.len();
            text.replace_range(at..at + length, "");
        }
    }
    installation.write("kasp.xml", &text);
}

/// The records of a file but for the SOA, as BIND reads them.
fn records(file: &std::path::Path) -> Vec<String> {
    let text = judges::named_compilezone(file, ZONE).expect("BIND reads the zone");
    let is_soa = |line: &&str| line.split_whitespace().nth(3) == Some("SOA");
    text.lines().filter(|line| !is_soa(line)).map(str::to_owned).collect()
}

#[test]
fn a_policy_without_keys_publishes_the_data_alone() {
    let installation = lab();
    without_keys(&installation);
    installation.write_small_zone(ZONE, 1, "@ IN DNSKEY 256 3 13 AAAA\nwww IN A 192.0.2.2\n");
    let mut daemon = installation.start();
    daemon.wait_for(&["zone will become unsigned eventually"]);
    daemon.wait_for(&[&format!("[STATS] {ZONE} "), "RRSIG[new=0 reused=0 "]);
    let signed = installation.signed(ZONE);
    let published = records(&signed);
    assert_eq!(published.len(), 3, "{published:#?}");
    // A change is a new version, judged as every other.
    let serial = serial_of(&signed);
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.3\n");
    daemon.reload();
    daemon.wait_for(&[&format!("[STATS] {ZONE} ")]);
    assert!(serial_of(&signed) > serial);
    assert!(records(&signed).iter().any(|line| line.ends_with("192.0.2.3")));
    daemon.stop();
}

#[test]
fn passthrough_leaves_the_dnssec_records_of_the_input() {
    let installation = lab();
    installation.edit("kasp.xml", "<Policy name=\"lab\">", "<Policy name=\"lab\"><Passthrough/>");
    let rrsig = |covered: &str, ttl: u32| {
        format!(
            "www {ttl} IN RRSIG {covered} 13 3 {ttl} 20300101000000 20250101000000 1 {ZONE}. AAAA\n"
        )
    };
    let more = [
        // A DNSKEY at the apex would have the zone judged as a signed one.
        "www IN DNSKEY 256 3 13 AAAA\nwww 60 IN A 192.0.2.2\nwww 30 IN TXT x\n".to_owned(),
        rrsig("A", 60),
        rrsig("TXT", 30),
        "www IN NSEC unsigned.example. A TXT RRSIG NSEC\n".to_owned(),
    ];
    installation.write_zone(ZONE, &small_zone(ZONE, 1, &more.concat()));
    let mut daemon = installation.start();
    daemon.wait_for(&[&format!("[STATS] {ZONE} ")]);
    assert_eq!(records(&installation.signed(ZONE)), records(&installation.unsigned(ZONE)));
    daemon.stop();
    // After a restart the version that stands is known, and nothing is made anew.
    let serial = serial_of(&installation.signed(ZONE));
    let mut daemon = installation.start();
    daemon.wait_for(&["skip write zone", ZONE]);
    assert_eq!(serial_of(&installation.signed(ZONE)), serial);
    daemon.stop();
}
