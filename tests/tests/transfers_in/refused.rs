//! A master that refuses: `zone show` has the RCODE and since when, until it gives us the zone; and
//! another one that gives it.

use crate::lab::{Lab, ZONE, Zone, installation};
use anchorite_tests::daemon::Installation;
use anchorite_tests::peers::{Key, Setup, Software, free_address};
use anchorite_tests::program::anchorite;
use std::process::Command;

/// The line of `zone show` about the one master.
fn master_line(installation: &Installation) -> String {
    let mut command = Command::new(anchorite());
    let output = command.args(["-s", &installation.socket(), "zone", "show", ZONE]).output();
    let text = String::from_utf8(output.expect("it was built").stdout).expect("it is text");
    let line = text.lines().find(|line| line.contains("  master 127.0.0.1:"));
    line.unwrap_or_else(|| panic!("no line about a master in {text}")).to_owned()
}

#[test]
fn a_master_that_refuses_is_shown_with_its_rcode_and_since_when() {
    let (zone, listener) = (Zone::new(), free_address());
    let key = Key::new("transfer.key", "hmac-sha256");
    let setup = Setup::primary(Software::Named, ZONE, &zone.text());
    let master = setup.with_key(key.clone()).start();
    let installation = installation(ZONE, master.address(), listener, None);
    let mut daemon = installation.start();
    daemon.wait_for(&["bad packet: zone", ZONE, "received error code REFUSED from 127.0.0.1"]);
    let line = master_line(&installation);
    assert!(line.contains(": answered REFUSED (since 20"), "{line}");
    assert!(line.ends_with("; last success -)"), "{line}");
    // With the key that it wants, all is well.
    let (tsig, by_key) = Key::in_addns(Some(&key));
    installation.edit("addns.xml", "<DNS>", &format!("<DNS>{tsig}"));
    installation.edit("addns.xml", "</Port>", &format!("</Port>{by_key}"));
    daemon.reload();
    daemon.wait_for(&["transfer done"]);
    daemon.wait_for(&["[STATS]", ZONE]);
    let line = master_line(&installation);
    assert!(line.contains(": well, last success 20"), "{line}");
    daemon.stop();
}

/// Of two masters the first refuses: the second gives the zone and each change of it, and the first
/// is told of for as long as it refuses.
#[test]
fn the_next_master_gives_what_the_first_refuses() {
    let (mut zone, listener) = (Zone::new(), free_address());
    let key = Key::new("transfer.key", "hmac-sha256");
    let refusing = Setup::primary(Software::Named, ZONE, &zone.text()).with_key(key).start();
    let giving = Setup::primary(Software::Nsd, ZONE, &zone.text()).notifying(listener).start();
    let installation = installation(ZONE, giving.address(), listener, None);
    let first = format!(
        "<RequestTransfer><Remote><Address>127.0.0.1</Address><Port>{}</Port></Remote>",
        refusing.address().port()
    );
    installation.edit("addns.xml", "<RequestTransfer>", &first);
    let daemon = Some(installation.start());
    let mut lab = Lab { master: giving, installation, daemon };
    lab.wait_for_signed(&zone);
    zone.change();
    lab.master.replace(&zone.text(), zone.serial);
    lab.wait_for_signed(&zone);
    let mut command = Command::new(anchorite());
    let output = command.args(["-s", &lab.installation.socket(), "zone", "show", ZONE]).output();
    let text = String::from_utf8(output.expect("it was built").stdout).expect("it is text");
    for (master, words) in [
        (refusing.address(), ": answered REFUSED (since 20"),
        (lab.master.address(), ": well, last success 20"),
    ] {
        let start = format!("  master {master}{words}");
        assert!(text.lines().any(|line| line.starts_with(&start)), "{start}: {text}");
    }
    lab.daemon.expect("it runs").stop();
}
