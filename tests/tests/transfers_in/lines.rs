//! What OpenDNSSEC's signer says and answers when it is told of a zone (catalogue 5.7), line by
//! line; kdig tells it.

use crate::lab::{Lab, ZONE, Zone, installation};
use anchorite_tests::daemon::small_zone;
use anchorite_tests::peers::{Setup, Software, free_address};
use std::net::SocketAddr;
use std::process::Command;

/// Tells of a serial, from an address; what is answered.
fn tell(at: SocketAddr, zone: &str, serial: u32, from: &str) -> String {
    let mut command = Command::new("kdig");
    command.arg(format!("@{}", at.ip())).args(["-p", &at.port().to_string(), "-b", from]);
    let output = command.args(["+retry=0", zone, &format!("NOTIFY={serial}")]).output();
    let output = output.expect("kdig is installed (cargo xtask setup)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn notify_is_answered_and_told_of_as_by_opendnssec() {
    let (zone, listener) = (Zone::new(), free_address());
    let master = Setup::primary(Software::Nsd, ZONE, &zone.text()).start();
    let installation = installation(ZONE, master.address(), listener, None);
    installation.write_zone("file.example", &small_zone("file.example", 1, ""));
    let folder = installation.path("").to_string_lossy().into_owned();
    let other = format!(
        "<Zone name=\"file.example\"><Policy>default</Policy><SignerConfiguration>{folder}signer/f\
         </SignerConfiguration><Adapters><Input><Adapter type=\"File\">{folder}unsigned/file.example\
         </Adapter></Input><Output><Adapter type=\"File\">{folder}signed/file.example</Adapter>\
         </Output></Adapters></Zone></ZoneList>"
    );
    installation.edit("zonelist.xml", "</ZoneList>", &other);
    let daemon = Some(installation.start());
    let mut lab = Lab { master, installation, daemon };
    lab.wait_for_signed(&zone);

    let said = tell(listener, ZONE, zone.serial, "127.0.0.1");
    assert!(said.contains("NOERROR"), "{said}");
    let serial = zone.serial;
    lab.daemon().wait_for(&[&format!("ignore notify: already got zone {ZONE} serial {serial}")]);
    // Of something newer, which the master does not have.
    tell(listener, ZONE, serial + 1, "127.0.0.1");
    let current = format!("got update indicating current serial {serial} from 127.0.0.1");
    lab.daemon().wait_for(&[&format!("zone {ZONE} {current}")]);
    let said = tell(listener, ZONE, serial + 1, "127.0.0.2");
    assert!(said.contains("NOTAUTH"), "{said}");
    lab.daemon().wait_for(&[&format!("unauthorized notify for zone {ZONE} from 127.0.0.2")]);
    let said = tell(listener, "file.example", 2, "127.0.0.1");
    assert!(said.contains("NOTAUTH"), "a zone that comes from a file: {said}");

    // A master that goes back: what we have stays.
    let mut older = Zone::new();
    older.serial = serial - 1;
    lab.master.replace(&older.text(), older.serial);
    tell(listener, ZONE, serial + 2, "127.0.0.1");
    let ignored = format!("zone {ZONE} ignoring old serial {} from 127.0.0.1", older.serial);
    lab.daemon().wait_for(&[&format!("{ignored} (have {serial})")]);
    assert_eq!(lab.ours(), zone.wanted());
    // An order takes it, whatever its serial; what is published goes on rising.
    let before = lab.output_serial();
    lab.signer(&format!("retransfer {ZONE}"));
    lab.daemon().wait_for(&["transfer done", &format!("serial on disk {},", older.serial)]);
    if older.wanted() != zone.wanted() {
        while lab.ours() != older.wanted() {
            lab.daemon().wait_for(&["[STATS]", ZONE]);
        }
        assert!(lab.output_serial() > before);
    }
    lab.daemon.expect("it runs").stop();
}
