//! The judges themselves: each accepts a zone that BIND signed and rejects it after one octet of it
//! changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anchorite_tests::judges::{self, Expect};

struct Signed {
    folder: tempfile::TempDir,
    origin: &'static str,
}

impl Signed {
    /// Signs a file of the repository with `dnssec-signzone`.
    fn make(zone: &str, origin: &'static str, algorithm: &str, options: &[&str]) -> Signed {
        let folder = tempfile::tempdir().unwrap();
        let unsigned = judges::repository_file(zone);
        for kind in [&["-f", "KSK"][..], &[]] {
            let mut keygen = Command::new("dnssec-keygen");
            keygen.args(["-q", "-a", algorithm]).args(kind).arg(origin).current_dir(&folder);
            let output = judges::run(&mut keygen);
            assert!(output.status.success(), "{output:?}");
        }
        let mut signzone = Command::new("dnssec-signzone");
        signzone.args(["-q", "-S", "-o", origin, "-f", "signed"]).args(options);
        let output = judges::run(signzone.arg(unsigned).current_dir(&folder));
        assert!(output.status.success(), "{output:?}");
        Signed { folder, origin }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("signed")
    }

    fn ds(&self) -> String {
        fs::read_to_string(self.folder.path().join(format!("dsset-{}", self.origin))).unwrap()
    }

    /// A copy in which `from` reads `to`.
    fn tampered(&self, from: &str, to: &str) -> PathBuf {
        let text = fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(from), "nothing to tamper with");
        let file = self.folder.path().join("tampered");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        file
    }
}

const EXAMPLE: &str = "examples/zones/example.com.zone";
const P256: &str = "ECDSAP256SHA256";
const OPT_OUT: &[&str] = &["-3", "-", "-H", "0", "-A"];

#[track_caller]
fn check_verifiers(good: &Path, tampered: &Path, origin: &str) {
    judges::all(good, origin).unwrap();
    judges::dnssec_verify(tampered, origin).unwrap_err();
    judges::kzonecheck(tampered, origin).unwrap_err();
    judges::ldns_verify_zone(tampered).unwrap_err();
}

#[test]
fn verifiers_accept_nsec_and_reject_a_changed_address() {
    let zone = Signed::make(EXAMPLE, "example.com.", P256, &[]);
    let tampered = zone.tampered("203.0.113.54", "203.0.113.55");
    // Glue is not signed, so a change there is no fault in anybody's eyes.
    judges::all(&tampered, zone.origin).unwrap();
    let tampered = zone.tampered("192.0.2.25", "192.0.2.26");
    check_verifiers(&zone.file(), &tampered, zone.origin);
}

#[test]
fn verifiers_accept_nsec3_and_reject_a_changed_address() {
    let zone = Signed::make(EXAMPLE, "example.com.", P256, &["-3", "-", "-H", "0"]);
    let tampered = zone.tampered("192.0.2.25", "192.0.2.26");
    check_verifiers(&zone.file(), &tampered, zone.origin);
}

#[test]
fn verifiers_accept_the_hard_cases_that_bind_signed() {
    let zone = Signed::make("tests/zones/hard-cases.zone", "hard.example.", P256, &[]);
    let tampered = zone.tampered("five labels down", "five labels DOWN");
    check_verifiers(&zone.file(), &tampered, zone.origin);

    let zone = Signed::make("tests/zones/beyond-knot.zone", "beyond.example.", P256, &[]);
    judges::dnssec_verify(&zone.file(), zone.origin).unwrap();
    judges::ldns_verify_zone(&zone.file()).unwrap();
    judges::kzonecheck(&zone.file(), zone.origin).unwrap_err();
}

#[test]
fn validns_accepts_rsa_and_rejects_a_changed_address() {
    let zone = Signed::make("examples/zones/example.org.zone", "example.org.", "RSASHA256", &[]);
    judges::validns(&zone.file(), zone.origin).unwrap();
    judges::validns(&zone.tampered("192.0.2.91", "192.0.2.92"), zone.origin).unwrap_err();
}

#[test]
fn unbound_proves_answers_and_their_absence() {
    let zone = Signed::make(EXAMPLE, "example.com.", P256, &[]);
    let questions = [
        ("mail.example.com.", "A", Expect::Secure),
        ("www.example.com.", "AAAA", Expect::Secure),
        ("anybody.customers.example.com.", "A", Expect::Secure),
        ("lab.example.com.", "DS", Expect::Secure),
        ("workshop.example.com.", "DS", Expect::NoDataSecure),
        ("mail.example.com.", "TXT", Expect::NoDataSecure),
        ("_tcp.example.com.", "A", Expect::NoDataSecure),
        ("nobody.example.com.", "A", Expect::NxDomainSecure),
    ];
    judges::resolve_secure(zone.origin, &zone.file(), &zone.ds(), &questions).unwrap();

    let question = [("mail.example.com.", "A", Expect::Secure)];
    let tampered = zone.tampered("192.0.2.25", "192.0.2.26");
    judges::resolve_secure(zone.origin, &tampered, &zone.ds(), &question).unwrap_err();
    let other = Signed::make(EXAMPLE, "example.com.", P256, &[]);
    judges::resolve_secure(zone.origin, &zone.file(), &other.ds(), &question).unwrap_err();
}

#[test]
fn unbound_takes_an_opted_out_delegation_as_insecure() {
    let zone = Signed::make(EXAMPLE, "example.com.", P256, OPT_OUT);
    let questions = [
        ("workshop.example.com.", "DS", Expect::Insecure),
        ("lab.example.com.", "DS", Expect::Secure),
    ];
    judges::resolve_secure(zone.origin, &zone.file(), &zone.ds(), &questions).unwrap();
}

#[test]
fn compiled_text_is_the_same_for_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let other_form = folder.path().join("zone");
    let text = fs::read_to_string(judges::repository_file(EXAMPLE)).unwrap();
    fs::write(&other_form, text.replace("$TTL 1h", "$TTL 3600")).unwrap();
    let compile = |file: &Path| judges::named_compilezone(file, "example.com.").unwrap();
    let compiled = compile(&judges::repository_file(EXAMPLE));
    assert_eq!(compiled, compile(&other_form));
    fs::write(&other_form, text.replace("192.0.2.25", "192.0.2.26")).unwrap();
    assert_ne!(compiled, compile(&other_form));
}

#[test]
fn foreign_readers_take_the_zones_of_this_repository() {
    for (zone, origin, records) in [
        (EXAMPLE, "example.com.", 30),
        ("examples/zones/example.org.zone", "example.org.", 10),
        ("tests/zones/hard-cases.zone", "hard.example.", 75),
        ("tests/zones/every-type.zone", "types.example.", 75),
        ("tests/zones/beyond-knot.zone", "beyond.example.", 14),
    ] {
        let compiled = judges::named_compilezone(&judges::repository_file(zone), origin).unwrap();
        assert!(compiled.lines().count() >= records, "{zone}: {}", compiled.lines().count());
    }
    assert_eq!(judges::root_zone_text().lines().count(), 17_196);
}
