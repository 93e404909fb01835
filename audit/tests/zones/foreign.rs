//! Zones that BIND, ldns and Knot sign must be approved, for each algorithm and kind of denial; and
//! rejected as soon as one record of them is taken away.
//!
//! Needs Debian packages: `cargo xtask setup` installs them. Times are fixed, so no clock is read.

use std::path::Path;
use std::process::Command;

use crate::common::{DNSKEY, RRSIG, Rr, audit_bytes, block, name};
use audit::{Denial, Expectations, Verdict, Zones};

/// 15 January 2027: inside of the signatures' validity, which begins in 2026 and ends in 2040.
const NOW: u64 = 1_800_000_000;
const INCEPTION: &str = "20260101000000";
const EXPIRATION: &str = "20400101000000";

const ZONE: &str = r#"$ORIGIN example.
$TTL 3600
@ IN SOA ns1 hostmaster 2027011500 7200 900 1209600 600
@ NS ns1
@ NS ns.other.
@ MX 10 Mail
@ TXT "v=spf1 -all" "second string"
@ CAA 0 issue "ca.example.net"
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
Mail 60 A 192.0.2.3
WWW CNAME Mail.Example.
_sip._tcp SRV 1 2 5060 Sip.example.
sip NAPTR 100 50 "s" "SIP+D2T" "" _sip._tcp.Example.
svc HTTPS 1 . alpn=h2
deep.er.ent TXT deep
*.wild TXT wild
*.wild A 192.0.2.5
tree DNAME other.
safe NS ns.safe
safe DS 12345 13 2 0707070707070707070707070707070707070707070707070707070707070707
ns.safe A 192.0.2.8
sub NS ns.sub
ns.sub A 192.0.2.9
ns.sub AAAA 2001:db8::9
lone.only NS ns1
one.mixed NS ns1
two.mixed TXT authoritative
under.sub.x NS ns1
a\.dot\032space TXT odd
unknown TYPE65280 \# 3 010203
"#;

/// Runs a tool; a missing tool is a defect of the set-up, not a reason to skip.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; run cargo xtask setup"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}{errors}");
    text
}

/// Reads a zone file by way of BIND's raw format: per RRset a head, the owner, then the RDATA.
fn records(folder: &Path, file: &str) -> Vec<Rr> {
    let raw = format!("{file}.raw");
    let lax = ["-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-r", "ignore"];
    let tail = ["-F", "raw", "-o", &raw, "example.", file];
    run(folder, "named-compilezone", &[&lax[..], &tail].concat());
    let bytes = std::fs::read(folder.join(raw)).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let short = |at: usize| u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap());
    assert_eq!((number(0), number(4)), (2, 1), "raw format, version 1");
    let (mut records, mut at) = (Vec::new(), 24);
    while at < bytes.len() {
        // Head: length(4) class(2) type(2) covers(2) ttl(4) count(4), then the owner.
        let (class, rtype, ttl, count) =
            (short(at + 4), short(at + 6), number(at + 10), number(at + 14));
        let owner_length = usize::from(short(at + 18));
        let owner = bytes[at + 20..at + 20 + owner_length].to_vec();
        at += 20 + owner_length;
        for _ in 0..count {
            let length = usize::from(short(at));
            let rdata = bytes[at + 2..at + 2 + length].to_vec();
            records.push(Rr { owner: owner.clone(), rtype, class, ttl, rdata });
            at += 2 + length;
        }
    }
    records
}

fn expectations(denial: Denial, candidate: &[Rr]) -> Expectations {
    let mut expectations = Expectations::new(name("example"), NOW, denial);
    let keys = candidate.iter().filter(|record| record.rtype == DNSKEY);
    expectations.dnskeys = Some(keys.map(|record| record.rdata.clone()).collect());
    expectations.refresh_seconds = 86_400;
    expectations
}

fn nsec3(iterations: u16, salt: &[u8], opt_out: bool) -> Denial {
    Denial::Nsec3 { hash_algorithm: 1, iterations, salt: salt.to_vec(), opt_out }
}

/// The zone must be approved; and rejected when any of its records is missing.
#[track_caller]
fn check(folder: &Path, signed: &str, denial: Denial) {
    let candidate = records(folder, signed);
    let source = block(&records(folder, "zone"));
    let expectations = expectations(denial, &candidate);
    let report = audit_bytes(&block(&candidate), &source, &expectations);
    let lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    assert_eq!(report.verdict(), Verdict::Approve);
    assert!(report.counts.signatures_verified > 20);

    for at in 0..candidate.len() {
        // A key set signed twice, by KSK and ZSK, can do without the ZSK's signature.
        let record = &candidate[at];
        if record.rtype == RRSIG && record.rdata[..2] == DNSKEY.to_be_bytes() {
            continue;
        }
        let mut fewer = candidate.clone();
        fewer.remove(at);
        let (fewer, source) = (block(&fewer), [source.as_slice()]);
        let zones = Zones { candidate: &[&fewer], source: Some(&source) };
        let report = audit::audit(zones, &expectations).unwrap();
        assert_eq!(report.verdict(), Verdict::Reject, "without {record:?}");
    }
}

/// Writes the zone file and makes a KSK and a ZSK with BIND; gives the base names of the keys.
fn prepare(folder: &Path, algorithm: &str) -> [String; 2] {
    std::fs::write(folder.join("zone"), ZONE).unwrap();
    let size: &[&str] = if algorithm.starts_with("RSA") { &["-b", "2048"] } else { &[] };
    [&["-f", "KSK"][..], &[]].map(|role| {
        let arguments = [&["-a", algorithm], size, role, &["example."]].concat();
        run(folder, "dnssec-keygen", &arguments).trim().to_owned()
    })
}

#[track_caller]
fn check_bind(algorithm: &str, options: &[&str], denial: Denial) {
    let folder = tempfile::tempdir().unwrap();
    let [ksk, zsk] = prepare(folder.path(), algorithm);
    let mut zone = ZONE.to_owned();
    for key in [&ksk, &zsk] {
        zone += &std::fs::read_to_string(folder.path().join(format!("{key}.key"))).unwrap();
    }
    std::fs::write(folder.path().join("zone-with-keys"), zone).unwrap();
    let times = ["-o", "example.", "-s", INCEPTION, "-e", EXPIRATION, "-f", "signed"];
    let files = ["-k", &ksk, "zone-with-keys", &zsk];
    run(folder.path(), "dnssec-signzone", &[options, &times, &files].concat());
    check(folder.path(), "signed", denial);
}

#[test]
fn bind_ecdsa_p256_nsec() {
    check_bind("ECDSAP256SHA256", &[], Denial::Nsec);
}

#[test]
fn bind_ecdsa_p384_nsec3() {
    check_bind("ECDSAP384SHA384", &["-3", "-", "-H", "0"], nsec3(0, &[], false));
}

#[test]
fn bind_ed25519_nsec3_with_salt() {
    check_bind("ED25519", &["-3", "aabbcc", "-H", "5"], nsec3(5, &[0xaa, 0xbb, 0xcc], false));
}

#[test]
fn bind_rsasha256_nsec3_opt_out() {
    check_bind("RSASHA256", &["-3", "-", "-A", "-H", "0"], nsec3(0, &[], true));
}

#[test]
fn bind_rsasha512_nsec() {
    check_bind("RSASHA512", &["-x"], Denial::Nsec);
}

#[test]
fn bind_rsasha1_nsec() {
    check_bind("RSASHA1", &[], Denial::Nsec);
}

#[test]
fn bind_nsec3rsasha1_opt_out() {
    check_bind("NSEC3RSASHA1", &["-3", "01", "-A", "-H", "1"], nsec3(1, &[1], true));
}

#[track_caller]
fn check_ldns(algorithm: &str, options: &[&str], denial: Denial) {
    let folder = tempfile::tempdir().unwrap();
    let [ksk, zsk] = prepare(folder.path(), algorithm);
    let times = ["-o", "example.", "-i", INCEPTION, "-e", EXPIRATION, "-f", "signed"];
    let files = ["zone", &ksk, &zsk];
    run(folder.path(), "ldns-signzone", &[options, &times, &files].concat());
    check(folder.path(), "signed", denial);
}

#[test]
fn ldns_ecdsa_p256_nsec() {
    check_ldns("ECDSAP256SHA256", &[], Denial::Nsec);
}

#[test]
fn ldns_ed25519_nsec3() {
    check_ldns("ED25519", &["-n", "-s", "ab", "-t", "2"], nsec3(2, &[0xab], false));
}

#[track_caller]
fn check_knot(algorithm: &str, settings: &str, denial: Denial) {
    let folder = tempfile::tempdir().unwrap();
    // Knot lowers names in RDATA, which the auditor would report as A603.
    let names = [("Mail", "mail"), ("WWW", "www"), ("Example", "example"), ("Sip.", "sip.")];
    let zone = names.iter().fold(ZONE.to_owned(), |zone, (from, to)| zone.replace(from, to));
    std::fs::write(folder.path().join("zone"), zone).unwrap();
    let path = folder.path().display();
    let configuration = format!(
        "database:\n    storage: {path}\n\
         policy:\n  - id: p\n    algorithm: {algorithm}\n    rrsig-lifetime: 4000d\n{settings}\
         template:\n  - id: default\n    storage: {path}\n\
         zone:\n  - domain: example.\n    file: zone\n    dnssec-signing: on\n    \
         dnssec-policy: p\n    zonemd-generate: none\n"
    );
    std::fs::write(folder.path().join("knot.conf"), configuration).unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let time = NOW.to_string();
    run(folder.path(), "kzonesign", &["-c", "knot.conf", "-o", "out", "-t", &time, "example."]);
    check(folder.path(), "out/zone", denial);
}

#[test]
fn knot_ecdsa_p256_nsec() {
    check_knot("ecdsap256sha256", "", Denial::Nsec);
}

#[test]
fn knot_ed25519_nsec3_opt_out() {
    let settings = "    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n    \
                    nsec3-opt-out: on\n";
    check_knot("ed25519", settings, nsec3(0, &[], true));
}
