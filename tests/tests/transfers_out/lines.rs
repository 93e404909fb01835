//! What OpenDNSSEC's listener answers and says (catalogue 5.8), line by line, and EXPIRE (RFC 7314)
//! as kdig reads it. A whole zone that is signed anew goes out as a difference where that is less.

use crate::lab::{Lab, ZONE};
use crate::{alone, kdig};
use anchorite_tests::daemon::small_zone;
use anchorite_tests::peers::{self, Setup, Software};
use anchorite_tests::program::anchorite;
use dnssec::transfer::message::{AXFR, IXFR, query};
use dnssec::transfer::wire::Head;
use dnssec::{Name, RrType, Serial};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What comes back by UDP; nothing: silence that would have to be waited for is not asked for here.
fn by_udp(address: SocketAddr, octets: &[u8]) -> (Head, Vec<u8>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(anchorite_tests::daemon::WAIT)).unwrap();
    socket.send_to(octets, address).unwrap();
    let mut answer = vec![0; 65_535];
    let length = socket.recv(&mut answer).unwrap();
    answer.truncate(length);
    (Head::read(&answer).unwrap(), answer)
}

/// The first message that comes back by TCP.
fn by_tcp(address: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&(octets.len() as u16).to_be_bytes()).unwrap();
    stream.write_all(octets).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    answer
}

fn asked(rtype: RrType, serial: Option<u32>) -> Vec<u8> {
    let zone = Name::parse(ZONE.as_bytes(), Some(&Name::root())).unwrap();
    query(7, &zone, rtype, serial.map(Serial)).octets
}

#[test]
fn questions_are_answered_as_by_opendnssec() {
    let mut lab = alone();
    let first = lab.serial();
    let address = lab.address;
    // AXFR by UDP: the SOA alone.
    assert_eq!(by_udp(address, &asked(AXFR, None)).0.counts[..2], [1, 1]);
    lab.daemon.wait_for(&[&format!("axfr udp overflow zone {ZONE}")]);
    // A serial that was never served.
    let all = kdig(address, &["+tcp", ZONE, "IXFR=7"]);
    assert!(all.contains("\tDNSKEY\t") && all.matches("\tSOA\t").count() == 2, "{all}");
    lab.daemon.wait_for(&[&format!("axfr fallback zone {ZONE}: nothing is known of serial 7")]);
    // Changes that fit no datagram, sooner or later; of a small zone few are kept.
    let mut serials = vec![first, first, first];
    for _ in 0..20 {
        serials.push(lab.change());
        let asked = asked(IXFR, Some(serials[serials.len() - 3]));
        let count = by_udp(address, &asked).0.counts[1];
        assert!(count == 1 || count > 4, "{count}");
    }
    let overflow = format!("ixfr udp overflow zone {ZONE}");
    if lab.daemon.count(&overflow) == 0 {
        lab.daemon.wait_for(&[&overflow]);
    }
    // Forms: opcodes that are not served, two questions, none, TC, records in the answer section.
    let good = asked(RrType::SOA, None);
    let with = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        by_udp(address, &octets).0.rcode
    };
    assert_eq!([1 << 3, 2 << 3, 6 << 3, 15 << 3].map(|opcode| with(2, opcode)), [4; 4]);
    assert_eq!([with(5, 2), with(5, 0), with(2, 2), with(7, 1)], [1; 4]);
    // Options that are not known are of no interest.
    let cookie = kdig(address, &["+cookie=0102030405060708", "+ednsopt=65001:00", ZONE, "SOA"]);
    assert!(cookie.contains("NOERROR") && !cookie.contains("COOKIE"), "{cookie}");
    // Data of the apex, and no data.
    let mx = kdig(address, &["+dnssec", ZONE, "MX"]);
    assert!(mx.contains("AUTHORITY SECTION") && mx.contains("\tSOA\t"), "{mx}");
    // When it expires, for who wants to know; small_zone says 86400.
    for rtype in ["SOA", "DNSKEY"] {
        let said = kdig(address, &["+expire", "+opt", "+header", ZONE, rtype]);
        assert_eq!(said.contains("EXPIRE: 86400"), rtype == "SOA", "{said}");
    }
    for (rtype, serial) in [(AXFR, None), (IXFR, Some(serials[serials.len() - 2]))] {
        let mut octets = asked(rtype, serial);
        // The option goes into OPT, which is the last record and has none yet.
        *octets.last_mut().unwrap() = 4;
        octets.extend([0, 9, 0, 0]);
        let told = [0, 9, 0, 4, 0, 1, 0x51, 0x80];
        assert!(by_tcp(address, &octets).ends_with(&told), "{rtype}");
        assert!(by_udp(address, &octets).1.ends_with(&told), "{rtype}");
    }
    let unasked = kdig(address, &["+opt", ZONE, "SOA"]);
    assert!(!unasked.contains("EXPIRE"), "{unasked}");
    lab.daemon.stop();
}

/// 1,100 secure delegations, and enough others to make the signatures the smaller part of the zone.
fn delegations(serial: u32) -> String {
    let mut text = String::new();
    for number in 0..1_100 {
        let digest = format!("{number:08x}").repeat(8);
        writeln!(text, "s{number} NS ns.s{number}.test.\ns{number} DS 1 13 2 {digest}").unwrap();
    }
    for number in 0..5_000 {
        for server in 0..5 {
            let host = format!("a-name-server-with-a-name-that-is-long-{server}");
            writeln!(text, "i{number} NS {host}.provider-number-{number}.test.").unwrap();
        }
    }
    small_zone(ZONE, serial, &text)
}

#[test]
fn a_zone_that_is_signed_anew_goes_out_as_a_difference() {
    let address = peers::free_address();
    let mut secondary = Setup::secondary(Software::Knot, ZONE, address).start();
    let nsec3 = "<NSEC3><OptOut/><Resalt>P100D</Resalt><Hash><Algorithm>1</Algorithm>\
                 <Iterations>0</Iterations><Salt length=\"8\"/></Hash></NSEC3>";
    let mut lab = Lab::start_with(address, &[secondary.address()], None, |installation| {
        installation.edit("kasp.xml", "<NSEC/>", nsec3);
        installation.write_zone(ZONE, &delegations(1));
    });
    let first = lab.serial();
    secondary.wait_for_serial(first);
    let before = kdig(address, &["+tcp", ZONE, "NSEC3PARAM"]);
    let mut command = Command::new(anchorite());
    command.arg0("ods-enforcer").args(["-s", &lab.installation.socket()]);
    let resalted = command.args(["policy", "resalt", "-p", "lab"]).output().unwrap();
    assert!(resalted.status.success(), "{resalted:?}");
    lab.daemon.wait_for(&["[STATS] example.com "]);
    let serial = lab.serial();
    assert_ne!(serial, first);
    assert_ne!(kdig(address, &["+tcp", ZONE, "NSEC3PARAM"]), before, "the salt is another");
    secondary.wait_for_serial(serial);
    assert_eq!(secondary.records(), lab.served());
    if lab.daemon.count("transfer ixfr of serial") == 0 {
        lab.daemon.wait_for(&["transfer ixfr of serial"]);
    }
    let log = lab.daemon.log();
    assert!(!log.contains("axfr fallback"), "{log}");
    let ixfr = kdig(address, &["+tcp", ZONE, &format!("IXFR={first}")]);
    assert_eq!(ixfr.matches("\tSOA\t").count(), 4);
    assert!(
        ixfr.matches("\tNSEC3\t").count() > 2_000 && !ixfr.contains("\ti17."),
        "{}",
        ixfr.len()
    );
    lab.verify(&secondary.records());

    // All signatures, and nothing else.
    let mut command = Command::new(anchorite());
    command.arg0("ods-signer").arg("-s").arg(lab.installation.path("engine.sock"));
    let cleared = command.args(["clear", ZONE]).output().unwrap();
    assert!(cleared.status.success(), "{cleared:?}");
    lab.daemon.wait_for(&["[STATS] example.com "]);
    let last = lab.serial();
    secondary.wait_for_serial(last);
    assert_eq!(secondary.records(), lab.served());
    let ixfr = kdig(address, &["+tcp", ZONE, &format!("IXFR={serial}")]);
    assert!(ixfr.matches("\tRRSIG\t").count() > 4_000 && !ixfr.contains("\tDS\t"));
    assert!(!lab.daemon.log().contains("axfr fallback"), "{}", lab.daemon.log());
    lab.daemon.stop();
}
