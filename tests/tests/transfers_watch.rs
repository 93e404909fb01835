//! Secondaries are watched (guard W13): BIND that may not transfer any more stays behind, which is
//! an alarm, is shown by `zone show` and `zone list`, and is over when it has the version.
//! Loopback only.

use anchorite_tests::daemon::{Daemon, Installation, small_zone};
use anchorite_tests::peers::{Setup, Software, free_address, soa_serial};
use anchorite_tests::program::anchorite;
use std::net::SocketAddr;
use std::process::Command;

const ZONE: &str = "watch.example";

fn said(installation: &Installation, words: &str) -> String {
    let mut command = Command::new(anchorite());
    command.args(["-s", &installation.socket()]).args(words.split(' '));
    let output = command.output().expect("it was built");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Lets `prefix` transfer the zone, and tells `secondary`.
fn write_addns(installation: &Installation, prefix: &str, secondary: SocketAddr) {
    let (ip, port) = (secondary.ip(), secondary.port());
    installation.write(
        "addns.xml",
        &format!(
            "<?xml version=\"1.0\"?>\n<Adapter><DNS><Outbound><ProvideTransfer><Peer>\
             <Prefix>{prefix}</Prefix></Peer></ProvideTransfer><Notify><Remote>\
             <Address>{ip}</Address><Port>{port}</Port></Remote></Notify>\
             <Watch><Alarm>PT3S</Alarm></Watch></Outbound></DNS></Adapter>\n"
        ),
    );
}

/// A new version with this address.
fn publish(installation: &Installation, daemon: &mut Daemon, serial: u32, last: u8) {
    let record = format!("www IN A 192.0.2.{last}");
    installation.write_zone(ZONE, &small_zone(ZONE, serial, &record));
    daemon.reload();
    daemon.wait_for(&["[STATS]", ZONE]);
}

#[test]
fn a_secondary_that_stays_behind_is_an_alarm_until_it_has_the_version() {
    let listener = free_address();
    let mut secondary = Setup::secondary(Software::Named, ZONE, listener).start();
    let target = secondary.address();
    let installation = Installation::new("default");
    installation.let_zones_grow();
    let (ip, port) = (listener.ip(), listener.port());
    let interface = format!(
        "<Listener><Interface><Address>{ip}</Address><Port>{port}</Port></Interface></Listener>\
         </Signer>"
    );
    installation.edit("conf.xml", "</Signer>", &interface);
    installation.write_zonelist(&[(ZONE, "default")]);
    let file = format!("<Adapter type=\"File\">{}", installation.signed(ZONE).display());
    let transfer = format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
    installation.edit("zonelist.xml", &file, &transfer);
    write_addns(&installation, "127.0.0.0/8", target);
    installation.write_zone(ZONE, &small_zone(ZONE, 7, "www IN A 192.0.2.80"));
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS]", ZONE]);
    let first = soa_serial(listener, ZONE, None).expect("it is served");
    secondary.wait_for_serial(first);
    daemon.wait_for(&[&format!("secondary {target} shows serial {first}")]);
    let shown = said(&installation, "zone show watch.example");
    assert!(shown.contains(&format!("secondary {target}: up to date")), "{shown}");

    // It hears of the next version, and may not have it.
    write_addns(&installation, "192.0.2.1", target);
    publish(&installation, &mut daemon, 8, 81);
    daemon.wait_for(&["ALARM", ZONE, &target.to_string(), "is behind for", "has serial"]);
    let shown = said(&installation, "zone show watch.example");
    assert!(shown.contains(&format!("secondary {target}: BEHIND for ")), "{shown}");
    assert!(shown.contains("acknowledged"), "{shown}");
    let listed = said(&installation, "zone list");
    assert!(listed.contains("of 1 secondaries 1 late"), "{listed}");
    let row = said(&installation, "zone list --json");
    assert!(row.contains("\"behind\":1,\"late\":1,\"unseen\":0"), "{row}");

    write_addns(&installation, "127.0.0.0/8", target);
    publish(&installation, &mut daemon, 9, 82);
    let last = soa_serial(listener, ZONE, None).expect("it is served");
    secondary.wait_for_serial(last);
    daemon.wait_for(&[&format!("secondary {target} has serial {last} and is well again")]);
    let listed = said(&installation, "zone list");
    assert!(!listed.contains("late"), "{listed}");

    // It is gone: it does not show anything, and cannot be told.
    drop(secondary);
    publish(&installation, &mut daemon, 10, 83);
    daemon.wait_for(&["ALARM", ZONE, &target.to_string(), "is behind for"]);
    let shown = said(&installation, "zone show watch.example");
    assert!(shown.contains("shows no serial since 20"), "{shown}");
    assert!(shown.contains("telling of serial"), "{shown}");
    daemon.stop();
}
