//! A master's NOTIFY that comes in by TLS, with and without TSIG; kdig sends it.

use crate::lab::{Certificates, ZONE, installation, kdig, start, use_addns, write_addns};
use anchorite_tests::daemon::{WAIT, small_zone};
use anchorite_tests::peers::{Key, Setup, Software, free_address};
use std::time::Instant;

#[test]
fn a_notify_by_tls_is_heard_from_who_may_tell() {
    let (certificates, plain, tls) = (Certificates::new(), free_address(), free_address());
    let text = |serial| small_zone(ZONE, serial, &format!("www IN A 192.0.2.{serial}"));
    // It tells nobody of changes itself.
    let mut master = Setup::primary(Software::Named, ZONE, &text(7)).start();
    let installation = installation(&certificates, plain, Some(tls));
    use_addns(&installation, "unsigned");
    let at = master.address();
    let key = Key::new("told.example", "hmac-sha256");
    let (tsig, name) = Key::in_addns(Some(&key));
    let by_peer = |peer: &str| {
        let inner = format!(
            "{tsig}<Inbound><RequestTransfer><Remote><Address>{}</Address><Port>{}</Port></Remote>\
             </RequestTransfer><AllowNotify><Peer><Prefix>127.0.0.1</Prefix>{peer}</Peer>\
             </AllowNotify></Inbound>",
            at.ip(),
            at.port()
        );
        write_addns(&installation, &inner);
    };
    by_peer("");
    let mut daemon = start(&installation);
    daemon.wait_for(&["transfer done", "serial on disk 7"]);
    daemon.wait_for(&["[STATS]", ZONE]);

    let authority = format!("+tls-ca={}", certificates.path("ca.crt").display());
    let secured = ["+tls", &authority, "+tls-hostname=xfr.example", "+retry=0"];
    let tell = |serial: u32, with: &[&str]| {
        let notify = format!("NOTIFY={serial}");
        kdig(tls, &[&secured[..], with, &[ZONE, &notify]].concat()).1
    };
    master.replace(&text(8), 8);
    let said = tell(8, &[]);
    assert!(said.contains("NOTIFY") && said.contains("NOERROR"), "{said}");
    daemon.wait_for(&["transfer done", "serial on disk 8"]);
    daemon.wait_for(&["[STATS]", ZONE]);

    // From now on the key is demanded: without it, and with another secret, nothing is heard.
    by_peer(&name);
    daemon.reload();
    // Until then it is heard, and tells of what is there already.
    let until = Instant::now() + WAIT;
    while !tell(8, &[]).contains("NOTAUTH") {
        assert!(Instant::now() < until, "{}", daemon.log());
    }
    master.replace(&text(9), 9);
    let said = tell(9, &[]);
    assert!(said.contains("NOTAUTH"), "{said}");
    daemon.wait_for(&["unauthorized notify for zone", ZONE, "127.0.0.1"]);
    let wrong = format!("{}:{}:{}", key.algorithm, key.name, "b3RoZXIh".repeat(4));
    let said = tell(9, &["-y", &wrong]);
    assert!(said.contains("BADSIG"), "{said}");
    assert_eq!(daemon.count("serial on disk 9"), 0, "{}", daemon.log());
    let right = format!("{}:{}:{}", key.algorithm, key.name, key.secret);
    let said = tell(9, &["-y", &right]);
    assert!(said.contains("NOERROR") && !said.contains("WARNING"), "{said}");
    daemon.wait_for(&["transfer done", "serial on disk 9"]);
    daemon.stop();
}
