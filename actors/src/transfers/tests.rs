//! The server on loopback, without the rest of the system: real sockets, the pure core as client.

use super::TRIES_MAX;
use super::hearing::Heard;
use super::outbound::NotifyStatus;
use super::publications::Publications;
use super::requests::Desk;
use super::streaming::Sender;
use super::telling::Teller;
use super::updates::Updates;
use crate::io::dns_server::{Bound, ListenError, Server, serve};
use crate::runtime::{Clock, PoolSpec, WorkerPool};
use appliance_config::Interface;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{AXFR, Answer, Asked, IXFR, Request, notify, query};
use dnssec::transfer::peers::{Inbound, Outbound, Peer, Prefix, Remote};
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey, sign_request};
use dnssec::transfer::wire::{Head, record_at, skip_questions};
use dnssec::zone::diff::difference;
use dnssec::zone::load::{Limits, Loader, Place};
use dnssec::zone::{ZoneVersion, soa_serial};
use dnssec::{Name, RrType, Serial, Timestamp, Ttl};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Longest wait for anything; no test waits for its end.
const WAIT: Duration = Duration::from_secs(30);

pub(super) fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

/// A zone with so many hosts.
pub(super) fn version(serial: u32, hosts: u32) -> Arc<ZoneVersion> {
    let apex = name("example.");
    let mut loader = Loader::new(&apex, Limits::default());
    let mut add = |owner: &Name, rtype, rdata: &[u8]| {
        loader.add(owner, rtype, Ttl(60), rdata, Place { source: 0, line: 1 }).unwrap();
    };
    let host = name("ns.example.");
    let mut soa = [host.as_wire(), host.as_wire()].concat();
    [serial, 1800, 900, 604_800, 300].iter().for_each(|number| soa.extend(number.to_be_bytes()));
    add(&apex, RrType::SOA, &soa);
    add(&apex, RrType::NS, host.as_wire());
    for number in 0..hosts {
        add(&name(&format!("h{number}.example.")), RrType::A, &number.to_be_bytes());
    }
    Arc::new(loader.finish().unwrap().version)
}

pub(super) fn key() -> Arc<TsigKey> {
    let secret = Zeroizing::new(b"a secret of this test, 32 octets".to_vec());
    let algorithm = TsigAlgorithm::from_mnemonic("hmac-sha256").unwrap();
    Arc::new(TsigKey::new(name("key.test."), algorithm, secret))
}

fn from(text: &str, key: Option<Arc<TsigKey>>) -> Peer {
    Peer { prefix: Some(text.parse::<Prefix>().unwrap()), key }
}

/// A server, and what it was told.
struct Lab {
    address: SocketAddr,
    publications: Arc<Publications>,
    server: Arc<Server>,
    forwarded: UnboundedReceiver<(Name, IpAddr, Option<Serial>)>,
    clock: Clock,
}

impl Lab {
    fn new(outbound: Outbound, inbound: Inbound) -> Lab {
        let interface = Interface { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0, tls: None };
        let bound = Bound::all(&[interface]).unwrap();
        let address = bound[0].address;
        let clock = Clock::system();
        let publications = Arc::<Publications>::default();
        let zone = name("example.");
        publications.set_adapters(&zone, Some(Arc::new(inbound)), Some(Arc::new(outbound)));
        let (told, forwarded) = unbounded_channel();
        let heard = Arc::new(Heard::new(Arc::new(move |zone: &Name, from, serial| {
            told.send((zone.clone(), from, serial)).unwrap();
        })));
        let (hearing, timer) = (heard.clone(), clock.clone());
        tokio::spawn(async move { hearing.run(&timer).await });
        let desk = Desk {
            publications: publications.clone(),
            served: Arc::default(),
            heard,
            updates: Arc::new(Updates::new(Arc::new(|_, _| false), clock.clone())),
            clock: clock.clone(),
        };
        let pool = PoolSpec { name: "transfer", workers: 2, queue_bound: 4096 };
        let sender = Sender::new(WorkerPool::start(pool).unwrap(), clock.clone());
        let server = Arc::new(Server::new(desk, sender, clock.clone()));
        tokio::spawn(serve(bound, server.clone()));
        Lab { address, publications, server, forwarded, clock }
    }

    /// One for anybody on the loopback, with this key.
    fn open(key: Option<Arc<TsigKey>>) -> Lab {
        let provide_transfer = vec![from("127.0.0.0/8", key)];
        Lab::new(Outbound { provide_transfer, ..Outbound::default() }, Inbound::default())
    }

    async fn by_udp(&self, octets: &[u8]) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(octets, self.address).await.unwrap();
        let mut answer = vec![0; 65_535];
        let length = timeout(WAIT, socket.recv(&mut answer)).await.unwrap().unwrap();
        answer.truncate(length);
        answer
    }

    async fn connect(&self) -> TcpStream {
        timeout(WAIT, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }
}

async fn send(stream: &mut TcpStream, octets: &[u8]) {
    stream.write_u16(octets.len() as u16).await.unwrap();
    stream.write_all(octets).await.unwrap();
}

async fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = timeout(WAIT, stream.read_u16()).await.unwrap().ok()?;
    let mut message = vec![0; usize::from(length)];
    timeout(WAIT, stream.read_exact(&mut message)).await.unwrap().unwrap();
    Some(message)
}

/// The serials of the SOA records of a message, and the number of all its records.
fn serials(message: &[u8]) -> (Vec<u32>, usize) {
    let head = Head::read(message).unwrap();
    let mut at = skip_questions(message, &head).unwrap();
    let mut found = Vec::new();
    for _ in 0..head.counts[1] {
        let place = record_at(message, at).unwrap();
        if place.rtype == RrType::SOA {
            // The five numbers are the last twenty octets, also behind names that are compressed.
            let numbers = &message[place.rdata.end - 20..place.rdata.end];
            let whole = [&[0, 0][..], numbers].concat();
            found.push(soa_serial(&whole).unwrap().0);
        }
        at = place.rdata.end;
    }
    (found, usize::from(head.counts[1]))
}

fn asking(rtype: RrType, serial: Option<u32>) -> Asked {
    query(4711, &name("example."), rtype, serial.map(Serial))
}

fn rcode(message: &[u8]) -> u8 {
    Head::read(message).unwrap().rcode
}

#[tokio::test]
async fn soa_axfr_and_ixfr_on_one_connection() {
    let lab = Lab::open(None);
    let (old, new) = (version(1, 5000), version(2, 5001));
    lab.publications.publish(&old, None);
    lab.publications.publish(&new, Some((Serial(1), &difference(&old, &new))));
    let mut stream = lab.connect().await;
    // All at once: they are answered in their order.
    for asked in [asking(RrType::SOA, None), asking(AXFR, None), asking(IXFR, Some(1))] {
        send(&mut stream, &asked.octets).await;
    }
    let soa = receive(&mut stream).await.unwrap();
    assert_eq!(serials(&soa), (vec![2], 1));
    let (mut all, mut records) = (Vec::new(), 0);
    while all.len() < 2 {
        let (found, count) = serials(&receive(&mut stream).await.unwrap());
        all.extend(found);
        records += count;
    }
    assert_eq!((all, records), (vec![2, 2], 5004));
    let ixfr = receive(&mut stream).await.unwrap();
    assert_eq!(serials(&ixfr), (vec![2, 1, 2, 2], 5));
    // A serial that nobody knows, and the one that is served.
    send(&mut stream, &asking(IXFR, Some(7)).octets).await;
    send(&mut stream, &asking(IXFR, Some(2)).octets).await;
    assert_eq!(serials(&receive(&mut stream).await.unwrap()), (vec![2], 1));
    assert_eq!(serials(&receive(&mut stream).await.unwrap()), (vec![2], 1));
    send(&mut stream, &asking(IXFR, Some(0)).octets).await;
    let fallback = receive(&mut stream).await.unwrap();
    assert_eq!(serials(&fallback).0, [2], "a whole zone, whose second record is no SOA");
    assert!(serials(&fallback).1 > 100);
}

#[tokio::test]
async fn datagrams() {
    let lab = Lab::open(None);
    let (old, new) = (version(1, 5000), version(2, 5001));
    assert_eq!(rcode(&lab.by_udp(&asking(RrType::SOA, None).octets).await), 2, "no version yet");
    lab.publications.publish(&old, None);
    lab.publications.publish(&new, Some((Serial(1), &difference(&old, &new))));
    let large = version(3, 0);
    let answer = lab.by_udp(&asking(IXFR, Some(1)).octets).await;
    assert_eq!(serials(&answer), (vec![2, 1, 2, 2], 5), "it fits");
    assert_eq!(serials(&lab.by_udp(&asking(AXFR, None).octets).await), (vec![2], 1));
    lab.publications.publish(&large, Some((Serial(2), &difference(&new, &large))));
    let answer = lab.by_udp(&asking(IXFR, Some(1)).octets).await;
    assert_eq!(serials(&answer), (vec![3], 1), "too much for a datagram");
    let other = query(1, &name("example.net."), RrType::SOA, None);
    assert_eq!(rcode(&lab.by_udp(&other.octets).await), 2, "no zone of ours");
    assert_eq!(rcode(&lab.by_udp(&asking(RrType(255), None).octets).await), 4);
    lab.publications.expire_at(&name("example."), Some(lab.clock.now()));
    assert_eq!(rcode(&lab.by_udp(&asking(RrType::SOA, None).octets).await), 2, "expired");
    lab.publications.expire_at(&name("example."), None);
    assert_eq!(rcode(&lab.by_udp(&asking(RrType::SOA, None).octets).await), 0);
    lab.publications.withdraw(&name("example."));
    assert_eq!(rcode(&lab.by_udp(&asking(RrType::SOA, None).octets).await), 2);
}

#[tokio::test]
async fn every_message_to_somebody_with_a_key_is_signed() {
    let lab = Lab::open(Some(key()));
    lab.publications.publish(&version(1, 20_000), None);
    assert_eq!(rcode(&lab.by_udp(&asking(RrType::SOA, None).octets).await), 5, "without a key");
    let mut asked = asking(AXFR, None);
    let mut verifier = sign_request(&key(), &mut asked.octets, lab.clock.now());
    let mut stream = lab.connect().await;
    send(&mut stream, &asked.octets).await;
    let (mut soas, mut messages) = (0, 0);
    while soas < 2 {
        let message = receive(&mut stream).await.unwrap();
        assert_eq!(Head::read(&message).unwrap().counts[3], if messages == 0 { 2 } else { 1 });
        verifier.verify(&message, lab.clock.now()).unwrap();
        soas += serials(&message).0.len();
        messages += 1;
    }
    verifier.finish().unwrap();
    assert!(messages > 10, "{messages}");
    let algorithm = TsigAlgorithm::from_mnemonic("hmac-sha256").unwrap();
    let wrong = TsigKey::new(name("key.test."), algorithm, Zeroizing::new(vec![7; 32]));
    let mut asked = asking(RrType::SOA, None);
    sign_request(&Arc::new(wrong), &mut asked.octets, lab.clock.now());
    let answer = lab.by_udp(&asked.octets).await;
    assert_eq!(rcode(&answer), Rcode::NOTAUTH.0 as u8);
    let mut asked = asking(RrType::SOA, None);
    let at = Timestamp(lab.clock.now().0 - 3600);
    sign_request(&key(), &mut asked.octets, at);
    assert_eq!(rcode(&lab.by_udp(&asked.octets).await), Rcode::NOTAUTH.0 as u8);
}

#[tokio::test]
async fn who_is_not_listed_is_refused() {
    let provide_transfer = vec![from("192.0.2.0/24", None)];
    let inbound = Inbound { allow_notify: vec![from("127.0.0.1", None)], ..Inbound::default() };
    let mut lab = Lab::new(Outbound { provide_transfer, ..Outbound::default() }, inbound);
    lab.publications.publish(&version(1, 1), None);
    assert_eq!(rcode(&lab.by_udp(&asking(RrType::SOA, None).octets).await), 5);
    let mut stream = lab.connect().await;
    send(&mut stream, &asking(AXFR, None).octets).await;
    assert_eq!(rcode(&receive(&mut stream).await.unwrap()), 5);
    let told = notify(9, &name("example."), None);
    let answer = lab.by_udp(&told.octets).await;
    assert_eq!(told.response(&answer).unwrap().rcode, Rcode::NOERROR);
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    let forwarded = timeout(WAIT, lab.forwarded.recv()).await.unwrap();
    assert_eq!(forwarded, Some((name("example."), localhost, None)));
    let other = notify(9, &name("example.net."), None);
    assert_eq!(rcode(&lab.by_udp(&other.octets).await), Rcode::NOTAUTH.0 as u8);
}

/// R16: whoever has a place in the list is served, whoever else fills the server.
#[tokio::test]
async fn a_listed_peer_is_served_among_a_thousand_idlers() {
    let provide_transfer = vec![from("127.0.0.9", None)];
    let lab = Lab::new(Outbound { provide_transfer, ..Outbound::default() }, Inbound::default());
    lab.publications.publish(&version(1, 10), None);
    let from = |last: u8| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        timeout(WAIT, socket.connect(lab.address)).await.unwrap().unwrap()
    };
    let mut idlers = Vec::new();
    for number in 0..300_u16 {
        idlers.push(from(10 + (number % 40) as u8).await);
    }
    let mut stream = from(9).await;
    send(&mut stream, &asking(AXFR, None).octets).await;
    assert_eq!(serials(&receive(&mut stream).await.unwrap()), (vec![1, 1], 13));
    let (connections, strangers) = lab.server.quota.count();
    assert!(connections <= 129 && strangers <= 128, "{connections} {strangers}");
}

/// Takes a NOTIFY and answers it.
async fn acknowledge(socket: &UdpSocket, rcode: Rcode) -> Request {
    let mut octets = vec![0; 512];
    let got = timeout(WAIT, socket.recv_from(&mut octets)).await.unwrap();
    let (length, peer) = got.unwrap();
    let request = Request::decode(&octets[..length]).unwrap();
    let answer = Answer::new(&request, rcode).finish(512);
    socket.send_to(&answer, peer).await.unwrap();
    request
}

#[tokio::test]
async fn secondaries_are_told_of_each_version() {
    let secondary = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = secondary.local_addr().unwrap();
    let notify = vec![Remote { address: target, key: None, tls: None }];
    let lab = Lab::new(Outbound { notify, ..Outbound::default() }, Inbound::default());
    let publications = lab.publications.clone();
    let teller = Teller { publications, clock: lab.clock.clone(), source: None };
    tokio::spawn(teller.run());
    for serial in 1..4 {
        lab.publications.publish(&version(serial, 1), None);
        let request = acknowledge(&secondary, Rcode::NOERROR).await;
        assert_eq!(request.serial, Some(Serial(serial)));
    }
    let status = lab.publications.status(&name("example.")).unwrap();
    assert_eq!(status.serial, Some(Serial(3)));
    let [known] = status.secondaries.as_slice() else { panic!("{status:?}") };
    assert_eq!(known.address, target);
    let is_known = |serial| match known.notify.as_ref().unwrap() {
        NotifyStatus::Acknowledged { serial: known, .. } => *known == serial,
        // The answer to the last may still be on its way.
        NotifyStatus::Telling { serial: known, .. } => *known == serial,
        NotifyStatus::GivenUp { .. } => false,
    };
    assert!(is_known(Serial(3)), "{known:?}");
    assert!(known.last_acknowledged.is_some_and(|(serial, _)| serial.0 >= 2), "{known:?}");
}

/// The clock runs ahead whenever everybody waits, so the five tries take no time.
#[tokio::test(start_paused = true)]
async fn a_secondary_that_is_silent_is_given_up_after_five_tries() {
    let secondary = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = secondary.local_addr().unwrap();
    let publications = Arc::<Publications>::default();
    let notify = vec![Remote { address: target, key: None, tls: None }];
    let outbound = Outbound { notify, ..Outbound::default() };
    publications.set_adapters(&name("example."), None, Some(Arc::new(outbound)));
    let clock = Clock::virtual_at(Timestamp(1_000));
    let own = clock.clone();
    let teller = Teller { publications: publications.clone(), clock: own, source: None };
    tokio::spawn(teller.run());
    publications.publish(&version(1, 1), None);
    let status = || publications.status(&name("example.")).unwrap().secondaries.remove(0).notify;
    let mut retries = BTreeSet::new();
    while !matches!(status(), Some(NotifyStatus::GivenUp { .. })) {
        if let Some(NotifyStatus::Telling { next, .. }) = status() {
            retries.insert(next);
        }
        clock.sleep(Duration::from_secs(1)).await;
    }
    let Some(NotifyStatus::GivenUp { serial, .. }) = status() else { panic!() };
    assert_eq!(serial, Serial(1));
    assert_eq!(retries.len(), TRIES_MAX as usize, "{retries:?}");
    let health = publications.status(&name("example.")).unwrap().health(clock.now());
    assert_eq!((health.secondaries, health.unacknowledged), (1, 1));
}

#[test]
fn a_port_that_is_taken_is_named_with_its_holder() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let interface = Interface { address: Some(Ipv4Addr::LOCALHOST.into()), port, tls: None };
    let error = Bound::all(&[interface]).unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }), "{error}");
    let own = format!("(process {})", std::process::id());
    assert!(error.to_string().contains(&own), "{error}");
}
