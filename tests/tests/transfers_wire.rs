//! Our messages and TSIG against the other name servers: SOA, AXFR and IXFR queries and NOTIFY as
//! they take them, and their answers, whole streams among them, as our verifier takes them.
//! RFC 8945 §5.3 and §5.3.1; dig, kdig and nsupdate as the other side of our server's half.
//! In: a zone of some thousand records. Never: the daemon.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anchorite_tests::daemon::{WAIT, small_zone};
use anchorite_tests::peers::{Key, Setup, Software};
use data_encoding::BASE64;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{AXFR, Answer, Asked, Opcode, Request, notify, query};
use dnssec::transfer::tsig::{TsigAlgorithm, TsigFault, TsigKey, Verifier, sign_request};
use dnssec::transfer::wire::Head;
use dnssec::{Name, RrType, Serial, Timestamp};
use zeroize::Zeroizing;

const ZONE: &str = "zone.example";

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), Some(&Name::root())).unwrap()
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

fn ours(key: &Key) -> Arc<TsigKey> {
    let secret = Zeroizing::new(BASE64.decode(key.secret.as_bytes()).unwrap());
    let algorithm = TsigAlgorithm::from_mnemonic(&key.algorithm).unwrap();
    Arc::new(TsigKey::new(name(&key.name), algorithm, secret))
}

fn key(algorithm: TsigAlgorithm) -> Key {
    Key::new("transfer.example", algorithm.mnemonic())
}

/// A zone that no single message holds.
fn large_zone(serial: u32) -> String {
    let records: String = (0..3000)
        .map(|i| format!("host-{i} IN TXT \"some text that takes its room in a message {i}\"\n"))
        .collect();
    small_zone(ZONE, serial, &records)
}

fn send(stream: &mut TcpStream, octets: &[u8]) {
    stream.write_all(&u16::try_from(octets.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(octets).unwrap();
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut octets).unwrap();
    octets
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

/// Sends a request signed with `key` by UDP; the answer, and what verifies it.
fn by_udp(
    address: SocketAddr,
    asked: &Asked,
    key: &Arc<TsigKey>,
    at: Timestamp,
) -> (Vec<u8>, Verifier) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut octets = asked.octets.clone();
    let verifier = sign_request(key, &mut octets, at);
    socket.send(&octets).unwrap();
    let mut answer = vec![0; 65_535];
    let length = socket.recv(&mut answer).unwrap();
    answer.truncate(length);
    (answer, verifier)
}

/// Transfers the zone; the records of the answers, and how many messages they were in.
fn transfer(address: SocketAddr, key: &Arc<TsigKey>) -> (u32, usize) {
    let asked = query(7, &name(ZONE), AXFR, None);
    let mut octets = asked.octets.clone();
    let mut verifier = sign_request(key, &mut octets, now());
    let mut stream = connect(address);
    send(&mut stream, &octets);
    let (mut records, mut messages) = (0, 0);
    // 3,000 texts, SOA, NS, address, and the SOA again.
    while records < 3004 {
        let message = receive(&mut stream);
        verifier.verify(&message, now()).unwrap();
        let head = Head::read(&message).unwrap();
        assert!(asked.is_answered_by(&head) && head.rcode == 0, "{head:?}");
        records += u32::from(head.counts[1]);
        messages += 1;
    }
    verifier.finish().unwrap();
    (records, messages)
}

#[test]
fn streams_of_others_verify_whole() {
    for software in Software::ALL {
        for algorithm in [TsigAlgorithm::HmacSha256, TsigAlgorithm::HmacSha512] {
            let key = key(algorithm);
            let setup = Setup::primary(software, ZONE, &large_zone(1)).with_key(key.clone());
            let (records, messages) = transfer(setup.start().address(), &ours(&key));
            assert_eq!(records, 3004, "{software:?}");
            assert!(messages > 2, "{software:?}: {messages} messages");
        }
    }
}

#[test]
fn each_algorithm_is_the_others() {
    for algorithm in TsigAlgorithm::ALL {
        for software in [Software::Named, Software::Knot, Software::Nsd] {
            let key = key(algorithm);
            let text = small_zone(ZONE, 7, "");
            let server = Setup::primary(software, ZONE, &text).with_key(key.clone()).start();
            let asked = query(9, &name(ZONE), RrType::SOA, None);
            let (answer, mut verifier) = by_udp(server.address(), &asked, &ours(&key), now());
            verifier.verify(&answer, now()).unwrap();
            verifier.finish().unwrap();
            let response = asked.response(&answer).unwrap();
            assert_eq!(response.serial, Some(Serial(7)), "{software:?} {algorithm}");
            assert!(response.is_authoritative);
        }
    }
}

#[test]
fn refusals_of_others_are_understood() {
    let good = key(TsigAlgorithm::HmacSha256);
    let stranger = Key { name: "stranger.example".to_owned(), ..good.clone() };
    let liar = Key { secret: BASE64.encode(b"guess"), ..good.clone() };
    let asked = query(9, &name(ZONE), RrType::SOA, None);
    for software in [Software::Named, Software::Knot, Software::Nsd] {
        let setup = Setup::primary(software, ZONE, &small_zone(ZONE, 7, ""));
        let server = setup.with_key(good.clone()).start();
        let fault = |key: &Key, at: Timestamp| {
            let (answer, mut verifier) = by_udp(server.address(), &asked, &ours(key), at);
            assert_eq!(asked.response(&answer).unwrap().rcode, Rcode::NOTAUTH, "{software:?}");
            verifier.verify(&answer, now()).unwrap_err()
        };
        let refused = |error| TsigFault::Refused { error, peer_time: None };
        assert_eq!(fault(&stranger, now()), refused(Rcode::BADKEY), "{software:?}");
        assert_eq!(fault(&liar, now()), refused(Rcode::BADSIG), "{software:?}");
        let late = fault(&good, Timestamp(now().0 - 4000));
        let TsigFault::Refused { error: Rcode::BADTIME, peer_time: Some(time) } = late else {
            panic!("{software:?}: {late}");
        };
        assert!(time.0.abs_diff(now().0) < 60, "{software:?} tells its time: {time:?}");
    }
}

#[test]
fn notify_is_acknowledged_by_others() {
    let key = key(TsigAlgorithm::HmacSha256);
    let primary = Setup::primary(Software::Named, ZONE, &small_zone(ZONE, 7, ""));
    let primary = primary.with_key(key.clone()).start();
    for software in Software::ALL {
        let setup = Setup::secondary(software, ZONE, primary.address()).with_key(key.clone());
        let mut secondary = setup.start();
        secondary.wait_for_serial(7);
        let told = notify(3, &name(ZONE), None);
        let (answer, mut verifier) = by_udp(secondary.address(), &told, &ours(&key), now());
        verifier.verify(&answer, now()).unwrap_or_else(|fault| panic!("{software:?}: {fault}"));
        assert_eq!(told.response(&answer).unwrap().rcode, Rcode::NOERROR, "{software:?}");
    }
}

/// Runs a client against a socket of ours; its request, whose TSIG verifies, is answered. What
/// the client prints.
fn answer_client(mut command: Command, socket: &UdpSocket, key: &Key) -> (Request, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the client is installed (cargo xtask setup)");
    let mut octets = vec![0; 65_535];
    let (length, peer) = socket.recv_from(&mut octets).unwrap();
    let request = Request::decode(&octets[..length]).unwrap();
    let record = request.tsig.as_ref().unwrap();
    let mut signer = record.verify(&octets[..length], Some(&ours(key)), now()).unwrap();
    let mut answer = Answer::new(&request, Rcode::REFUSED).finish(512);
    signer.sign(&mut answer, now());
    socket.send_to(&answer, peer).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (request, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn requests_of_dig_and_kdig_verify_and_they_verify_our_answers() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    for algorithm in TsigAlgorithm::ALL {
        let key = key(algorithm);
        let secret = format!("{algorithm}:{}:{}", key.name, key.secret);
        for (program, quiet) in [("dig", "+tries=1"), ("kdig", "+retry=0")] {
            let mut command = Command::new(program);
            command.args(["@127.0.0.1", "-p", &port, quiet, "-y", &secret, ZONE, "SOA"]);
            let (request, text) = answer_client(command, &socket, &key);
            assert_eq!((request.opcode, request.question.rtype), (Opcode::Query, RrType::SOA));
            assert!(text.contains("REFUSED"), "{program} {algorithm}: {text}");
            let complaints = ["verify", "BADSIG", "WARNING: TSIG", "invalid"];
            let complains = complaints.iter().any(|word| text.contains(word));
            assert!(!complains, "{program} {algorithm}: {text}");
        }
    }
}

#[test]
fn an_update_of_nsupdate_verifies() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let key = key(TsigAlgorithm::HmacSha256);
    let script = tempfile::NamedTempFile::new().unwrap();
    let text =
        format!("server 127.0.0.1 {port}\nzone {ZONE}\nupdate add a.{ZONE} 5 A 192.0.2.1\nsend\n");
    std::fs::write(script.path(), text).unwrap();
    let mut command = Command::new("nsupdate");
    command.args(["-y", &format!("{}:{}:{}", key.algorithm, key.name, key.secret)]);
    command.arg(script.path());
    let (request, text) = answer_client(command, &socket, &key);
    assert_eq!((request.opcode, request.question.name), (Opcode::Update, name(ZONE)));
    assert!(text.contains("update failed: REFUSED"), "{text}");
}
