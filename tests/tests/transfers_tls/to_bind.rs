//! BIND as a secondary that transfers by TLS, is told by TLS, and is watched by TLS; kdig as a
//! client by TLS.

use crate::lab::{Certificates, ZONE, installation, kdig, show, start, use_addns, write_addns};
use anchorite_tests::daemon::small_zone;
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::peers::{Setup, Software, axfr, free_address};

#[test]
fn bind_transfers_is_told_and_is_watched_by_tls() {
    let certificates = Certificates::new();
    let (plain, tls) = (free_address(), free_address());
    // BIND starts first, so that its address can be told.
    let setup = Setup::secondary(Software::Named, ZONE, tls).with_tls(certificates.tls());
    let mut secondary = setup.start();
    let told = secondary.tls_address();
    let pin = certificates.pin("server");
    let inner = format!(
        "<Outbound><ProvideTransfer><Peer><Prefix>127.0.0.0/8</Prefix></Peer></ProvideTransfer>\
         <Notify><Remote><Address>{}</Address><Port>{}</Port><TLS><Pin>{pin}</Pin></TLS></Remote>\
         </Notify></Outbound>",
        told.ip(),
        told.port()
    );
    let installation = installation(&certificates, plain, Some(tls));
    write_addns(&installation, &inner);
    use_addns(&installation, "signed");
    installation.write_zone(ZONE, &small_zone(ZONE, 7, "www IN A 192.0.2.80"));
    let mut daemon = start(&installation);
    let knows = format!("{told} knows of serial");
    daemon.wait_for_all(&[&["[STATS]", ZONE], &[&knows]]);
    let serial = anchorite_tests::peers::soa_serial(plain, ZONE, None).expect("it is served");
    secondary.wait_for_serial(serial);
    daemon.wait_for(&[&format!("secondary {told} shows serial {serial}")]);
    let shown = show(&installation, true);
    let standing = format!("\"address\":\"{told}\",\"standing\":\"current\",\"lag_seconds\":0");
    assert!(shown.contains(&standing), "{shown}");
    assert!(shown.contains("\"state\":\"acknowledged\""), "{shown}");

    // The next version: told by TLS, fetched by TLS, the same at both.
    installation.write_zone(ZONE, &small_zone(ZONE, 8, "www IN A 192.0.2.81"));
    daemon.reload();
    daemon.wait_for_all(&[&["[STATS]", ZONE], &[&knows]]);
    let serial = anchorite_tests::peers::soa_serial(plain, ZONE, None).expect("it is served");
    secondary.wait_for_serial(serial);
    assert_eq!(secondary.records(), axfr(plain, ZONE, None));
    let file = installation.path("transferred");
    std::fs::write(&file, secondary.records().join("\n") + "\n").expect("it can be written");
    dnssec_verify(&file, ZONE).expect("the zone is good");

    let authority = format!("+tls-ca={}", certificates.path("ca.crt").display());
    let by = |name: &str, rest: &[&str]| {
        let host = format!("+tls-hostname={name}");
        let words = [&["+tls", "+retry=0", authority.as_str(), host.as_str()], rest].concat();
        kdig(tls, &words)
    };
    let (good, said) = by("xfr.example", &[ZONE, "AXFR"]);
    assert!(good && said.matches("SOA").count() > 1 && said.contains("192.0.2.81"), "{said}");
    let (good, said) = by("other.example", &[ZONE, "AXFR"]);
    assert!(!good && !said.contains("192.0.2.81"), "{said}");
    let (good, said) = kdig(tls, &["+tls", "+retry=0", &format!("+tls-pin={pin}"), ZONE, "SOA"]);
    assert!(good && said.contains(&serial.to_string()), "{said}");
    // No clear text at the port for TLS.
    let (_, said) = kdig(tls, &["+tcp", "+retry=0", "+time=2", ZONE, "SOA"]);
    assert!(!said.contains("NOERROR"), "{said}");
    daemon.stop();
}
