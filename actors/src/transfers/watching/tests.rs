//! Secondaries of this process on loopback, and a clock that runs ahead whenever everybody waits.

use super::super::outbound::SecondaryStatus;
use super::super::tests::{key, name, version};
use super::*;
use dnssec::Seconds;
use dnssec::health::snapshot::OutputHealth;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{Answer, Request};
use dnssec::transfer::peers::{Outbound, Remote};
use dnssec::transfer::serving::{Shape, soa_answer};
use dnssec::transfer::tsig::TsigKey;
use dnssec::transfer::watch::WatchLimit;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// A secondary that has this serial; 0: it refuses.
struct Fake {
    serial: Arc<AtomicU32>,
    address: SocketAddr,
}

impl Fake {
    /// By UDP it answers at once, or says that it would be too long and answers by TCP. It signs
    /// with `key`.
    async fn start(truncates: bool, key: Option<Arc<TsigKey>>) -> Fake {
        let (socket, listener, address) = loop {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = socket.local_addr().unwrap();
            // Somebody else may have the port by TCP.
            if let Ok(listener) = TcpListener::bind(address).await {
                break (socket, listener, address);
            }
        };
        let serial = Arc::new(AtomicU32::new(1));
        let answer = {
            let serial = serial.clone();
            move |octets: &[u8], now| answer(octets, serial.load(Relaxed), key.as_ref(), now)
        };
        let by_tcp = answer.clone();
        tokio::spawn(async move {
            let mut octets = vec![0; 512];
            loop {
                let (length, peer) = socket.recv_from(&mut octets).await.unwrap();
                let mut message = answer(&octets[..length], Timestamp(1_000));
                if truncates {
                    message[2] |= 2;
                }
                socket.send_to(&message, peer).await.unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut octets = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut octets).await.unwrap();
                let message = by_tcp(&octets, Timestamp(1_000));
                stream.write_u16(message.len() as u16).await.unwrap();
                stream.write_all(&message).await.unwrap();
            }
        });
        Fake { serial, address }
    }

    fn has(&self, serial: u32) {
        self.serial.store(serial, Relaxed);
    }
}

fn answer(octets: &[u8], serial: u32, key: Option<&Arc<TsigKey>>, now: Timestamp) -> Vec<u8> {
    let request = Request::decode(octets).unwrap();
    let mut message = match serial {
        0 => return Answer::new(&request, Rcode::REFUSED).finish(512),
        serial => {
            soa_answer(&request, &version(serial, 1), Shape { octets_max: 400, expire: None })
        }
    };
    if let Some(record) = &request.tsig {
        let mut signer = record.verify(octets, key, now).unwrap();
        signer.sign(&mut message, now);
    }
    message
}

/// A watcher, and what it sees.
struct Lab {
    publications: Arc<Publications>,
    served: Arc<ServedSerials>,
    clock: Clock,
}

impl Lab {
    fn start(fakes: &[&Fake], key: Option<Arc<TsigKey>>, watch: WatchLimit) -> Lab {
        let publications = Arc::<Publications>::default();
        let remote = |fake: &&Fake| Remote { address: fake.address, key: key.clone(), tls: None };
        let notify = fakes.iter().map(remote).collect();
        let outbound = Outbound { notify, watch, ..Outbound::default() };
        publications.set_adapters(&name("example."), None, Some(Arc::new(outbound)));
        let (served, clock) =
            (Arc::<ServedSerials>::default(), Clock::virtual_at(Timestamp(1_000)));
        let watcher = Watcher {
            publications: publications.clone(),
            served: served.clone(),
            clock: clock.clone(),
            source: None,
        };
        tokio::spawn(watcher.run());
        Lab { publications, served, clock }
    }

    fn secondary(&self, number: usize) -> SecondaryStatus {
        self.publications.status(&name("example.")).unwrap().secondaries.remove(number)
    }

    fn health(&self) -> OutputHealth {
        self.publications.status(&name("example.")).unwrap().health(self.clock.now())
    }

    async fn until(&self, is_so: impl Fn(OutputHealth) -> bool) -> OutputHealth {
        let most = self.clock.now().plus(Seconds(10_000));
        while self.clock.now() < most {
            if is_so(self.health()) {
                return self.health();
            }
            self.clock.sleep(Duration::from_millis(500)).await;
        }
        panic!("{:?}", self.publications.status(&name("example.")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_secondary_that_lags_is_an_alarm_until_it_has_the_version() {
    let (good, slow) = (Fake::start(false, None).await, Fake::start(true, None).await);
    let lab = Lab::start(&[&good, &slow], None, WatchLimit::After(Seconds(300)));
    lab.publications.publish(&version(1, 1), None);
    while lab.secondary(1).seen.is_none() || lab.secondary(0).seen.is_none() {
        lab.clock.sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(lab.health(), OutputHealth { secondaries: 2, ..OutputHealth::default() });
    lab.publications.publish(&version(2, 1), None);
    good.has(2);
    let began = lab.clock.now();
    let health = lab.until(|health| health.late > 0).await;
    assert_eq!((health.behind, health.late), (1, 1));
    assert!(lab.clock.now().since(began) <= Seconds(301), "{health:?}");
    assert_eq!(lab.secondary(0).standing, Standing::Current);
    slow.has(2);
    let health = lab.until(|health| health.behind == 0).await;
    assert_eq!((health.late, health.lag_max), (0, Seconds(0)));
    // Well again: it is asked when the refresh timer ends.
    let next = lab.secondary(1).next_look.unwrap().since(lab.clock.now());
    assert!(next > Seconds(1500) && next <= Seconds(1800), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_refuses_is_unseen_and_one_that_is_ahead_holds_nothing() {
    let (closed, liar) = (Fake::start(false, None).await, Fake::start(false, None).await);
    closed.has(0);
    liar.has(4_000);
    let lab = Lab::start(&[&closed, &liar], None, WatchLimit::Refresh);
    lab.served.note(&name("example."), liar.address.ip(), Serial(5_000), lab.clock.now());
    lab.publications.publish(&version(7, 1), None);
    let health = lab.until(|health| health.unseen + health.ahead == 2).await;
    assert_eq!((health.behind, health.late, health.unacknowledged), (0, 0, 0));
    let (_, why) = lab.secondary(0).failing.unwrap();
    assert_eq!(why, "it answers REFUSED");
    assert_eq!(lab.served.shown(&name("example."), lab.clock.now()), [Serial(5_000)]);
    liar.has(7);
    lab.until(|health| health.ahead == 0).await;
    assert_eq!(lab.served.shown(&name("example."), lab.clock.now()), [Serial(7)]);
}

#[tokio::test(start_paused = true)]
async fn questions_are_signed_where_the_secondary_has_a_key() {
    let keyed = Fake::start(false, Some(key())).await;
    let lab = Lab::start(&[&keyed], Some(key()), WatchLimit::Refresh);
    lab.publications.publish(&version(1, 1), None);
    lab.until(|_| lab.secondary(0).standing == Standing::Current).await;
    // Nobody looks any more.
    let address = keyed.address;
    let notify = vec![Remote { address, key: None, tls: None }];
    let outbound = Outbound { notify, watch: WatchLimit::Off, ..Outbound::default() };
    lab.publications.set_adapters(&name("example."), None, Some(Arc::new(outbound)));
    lab.until(|_| lab.secondary(0).next_look.is_none()).await;
    assert_eq!(lab.health(), OutputHealth { secondaries: 1, ..OutputHealth::default() });
}

#[test]
fn the_agenda_keeps_the_earlier_time_of_a_zone() {
    let mut agenda = Agenda::default();
    agenda.put(name("a."), Timestamp(9));
    agenda.put(name("b."), Timestamp(5));
    agenda.put(name("a."), Timestamp(3));
    agenda.put(name("a."), Timestamp(7));
    assert_eq!(agenda.take_due(Timestamp(2)), None);
    assert_eq!(agenda.take_due(Timestamp(9)), Some(name("a.")));
    assert_eq!(agenda.first(), Some(Timestamp(5)));
    assert_eq!(agenda.take_due(Timestamp(9)), Some(name("b.")));
    assert_eq!(agenda.take_due(Timestamp(9)), None);
}
