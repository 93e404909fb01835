//! BIND as a primary with TLS: strict by name, by pin, and opportunistic; other names and pins are
//! refused, and `zone show` says why.

use crate::lab::{Certificates, ZONE, installation, show, start, use_addns, write_addns};
use anchorite_tests::daemon::{Installation, small_zone};
use anchorite_tests::peers::{Peer, Setup, Software, free_address};
use anchorite_tests::program::anchorite;
use std::net::SocketAddr;
use std::process::Command;

fn ask_with(installation: &Installation, master: SocketAddr, tls: &str) {
    let remote = format!("<Address>{}</Address><Port>{}</Port>{tls}", master.ip(), master.port());
    let inner = format!(
        "<Inbound><RequestTransfer><Remote>{remote}</Remote></RequestTransfer><AllowNotify>\
         <Peer><Prefix>127.0.0.1</Prefix></Peer></AllowNotify></Inbound>"
    );
    write_addns(installation, &inner);
}

fn retransfer(installation: &Installation) {
    let mut command = Command::new(anchorite());
    let output = command.args(["-s", &installation.socket(), "retransfer", ZONE]).output();
    assert!(output.expect("it was built").status.success());
}

fn primary(certificates: &Certificates, listener: SocketAddr) -> Peer {
    let text = small_zone(ZONE, 7, "www IN A 192.0.2.80");
    let setup = Setup::primary(Software::Named, ZONE, &text).notifying(listener);
    setup.with_tls(certificates.tls()).start()
}

#[test]
fn whoever_does_not_prove_himself_is_not_believed() {
    let (certificates, listener) = (Certificates::new(), free_address());
    let mut master = primary(&certificates, listener);
    let installation = installation(&certificates, listener, None);
    use_addns(&installation, "unsigned");
    let at = master.tls_address();
    ask_with(&installation, at, &certificates.by_name("other.example", ""));
    let mut daemon = start(&installation);
    let wrong_pin = format!("<TLS><Pin>{}</Pin></TLS>", certificates.pin("other"));
    let wrong = [
        ("is not for this name", String::new()),
        ("none of the pins", wrong_pin),
        ("none of the pins", certificates.by_name("xfr.example", &certificates.pin("other"))),
    ];
    for (what, tls) in wrong {
        if !tls.is_empty() {
            ask_with(&installation, at, &tls);
            daemon.reload();
        }
        daemon.wait_for(&["unable to transfer zone", ZONE, "TLS handshake failed", what]);
        let shown = show(&installation, false);
        let line = shown.lines().find(|line| line.contains(&format!("master {at}: ")));
        let line = line.unwrap_or_else(|| panic!("no line for the master in {shown}"));
        assert!(line.contains(what) && line.contains("(since 20"), "{line}");
    }
    assert_eq!(daemon.count("transfer done"), 0, "{}", daemon.log());

    let right_pin = format!("<TLS><Pin>{}</Pin></TLS>", certificates.pin("server"));
    let right = [certificates.by_name("xfr.example", ""), right_pin, "<TLS/>".to_owned()];
    for (number, tls) in (0..).zip(right) {
        ask_with(&installation, at, &tls);
        daemon.reload();
        // The same serial again is no news: then the whole zone is wanted.
        if number > 0 {
            daemon.wait_for(&["already up to date"]);
            retransfer(&installation);
        }
        daemon.wait_for(&["transfer done", "serial on disk 7"]);
    }
    let shown = show(&installation, false);
    assert!(shown.contains(&format!("master {at}: well, last success 20")), "{shown}");

    // A change: told of in clear text, fetched as a difference by TLS.
    daemon.wait_for(&["[STATS]", ZONE]);
    let text = small_zone(ZONE, 8, "www IN A 192.0.2.81");
    master.replace(&text, 8);
    daemon.wait_for(&["request tcp/ixfr=7"]);
    daemon.wait_for(&["transfer done", "serial on disk 8"]);
    daemon.wait_for(&["[STATS]", ZONE]);
    let signed = installation.read(&format!("signed/{ZONE}"));
    assert!(signed.contains("192.0.2.81"), "{signed}");
    assert_eq!(daemon.count("request udp"), 0, "nothing in clear text: {}", daemon.log());
    daemon.stop();
}
