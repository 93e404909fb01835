//! The daemon and a master that turns evil (R14): the zone that stands stays, and an honest word
//! later on is heard.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use anchorite_tests::daemon::{Installation, Untouched};
use anchorite_tests::peers::free_address;
use dnssec::RrType;
use dnssec::transfer::message::{IXFR, Request};

use crate::master::{a, answer, framed, record};

const ZONE: &str = "example";

fn soa(serial: u32) -> Vec<u8> {
    let numbers = [serial, 3600, 600, 86_400, 60].map(u32::to_be_bytes).concat();
    let names = b"\x02ns\x07example\x00\x04host\x07example\x00";
    record(b"\x07example\x00", 6, 1, &[&names[..], &numbers].concat())
}

fn whole(serial: u32, count: u16) -> Vec<Vec<u8>> {
    let ns = record(b"\x07example\x00", 2, 1, b"\x02ns\x07example\x00");
    let address = record(b"\x02ns\x07example\x00", 1, 1, &[192, 0, 2, 53]);
    let records = [soa(serial), ns, address].into_iter().chain((0..count).map(a));
    records.chain([soa(serial)]).collect()
}

/// What a master answers: to IXFR, and to AXFR.
struct Answers {
    ixfr: Vec<Vec<u8>>,
    axfr: Vec<Vec<u8>>,
}

/// Answers by TCP only, for as long as the test runs.
fn master(answers: Arc<Mutex<Answers>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away has its reasons.
            let _ = stream.and_then(|stream| serve(stream, &answers));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answers: &Mutex<Answers>) -> std::io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut question)?;
    let rtype = Request::decode(&question).map(|request| request.question.rtype);
    let answers = answers.lock().unwrap();
    let records =
        if rtype.is_ok_and(|rtype| rtype == IXFR) { &answers.ixfr } else { &answers.axfr };
    stream.write_all(&framed(&[answer(&question, records)]))
}

fn installation(master: SocketAddr, listener: SocketAddr) -> Installation {
    let installation = Installation::new("lab");
    let interface = format!(
        "<WorkerThreads>4</WorkerThreads><Listener><Interface><Address>{}</Address>\
         <Port>{}</Port></Interface></Listener>",
        listener.ip(),
        listener.port()
    );
    installation.edit("conf.xml", "<WorkerThreads>4</WorkerThreads>", &interface);
    installation.let_zones_grow();
    let (ip, port) = (master.ip(), master.port());
    let addns = format!(
        "<?xml version=\"1.0\"?>\n<Adapter><DNS><Inbound><RequestTransfer><Remote>\
         <Address>{ip}</Address><Port>{port}</Port></Remote></RequestTransfer><AllowNotify>\
         <Peer><Prefix>127.0.0.1</Prefix></Peer></AllowNotify></Inbound></DNS></Adapter>\n"
    );
    installation.write("addns.xml", &addns);
    installation.write_zonelist(&[(ZONE, "lab")]);
    let file = format!("<Adapter type=\"File\">{}", installation.unsigned(ZONE).display());
    let transfer = format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
    installation.edit("zonelist.xml", &file, &transfer);
    installation
}

fn notify(listener: SocketAddr) {
    let zone = crate::master::zone();
    let told = dnssec::transfer::message::notify(7, &zone, None);
    assert_eq!(told.rtype, RrType::SOA);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&told.octets, listener).unwrap();
}

/// Changes that do not fit to what we have, then a whole zone that is cut; then an honest one.
fn check(ixfr: Vec<Vec<u8>>) {
    let good = Answers { ixfr: whole(10, 20), axfr: whole(10, 20) };
    let answers = Arc::new(Mutex::new(good));
    let listener = free_address();
    let installation = installation(master(answers.clone()), listener);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] example "]);
    let before = Untouched::look(&installation.signed(ZONE));
    let half = whole(12, 20)[..10].to_vec();
    *answers.lock().unwrap() = Answers { ixfr, axfr: half };
    notify(listener);
    daemon.wait_for(&["bad packet: zone example received bad xfr packet"]);
    daemon.wait_for(&["unable to transfer zone example", "before the transfer was complete"]);
    before.check();
    *answers.lock().unwrap() = Answers { ixfr: whole(12, 21), axfr: whole(12, 21) };
    notify(listener);
    daemon.wait_for(&["transfer done", "serial on disk 12"]);
    daemon.wait_for(&["[STATS] example "]);
    let signed = std::fs::read_to_string(installation.signed(ZONE)).unwrap();
    assert!(signed.contains("n00020.example."), "{signed}");
    daemon.stop();
}

#[test]
fn a_deletion_of_what_is_not_there() {
    check(vec![soa(11), soa(10), a(900), soa(11), soa(11)]);
}

#[test]
fn an_addition_of_what_is_there() {
    check(vec![soa(11), soa(10), soa(11), a(1), soa(11)]);
}

#[test]
fn a_gap_between_changes() {
    check(vec![soa(14), soa(10), a(1), soa(11), soa(12), a(2), soa(14), soa(14)]);
}
