//! What operators do about what the proxy holds back: a digest that is wrong, a serial that one
//! secondary says it has, a zone that is to be unsigned; and what the parent's servers show.

use crate::lab::{NSEC, Proxy, Signer, ZONE, run};
use crate::{approves, daemon_for, free_address};
use anchorite_tests::daemon::{WAIT, small_zone};
use anchorite_tests::peers::{Peer, Setup, Software, axfr, dig};
use anchorite_tests::program::anchorite;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A primary with this zone, and a proxy that transfers from it.
fn between(text: &str, ds: Vec<String>) -> (Peer, Proxy) {
    let listen = free_address();
    let primary = Setup::primary(Software::Named, ZONE, text).notifying(listen).start();
    let proxy = Proxy::new(listen, primary.address(), ds);
    (primary, proxy)
}

fn waive(proxy: &Proxy, finding: &str) {
    let said = proxy.command_says(&[
        "audit",
        "waive",
        ZONE,
        finding,
        "--until",
        "2027-09-30",
        "--reason",
        "looked at",
    ]);
    assert!(said.contains("waived"), "{said}");
}

#[test]
fn a_zone_with_a_wrong_digest_is_held_back_until_it_is_waived() {
    let signer = Signer::new();
    let (mut primary, proxy) = between(&signer.sign(1, NSEC), vec![signer.ds()]);
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    let digest = format!("@ IN ZONEMD 2 1 1 {}", "ab".repeat(48));
    primary.replace(&signer.sign_with(2, NSEC, &digest), 2);
    daemon.wait_for(&["ALARM", "serial 2, is rejected", "A821"]);
    assert_eq!(proxy.serial(), Some(1));
    waive(&proxy, "A821");
    approves(&mut daemon, 2);
    proxy.wait_for_serial(&mut daemon, 2);
    assert_eq!(axfr(proxy.listen, ZONE, None), primary.records());
    daemon.stop();
}

#[test]
fn a_secondary_that_lies_about_its_serial_holds_nothing_that_an_operator_waives() {
    let signer = Signer::new();
    let (mut primary, proxy) = between(&signer.sign(1, NSEC), vec![signer.ds()]);
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    proxy.wait_for_serial(&mut daemon, 1);
    let mut lie = dig(proxy.listen, None);
    assert!(lie.args([ZONE, "IXFR=1000000"]).output().unwrap().status.success());
    primary.replace(&signer.sign(2, NSEC), 2);
    daemon.wait_for(&["ALARM", "serial 2, is rejected", "A609", "1000000"]);
    assert_eq!(proxy.serial(), Some(1));
    waive(&proxy, "A609");
    approves(&mut daemon, 2);
    proxy.wait_for_serial(&mut daemon, 2);
    daemon.stop();
}

#[test]
fn a_zone_goes_unsigned_when_an_operator_says_that_it_may() {
    let signer = Signer::new();
    let (mut primary, proxy) = between(&signer.sign(1, NSEC), Vec::new());
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    primary.replace(&small_zone(ZONE, 2, ""), 2);
    daemon.wait_for(&["ALARM", "serial 2, is held", "A722"]);
    assert_eq!(proxy.serial(), Some(1));
    waive(&proxy, "A722");
    approves(&mut daemon, 2);
    // And what follows needs no waiver any more.
    proxy.command_says(&["audit", "unwaive", ZONE, "A722"]);
    primary.replace(&small_zone(ZONE, 3, "www IN A 192.0.2.1"), 3);
    approves(&mut daemon, 3);
    assert!(!daemon.log().contains("unsigned eventually"), "{}", daemon.log());
    daemon.stop();
}

/// A server of the parent that shows this DS.
fn parent_with(rdata: Vec<u8>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let shown = Arc::new(Mutex::new(rdata));
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut octets = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut octets) {
            let rdata = shown.lock().unwrap();
            // The question ends with type and class, behind the first empty label.
            let name = octets[12..length].iter().position(|octet| *octet == 0).unwrap();
            let mut answer = octets[..2].to_vec();
            answer.extend([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
            answer.extend(&octets[12..12 + name + 5]);
            answer.extend([0xc0, 12, 0, 43, 0, 1, 0, 0, 14, 16]);
            answer.extend((rdata.len() as u16).to_be_bytes());
            answer.extend(&rdata[..]);
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

/// RDATA of a DS in presentation form.
fn ds_rdata(text: &str) -> Vec<u8> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let mut rdata = fields[0].parse::<u16>().unwrap().to_be_bytes().to_vec();
    rdata.extend([fields[1].parse::<u8>().unwrap(), fields[2].parse::<u8>().unwrap()]);
    let hex = fields[3..].concat();
    let octet = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    rdata.extend((0..hex.len()).step_by(2).map(octet));
    rdata
}

#[test]
fn the_ds_that_the_parents_servers_show_counts_for_a_zone_that_is_passed_through() {
    let (signer, other) = (Signer::new(), Signer::new());
    let text = signer.sign(1, NSEC);
    let server = parent_with(ds_rdata(&signer.ds()));
    let installation = daemon_for("keep", &text);
    let agent = format!(
        "<Agents><Agent><Address>{}</Address><Port>{}</Port></Agent>\
         <Interval>PT1H</Interval></Agents></Parent>",
        server.ip(),
        server.port()
    );
    installation.edit("kasp.xml", "</Parent>", &agent);
    let mut daemon = installation.start();
    approves(&mut daemon, 1);
    let (socket, begin) = (installation.socket(), Instant::now());
    let status = || {
        let mut command = Command::new(anchorite());
        command.args(["-s", &socket, "parent", "status", "--zone", ZONE]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    // Asked again in an hour: the first answer was heard.
    while !status().contains("asked next: 2") {
        assert!(begin.elapsed() < WAIT, "{}", status());
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    installation.write_zone(ZONE, &other.sign(2, NSEC));
    daemon.reload();
    daemon.wait_for(&["ALARM", "serial 2, is rejected", "A701"]);
    installation.write_zone(ZONE, &signer.sign(3, NSEC));
    daemon.reload();
    approves(&mut daemon, 3);
    daemon.stop();
}

/// A certificate of its own for `proxy.example`, in the folder of the proxy.
fn make_certificate(proxy: &Proxy) {
    let mut command = Command::new("openssl");
    command.current_dir(proxy.folder.path()).args(["req", "-x509", "-newkey", "ec", "-pkeyopt"]);
    command.args(["ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]);
    command.args(["-days", "2", "-subj", "/CN=proxy.example"]);
    run(command.args(["-addext", "subjectAltName=DNS:proxy.example"]));
}

#[test]
fn secondaries_get_the_zone_by_tls_too() {
    let (signer, by_tls) = (Signer::new(), free_address());
    let (primary, mut proxy) = between(&signer.sign(1, NSEC), vec![signer.ds()]);
    let options = ["--listen-tls", &by_tls.to_string(), "--certificate", "cert.pem"];
    proxy.options = options.map(str::to_owned).to_vec();
    // Without --key, and then without the files.
    let (status, said) = proxy.start().ended();
    assert!(!status.success() && said.contains("--key"), "{said}");
    proxy.options.extend(["--key", "key.pem"].map(str::to_owned));
    let (status, said) = proxy.start().ended();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("cert.pem"), "{said}");
    make_certificate(&proxy);
    let mut daemon = proxy.start();
    approves(&mut daemon, 1);
    let mut command = Command::new("kdig");
    command.args(["@127.0.0.1", "-p", &by_tls.port().to_string(), "+noall", "+answer"]);
    command.args(["+tls-ca=cert.pem", "+tls-hostname=proxy.example", ZONE, "AXFR"]);
    let text = run(command.current_dir(proxy.folder.path())).stdout;
    let text = String::from_utf8(text).unwrap();
    let count =
        text.lines().filter(|line| line.starts_with(|c: char| c.is_alphanumeric() || c == '*'));
    // The SOA comes twice.
    assert_eq!(count.count(), primary.records().len() + 1, "{text}");
    daemon.stop();
}
