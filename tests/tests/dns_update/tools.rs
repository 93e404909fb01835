//! nsupdate and knsupdate: changes, prerequisites, and all that is refused.

use crate::lab::{Lab, ZONE, ask, key, request};
use anchorite_tests::daemon::WAIT;
use anchorite_tests::peers::{Key, dig, soa_serial};
use dnssec::RrType;
use dnssec::transfer::Rcode;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const TOOLS: [(&str, &[&str]); 3] =
    [("nsupdate", &[]), ("nsupdate", &["-v"]), ("knsupdate", &["-v"])];

#[test]
fn what_is_acknowledged_is_signed_and_served() {
    let mut lab = Lab::new();
    let key = key();
    for (number, (tool, options)) in TOOLS.into_iter().enumerate() {
        let before = soa_serial(lab.address, ZONE, None).unwrap();
        let name = format!("new{number}");
        let lines = format!(
            "update add {name}.{ZONE}. 300 A 192.0.2.7\nupdate add {name}.{ZONE}. 300 TXT \"a b\"\n\
             update delete h{number}.{ZONE}. A\n"
        );
        assert_eq!(lab.tell(tool, Some(&key), options, &lines), "");
        lab.wait_until(true, (&name, "A", "192.0.2.7"));
        assert!(lab.has(&name, "TXT", "\"a b\"") && !lab.has(&format!("h{number}"), "A", ""));
        assert!(!lab.served().iter().any(|line| line.starts_with(&format!("h{number}."))));
        lab.verify();
        // A secondary gets the difference: fewer records than there are hosts.
        let ixfr = format!("IXFR={before}");
        let mut command = dig(lab.address, None);
        command.args(["+tcp", "+noall", "+answer", ZONE, &ixfr]);
        let answer = command.output().unwrap().stdout;
        let count = String::from_utf8_lossy(&answer).lines().count();
        assert!((8..100).contains(&count), "{count} records: {}", String::from_utf8_lossy(&answer));
    }
    // The same again changes nothing: no version.
    let serial = soa_serial(lab.address, ZONE, None).unwrap();
    let again = format!("update add new0.{ZONE}. 300 A 192.0.2.7\n");
    assert_eq!(lab.tell("nsupdate", Some(&key), &[], &again), "");
    assert_eq!(soa_serial(lab.address, ZONE, None).unwrap(), serial);
    lab.daemon.stop();
}

#[test]
fn prerequisites_hold_or_nothing_is_done() {
    let mut lab = Lab::new();
    let key = key();
    let update = format!("update add x.{ZONE}. 60 A 192.0.2.8\n");
    for (prerequisites, code) in [
        (format!("prereq nxdomain www.{ZONE}.\n"), "YXDOMAIN"),
        (format!("prereq yxdomain nobody.{ZONE}.\n"), "NXDOMAIN"),
        (format!("prereq nxrrset www.{ZONE}. A\n"), "YXRRSET"),
        (format!("prereq yxrrset www.{ZONE}. TXT\n"), "NXRRSET"),
        (format!("prereq yxrrset www.{ZONE}. A 192.0.2.9\n"), "NXRRSET"),
        // The unsigned zone counts: no signature is a record of it.
        (format!("prereq yxrrset www.{ZONE}. RRSIG\n"), "NXRRSET"),
    ] {
        for tool in ["nsupdate", "knsupdate"] {
            let said = lab.tell(tool, Some(&key), &["-v"], &format!("{prerequisites}{update}"));
            assert!(said.contains(code), "{tool}: {prerequisites}: {said}");
        }
    }
    let held = format!(
        "prereq yxrrset www.{ZONE}. A 192.0.2.1\nprereq nxdomain x.{ZONE}.\n\
         prereq nxrrset www.{ZONE}. TXT\n{update}"
    );
    assert!(!lab.has("x", "A", "192.0.2.8"));
    assert_eq!(lab.tell("nsupdate", Some(&key), &[], &held), "");
    lab.wait_until(true, ("x", "A", "192.0.2.8"));
    // Now it is there.
    let said = lab.tell("nsupdate", Some(&key), &[], &held);
    assert!(said.contains("YXDOMAIN"), "{said}");
    // All of it is counted.
    let shown = lab.said(&["zone", "show", ZONE]);
    let lines = [
        ("  updates: 1 done; last 20", " from 127.0.0.1 with key update.key"),
        (
            "  updates refused: NXDOMAIN 2, YXDOMAIN 3, YXRRSET 2, NXRRSET 6; last YXDOMAIN 20",
            " from 127.0.0.1 with key update.key",
        ),
    ];
    for (start, end) in lines {
        let mut own = shown.lines().filter(|line| line.starts_with(start) && line.ends_with(end));
        assert!(own.next().is_some(), "{start}: {shown}");
    }
    let counted = format!("anchorite_zone_updates_total{{zone=\"{ZONE}\",rcode=\"NXRRSET\"}} 6");
    // The numbers are taken every few seconds.
    let until = Instant::now() + WAIT;
    while !lab.said(&["metrics"]).lines().any(|line| line == counted) {
        assert!(Instant::now() < until, "{}", lab.said(&["metrics"]));
        std::thread::park_timeout(Duration::from_millis(200));
    }
    lab.daemon.stop();
}

#[test]
fn who_may_not_and_what_may_not_be_is_refused() {
    let mut lab = Lab::new();
    let key = key();
    let before = lab.served();
    let good = format!("update add x.{ZONE}. 60 A 192.0.2.8\n");
    let unlisted = Key::new("other.key", "hmac-sha256");
    let unknown = Key::new("unknown.key", "hmac-sha256");
    let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    let wrong = Key { secret, ..key.clone() };
    let deleted = |what: &str| format!("update delete {what}\n");
    let dnskey = "256 3 13 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEy\
                  MzQ1Njc4OTo7PD0+Pw==";
    for (who, lines, code) in [
        (None, good.clone(), "REFUSED"),
        (Some(&unlisted), good.clone(), "BADKEY"),
        (Some(&unknown), good.clone(), "BADKEY"),
        (Some(&wrong), good.clone(), "BADSIG"),
        (Some(&key), format!("local 127.0.0.2\n{good}"), "REFUSED"),
        (
            Some(&key),
            "zone example.net\nupdate add x.example.net. 60 A 192.0.2.8\n".to_owned(),
            "NOTAUTH",
        ),
        (
            Some(&key),
            format!("zone sub.{ZONE}\nupdate add x.sub.{ZONE}. 60 A 192.0.2.8\n"),
            "NOTAUTH",
        ),
        (Some(&key), format!("{good}update add x.example.net. 60 A 192.0.2.8\n"), "NOTZONE"),
        (Some(&key), format!("{good}{}", deleted(&format!("www.{ZONE}. RRSIG"))), "REFUSED"),
        (Some(&key), format!("{good}{}", deleted(&format!("{ZONE}. NSEC"))), "REFUSED"),
        (Some(&key), format!("{good}update add {ZONE}. 60 DNSKEY {dnskey}\n"), "REFUSED"),
        // A DS where nothing is delegated.
        (
            Some(&key),
            format!("{good}update add www.{ZONE}. 60 DS 1 13 2 {}\n", "00".repeat(32)),
            "REFUSED",
        ),
    ] {
        let said = lab.tell("nsupdate", who, &["-v"], &lines);
        assert!(said.contains(code), "{lines}: {said}");
    }
    // More than the input breaker lets pass.
    let many: String = (0..250).map(|number| deleted(&format!("h{number}.{ZONE}. A"))).collect();
    let said = lab.tell("nsupdate", Some(&key), &["-v"], &many);
    assert!(said.contains("REFUSED"), "{said}");
    lab.daemon.wait_for(&["update of zone", "input breaker", "<InputLimits>"]);
    // Silently left out, by RFC 2136 §3.4.2.
    for lines in [
        deleted(&format!("{ZONE}. SOA")),
        deleted(&format!("{ZONE}. NS")),
        deleted(&format!("{ZONE}. NS ns1.{ZONE}.")),
        format!("update add www.{ZONE}. 60 CNAME x.{ZONE}.\n"),
        format!("update add alias.{ZONE}. 60 A 192.0.2.8\n"),
        format!("update add {ZONE}. 60 SOA ns1.{ZONE}. host.{ZONE}. 3 1 1 1 1\n"),
    ] {
        assert_eq!(lab.tell("nsupdate", Some(&key), &["-v"], &lines), "", "{lines}");
    }
    // What the tools do not send.
    let mut stream = TcpStream::connect(lab.address).unwrap();
    let mut check = |record, age, rcode| {
        let rcode_found = ask(&mut stream, &request(7, &[record], Duration::from_secs(age)));
        assert_eq!(rcode_found, Some(rcode), "{record:?}");
    };
    check(("x", RrType::A, 1, 60, &[192, 0, 2, 8]), 1000, Rcode::NOTAUTH);
    check(("x", RrType(255), 1, 60, &[]), 0, Rcode::FORMERR);
    check(("x", RrType(252), 255, 0, &[]), 0, Rcode::FORMERR);
    check(("x", RrType::A, 3, 60, &[192, 0, 2, 8]), 0, Rcode::FORMERR);
    check(("x", RrType::A, 1, 60, &[192, 0, 2]), 0, Rcode::FORMERR);
    assert_eq!(lab.served(), before);
    lab.daemon.stop();
}
