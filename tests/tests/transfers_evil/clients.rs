//! Hostile clients of our server (R16): those who say nothing, say half, do not read, ask without
//! being listed, or flood. Listed secondaries are served meanwhile, and memory stays.
//! Hostile ones come from other addresses of loopback than the listed one, or from that, too.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anchorite_tests::daemon::{Daemon, Installation, small_zone};
use anchorite_tests::peers;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::is_full;
use crate::random::Random;

const ZONE: &str = "example.com";
/// Longest time that a listed secondary may wait for the zone; the machine has other things to do.
const HONEST_WAIT: Duration = Duration::from_secs(3);
/// What the daemon may grow by under attack.
const GROWTH_KIB_MAX: u64 = 96 << 10;

/// A daemon that lets only 127.0.0.1 have its zone, which no message holds.
struct Victim {
    daemon: Daemon,
    address: SocketAddr,
    records: Vec<String>,
    _installation: Installation,
}

impl Victim {
    fn start() -> Victim {
        let address = peers::free_address();
        let installation = Installation::new("lab");
        let listener = format!(
            "<WorkerThreads>4</WorkerThreads><Listener><Interface><Address>{}</Address>\
             <Port>{}</Port></Interface></Listener>",
            address.ip(),
            address.port()
        );
        installation.edit("conf.xml", "<WorkerThreads>4</WorkerThreads>", &listener);
        installation.let_zones_grow();
        installation.write(
            "addns.xml",
            "<?xml version=\"1.0\"?>\n<Adapter><DNS><Outbound><ProvideTransfer><Peer>\
             <Prefix>127.0.0.1</Prefix></Peer></ProvideTransfer></Outbound></DNS></Adapter>\n",
        );
        installation.write_zonelist(&[(ZONE, "lab")]);
        let file = format!("<Adapter type=\"File\">{}", installation.signed(ZONE).display());
        let transfer =
            format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
        installation.edit("zonelist.xml", &file, &transfer);
        let hosts: String = (0..2000).map(|i| format!("host{i} IN A 192.0.2.1\n")).collect();
        installation.write_zone(ZONE, &small_zone(ZONE, 1, &hosts));
        let mut daemon = installation.start();
        daemon.wait_for(&["[STATS] example.com "]);
        let records = peers::axfr(address, ZONE, None);
        Victim { daemon, address, records, _installation: installation }
    }

    /// A connection from this address of loopback.
    async fn connect(&self, from: Ipv4Addr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        socket.connect(self.address).await
    }

    /// A listed secondary gets the whole zone in time.
    async fn serves(&self, while_what: &str) {
        let (address, began) = (self.address, Instant::now());
        let transfer = tokio::task::spawn_blocking(move || peers::axfr(address, ZONE, None));
        // Other signatures than at first, when a minute has gone by.
        assert_eq!(transfer.await.unwrap().len(), self.records.len(), "{while_what}");
        let took = began.elapsed();
        println!("{while_what}: a listed secondary got the zone in {took:?}");
        assert!(took < HONEST_WAIT, "{while_what}: {took:?}");
    }

    /// Resident memory in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.pid()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn check_memory(&self, before: u64) {
        let after = self.memory();
        println!("resident: {before} KiB before, {after} KiB after");
        assert!(after < before + GROWTH_KIB_MAX, "{before} KiB grew to {after}");
    }
}

fn stranger(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 9, (number / 8 / 250) as u8, 1 + (number / 8 % 250) as u8)
}

const LISTED: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A question for the zone, by TCP.
fn question(rtype: u8) -> Vec<u8> {
    let head = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let octets = [&head[..], b"\x07example\x03com\x00", &[0, rtype, 0, 1]].concat();
    [&(octets.len() as u16).to_be_bytes()[..], &octets].concat()
}

const SOA: u8 = 6;
const AXFR: u8 = 252;

#[tokio::test]
async fn a_thousand_idlers_and_half_talkers() {
    let victim = Victim::start();
    let before = victim.memory();
    let mut held = Vec::new();
    for number in 0..1000 {
        // Those that get no place are closed, sooner or later; which is fine.
        let Ok(mut stream) = victim.connect(stranger(number)).await else { continue };
        let said = &question(AXFR)[..[0, 1, 2, 12][number % 4]];
        let _ = stream.write_all(said).await;
        held.push(stream);
    }
    victim.serves("1,000 strangers idle").await;
    // The same from the listed address itself: his own places, and he keeps one.
    for number in 0..200 {
        let Ok(mut stream) = victim.connect(LISTED).await else { continue };
        let _ = stream.write_all(&question(AXFR)[..number % 2]).await;
        held.push(stream);
    }
    victim.serves("200 connections of the listed address idle").await;
    victim.check_memory(before);
}

#[tokio::test]
async fn readers_that_do_not_read() {
    let victim = Victim::start();
    let before = victim.memory();
    let mut held = Vec::new();
    for _ in 0..60 {
        let mut stream = victim.connect(LISTED).await.unwrap();
        // Asked again and again, never read.
        for _ in 0..20 {
            stream.write_all(&question(AXFR)).await.unwrap();
        }
        held.push(stream);
    }
    victim.serves("60 secondaries do not read").await;
    victim.check_memory(before);
}

#[tokio::test]
async fn who_is_not_listed_gets_nothing() {
    let victim = Victim::start();
    for rtype in [SOA, AXFR] {
        let mut stream = victim.connect(Ipv4Addr::new(127, 9, 9, 9)).await.unwrap();
        stream.write_all(&question(rtype)).await.unwrap();
        let mut octets = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut octets).await.unwrap();
        // REFUSED, and no record.
        assert_eq!((octets[3] & 0x0F, &octets[6..12]), (5, &[0; 6][..]));
    }
    victim.serves("a stranger asked").await;
}

/// Datagrams of a flood: what is right, what is refused, what is never answered, and noise.
struct Flood {
    kinds: Vec<Vec<u8>>,
    sockets: Vec<UdpSocket>,
    random: Random,
    sent: usize,
}

impl Flood {
    async fn new() -> Flood {
        let mut sockets = Vec::new();
        for address in [LISTED, Ipv4Addr::new(127, 9, 9, 9)] {
            sockets.push(UdpSocket::bind((address, 0)).await.unwrap());
        }
        let kinds = vec![
            question(SOA)[2..].to_vec(),
            question(AXFR)[2..].to_vec(),
            // A response, which must not be answered; NOTIFY; an opcode that nobody serves.
            [&[0, 7, 0x80], &question(SOA)[5..]].concat(),
            [&[0, 7, 0x20], &question(SOA)[5..]].concat(),
            [&[0, 7, 0x78], &question(SOA)[5..]].concat(),
        ];
        Flood { kinds, sockets, random: Random::new(), sent: 0 }
    }

    async fn send(&mut self, to: SocketAddr) {
        let octets = match self.random.below(self.kinds.len() + 1) {
            kind if kind < self.kinds.len() => self.kinds[kind].clone(),
            _ => {
                let length = self.random.below(600);
                self.random.octets(length)
            }
        };
        // A full buffer of the system is the flood's own problem.
        let _ = self.sockets[self.sent % 2].send_to(&octets, to).await;
        self.sent += 1;
    }
}

#[tokio::test]
async fn a_flood_of_datagrams() {
    let victim = Victim::start();
    let before = victim.memory();
    let mut flood = Flood::new().await;
    for number in 0..20_000 {
        flood.send(victim.address).await;
        if number % 5_000 == 4_999 {
            victim.serves("under a flood").await;
        }
    }
    victim.check_memory(before);
}

/// Ten thousand datagrams a second, while a listed secondary asks for the zone again and again:
/// for a second, or with `EVIL=full` for a minute.
#[tokio::test]
async fn a_flood_that_goes_on() {
    let victim = Victim::start();
    let (before, address) = (victim.memory(), victim.address);
    let length = Duration::from_secs(if is_full() { 60 } else { 1 });
    let mut flood = Flood::new().await;
    let flooding = tokio::spawn(async move {
        let (began, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(10)));
        while began.elapsed() < length {
            tick.tick().await;
            for _ in 0..100 {
                flood.send(address).await;
            }
        }
        println!("{} datagrams in {:?}", flood.sent, began.elapsed());
    });
    while !flooding.is_finished() {
        victim.serves("under a flood that goes on").await;
    }
    flooding.await.unwrap();
    victim.check_memory(before);
}
