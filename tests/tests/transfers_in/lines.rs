//! What OpenDNSSEC's signer says and answers when it is told of a zone (catalogue 5.7), line by
//! line; kdig tells it.

use crate::lab::{Lab, ZONE, Zone, installation};
use anchorite_tests::daemon::small_zone;
use anchorite_tests::peers::{Setup, Software, free_address};
use dnssec::Name;
use dnssec::transfer::message::notify;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Instant;

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
         </SignerConfiguration><Adapters><Input><Adapter type=\"File\">\
         {folder}unsigned/file.example</Adapter></Input><Output><Adapter type=\"File\">{folder}signed/file.example</Adapter>\
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

    // It goes to a file: nobody may have it from here, nor ask for data of its apex.
    let mut command = Command::new("kdig");
    command.arg(format!("@{}", listener.ip())).args(["-p", &listener.port().to_string()]);
    let output = command.args(["+retry=0", ZONE, "SOA"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("REFUSED") && !said.contains("ANSWER SECTION"), "{said}");

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

/// R15: however often it is told, a master is asked once a second at most, and what is new comes.
#[test]
fn a_flood_of_notify_is_a_few_questions() {
    let (mut zone, listener) = (Zone::new(), free_address());
    let master = Setup::primary(Software::Nsd, ZONE, &zone.text()).start();
    let installation = installation(ZONE, master.address(), listener, None);
    let daemon = Some(installation.start());
    let mut lab = Lab { master, installation, daemon };
    lab.wait_for_signed(&zone);
    let apex = Name::parse(ZONE.as_bytes(), Some(&Name::root())).unwrap();
    let told = notify(7, &apex, None).octets;
    let [listed, stranger] = ["127.0.0.1:0", "127.0.0.2:0"].map(|at| UdpSocket::bind(at).unwrap());
    let began = Instant::now();
    for number in 0..10_000 {
        if number == 5_000 {
            zone.change();
            lab.master.replace(&zone.text(), zone.serial);
        }
        // A full buffer of the system is the flood's own problem.
        let _ = listed.send_to(&told, listener);
        let _ = stranger.send_to(&told, listener);
    }
    // The flood may be over before its middle is dealt with.
    tell(listener, ZONE, zone.serial, "127.0.0.1");
    lab.wait_for_signed(&zone);
    // With the first transfer, and what the last question and the change cost.
    let most = began.elapsed().as_secs() as usize + 6;
    let asked = lab.daemon().count(" request udp/ixfr=");
    assert!(asked <= most, "{asked} questions in {:?}", began.elapsed());
    lab.daemon.expect("it runs").stop();
}
