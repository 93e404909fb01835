//! A scripted master on loopback: what comes of its answers.

use super::received::{ReceivedFile, messages};
use super::*;
use crate::runtime::PoolSpec;
use dnssec::transfer::message::Request;
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey};
use std::cell::RefCell;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const FROM: Serial = Serial(5);
const IXFR: How = How::Ixfr { from: FROM };
const AXFR: How = How::Axfr { have: None };

fn zone() -> Name {
    Name::parse(b"example.", None).unwrap()
}

fn soa(serial: u32) -> Vec<u8> {
    let numbers = [serial, 2, 3, 4, 5].map(u32::to_be_bytes).concat();
    record(b"\x07example\x00", 6, &[b"\x00\x00", &numbers[..]].concat())
}

fn a(number: u16) -> Vec<u8> {
    let label = format!("n{number:05}");
    let owner = [&[label.len() as u8], label.as_bytes(), b"\x07example\x00"].concat();
    record(&owner, 1, &[192, 0, 2, 1])
}

fn record(owner: &[u8], rtype: u16, rdata: &[u8]) -> Vec<u8> {
    [owner, &[rtype, 1, 0, 60, rdata.len() as u16].map(u16::to_be_bytes).concat(), rdata].concat()
}

/// An answer to `question` with these records.
fn answer(question: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let counts = [1, records.len() as u16, 0, 0].map(u16::to_be_bytes).concat();
    let asked = &question[12..12 + 9 + 4];
    [&question[..2], &[0x84, 0], &counts, asked, &records.concat()].concat()
}

/// What a master sends: by UDP nothing or one message, by TCP several before it closes.
struct Script {
    udp: fn(&[u8]) -> Option<Vec<u8>>,
    tcp: fn(&[u8]) -> Vec<Vec<u8>>,
    /// Whether it keeps the connection open without a word.
    hangs: bool,
}

const SILENT: Script = Script { udp: |_| None, tcp: |_| Vec::new(), hangs: false };

async fn master(script: Script) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    let (udp, tcp, hangs) = (script.udp, script.tcp, script.hangs);
    tokio::spawn(async move {
        let mut question = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut question).await.unwrap();
            if let Some(message) = udp(&question[..length]) {
                socket.send_to(&message, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            for message in tcp(&question) {
                stream.write_u16(message.len() as u16).await.unwrap();
                stream.write_all(&message).await.unwrap();
            }
            if hangs {
                let _ = stream.read_u8().await;
            }
        }
    });
    address
}

struct Asked {
    result: Result<Transfer, TransferError>,
    said: Vec<String>,
    file: Option<Vec<Vec<u8>>>,
    leftovers: usize,
}

async fn ask_for(how: How, script: Script, key: Option<Arc<TsigKey>>) -> Asked {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.received");
    let second = Duration::from_secs(1);
    let order = TransferOrder {
        zone: zone(),
        master: Remote { address: master(script).await, key, tls: None },
        how,
        limits: Limits::default(),
        path: path.clone(),
        waits: Waits {
            datagram: second / 5,
            connection: second,
            message: second,
            ..Waits::default()
        },
    };
    let spec = PoolSpec { name: "test", workers: 1, queue_bound: 16 };
    let means = Means { clock: Clock::system(), pool: WorkerPool::start(spec).unwrap() };
    let said = RefCell::new(Vec::new());
    let result = transfer(&order, &means, &|line| said.borrow_mut().push(line)).await;
    let file = ReceivedFile::open(&path).ok().map(|mut file| {
        let mut all = Vec::new();
        while let Some(block) = file.next_block().unwrap() {
            all.extend(messages(&block).map(<[u8]>::to_vec));
        }
        all
    });
    let leftovers = std::fs::read_dir(folder.path()).unwrap().count();
    Asked { result, said: said.into_inner(), file, leftovers }
}

#[tokio::test]
async fn changes_that_fit_come_by_udp() {
    let udp =
        |question: &[u8]| Some(answer(question, &[soa(6), soa(5), a(1), soa(6), a(2), soa(6)]));
    let asked = ask_for(IXFR, Script { udp, ..SILENT }, None).await;
    assert_eq!(asked.said, ["request udp/ixfr=5 to 127.0.0.1"]);
    let Ok(Transfer::Steps { from, to, steps }) = asked.result else { panic!() };
    assert_eq!((from, to, steps.len(), asked.leftovers), (FROM, Serial(6), 1, 0));
    assert_eq!(steps[0].added, [soa(6), a(2)].concat());
}

#[tokio::test]
async fn what_does_not_fit_or_come_is_asked_by_tcp() {
    let tcp = |question: &[u8]| {
        vec![answer(question, &[soa(6)]), answer(question, &[soa(5), soa(6), a(1), soa(6)])]
    };
    let short = |question: &[u8]| Some(answer(question, &[soa(6)]));
    let asked = ask_for(IXFR, Script { udp: short, tcp, hangs: false }, None).await;
    let by_tcp = "request tcp/ixfr=5 to 127.0.0.1";
    let too_short = "received too short udp reply from 127.0.0.1, retry tcp";
    assert_eq!(asked.said, ["request udp/ixfr=5 to 127.0.0.1", too_short, by_tcp]);
    assert!(matches!(asked.result, Ok(Transfer::Steps { .. })));
    assert_eq!(asked.leftovers, 0);
    let truncated = |question: &[u8]| {
        let mut message = answer(question, &[]);
        message[2] |= 2;
        Some(message)
    };
    let asked = ask_for(IXFR, Script { udp: truncated, tcp, hangs: false }, None).await;
    assert_eq!(asked.said[1], "received tc from 127.0.0.1, retry tcp");
    // Garbage, and nothing at all.
    for udp in [|_: &[u8]| Some(vec![1, 2, 3]), |_: &[u8]| None] {
        let asked = ask_for(IXFR, Script { udp, tcp, hangs: false }, None).await;
        assert_eq!(asked.said[1], by_tcp);
        assert!(matches!(asked.result, Ok(Transfer::Steps { .. })));
    }
    let same = |question: &[u8]| Some(answer(question, &[soa(5)]));
    let asked = ask_for(IXFR, Script { udp: same, ..SILENT }, None).await;
    assert!(matches!(asked.result, Ok(Transfer::UpToDate { serial: FROM })));
}

#[tokio::test]
async fn a_whole_zone_is_in_the_file_or_nowhere() {
    // More than a block.
    let tcp = |question: &[u8]| {
        let parts = (0..60).map(|part| (part * 1000..part * 1000 + 1000).map(a).collect());
        let parts = std::iter::once(vec![soa(6)]).chain(parts).chain([vec![soa(6)]]);
        parts.map(|records: Vec<Vec<u8>>| answer(question, &records)).collect()
    };
    let asked = ask_for(AXFR, Script { tcp, ..SILENT }, None).await;
    assert_eq!(asked.said, ["request axfr to 127.0.0.1"]);
    let Ok(Transfer::Whole { serial, record_count, soa }) = asked.result else { panic!() };
    assert_eq!((serial, record_count, soa.len()), (Serial(6), 60_001, 22));
    assert_eq!((asked.file.unwrap().len(), asked.leftovers), (62, 1));
    // The same without its end: closed, or silent.
    let tcp = |question: &[u8]| {
        (0..40)
            .map(|part: u16| {
                let records: Vec<Vec<u8>> = (part * 1000..part * 1000 + 1000).map(a).collect();
                let first = if part == 0 { vec![self::soa(6)] } else { Vec::new() };
                answer(question, &[first, records].concat())
            })
            .collect()
    };
    let asked = ask_for(AXFR, Script { tcp, ..SILENT }, None).await;
    assert!(matches!(asked.result, Err(TransferError::Incomplete)));
    assert_eq!(asked.leftovers, 0);
    let asked = ask_for(AXFR, Script { tcp, hangs: true, ..SILENT }, None).await;
    assert!(matches!(asked.result, Err(TransferError::Silent(_))));
    assert_eq!(asked.leftovers, 0);
}

/// PowerDNS refuses IXFR by UDP.
#[tokio::test]
async fn what_is_refused_by_udp_may_come_by_tcp() {
    let udp = |question: &[u8]| {
        let mut message = answer(question, &[]);
        message[3] = 5;
        Some(message)
    };
    let tcp = |question: &[u8]| vec![answer(question, &[soa(6), a(1), soa(6)])];
    let asked = ask_for(IXFR, Script { udp, tcp, hangs: false }, None).await;
    assert!(matches!(asked.result, Ok(Transfer::Whole { .. })));
}

#[tokio::test]
async fn a_whole_zone_is_not_fetched_without_need() {
    let udp = |question: &[u8]| Some(answer(question, &[soa(5)]));
    let how = How::Axfr { have: Some(FROM) };
    let asked = ask_for(how, Script { udp, ..SILENT }, None).await;
    assert!(asked.said.is_empty());
    assert!(matches!(asked.result, Ok(Transfer::UpToDate { .. })));
    let udp = |question: &[u8]| Some(answer(question, &[soa(6)]));
    let tcp = |question: &[u8]| vec![answer(question, &[soa(6), a(1), soa(6)])];
    let asked = ask_for(how, Script { udp, tcp, hangs: false }, None).await;
    assert!(matches!(asked.result, Ok(Transfer::Whole { .. })));
}

#[tokio::test]
async fn a_refusal_is_told_by_its_rcode() {
    let ends = |error: &TransferError| (error.to_string(), error.end(IXFR));
    let asked = ask_for(
        AXFR,
        Script {
            tcp: |question| {
                let mut message = answer(question, &[]);
                message[3] = 5;
                vec![message]
            },
            ..SILENT
        },
        None,
    )
    .await;
    assert_eq!(ends(&asked.result.unwrap_err()), ("answered REFUSED".to_owned(), End::Failed));
    let not_implemented = |question: &[u8]| {
        let mut message = answer(question, &[]);
        message[3] = 4;
        vec![message]
    };
    let asked = ask_for(IXFR, Script { tcp: not_implemented, ..SILENT }, None).await;
    let error = asked.result.unwrap_err();
    assert_eq!(ends(&error), ("answered NOTIMP".to_owned(), End::IxfrRefused));
    assert_eq!(error.end(AXFR), End::Failed);
}

fn key() -> Arc<TsigKey> {
    let secret = b"of thirty-two octets, as it is.".to_vec().into();
    Arc::new(TsigKey::new(Name::parse(b"key.", None).unwrap(), TsigAlgorithm::HmacSha256, secret))
}

/// Three messages, of which the first and the last are signed.
fn signed(question: &[u8]) -> Vec<Vec<u8>> {
    let request = Request::decode(question).unwrap();
    let now = Clock::system().now();
    let record = request.tsig.unwrap();
    let mut signer = record.verify(question, Some(&key()), now).unwrap();
    let mut messages =
        vec![answer(question, &[soa(6)]), answer(question, &[a(1)]), answer(question, &[soa(6)])];
    messages.iter_mut().for_each(|message| signer.sign(message, now));
    messages
}

#[tokio::test]
async fn only_what_is_signed_counts() {
    let asked = ask_for(AXFR, Script { tcp: signed, ..SILENT }, Some(key())).await;
    assert!(matches!(asked.result, Ok(Transfer::Whole { record_count: 2, .. })));
    let changed = |question: &[u8]| {
        let mut messages = signed(question);
        // A digit of the owner's name.
        messages[1][30] ^= 1;
        messages
    };
    let asked = ask_for(AXFR, Script { tcp: changed, ..SILENT }, Some(key())).await;
    assert!(matches!(asked.result, Err(TransferError::Tsig(_))));
    assert_eq!(asked.leftovers, 0);
    let unsigned = |question: &[u8]| vec![answer(question, &[soa(6), a(1), soa(6)])];
    let asked = ask_for(AXFR, Script { tcp: unsigned, ..SILENT }, Some(key())).await;
    assert!(matches!(asked.result, Err(TransferError::Tsig(TsigFault::Missing { .. }))));
}

/// A master that sends a message of so many records every half minute, and the clock that runs
/// ahead whenever everybody waits.
async fn ask_slow(records: u16, messages: u16) -> (Result<Transfer, TransferError>, Duration) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Clock::virtual_at(dnssec::Timestamp(1_000));
    let pauses = clock.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut question).await.unwrap();
        for number in 0..messages {
            let mut part: Vec<Vec<u8>> =
                (number * records..(number + 1) * records).map(a).collect();
            if number == 0 {
                part.insert(0, soa(9));
            }
            if number + 1 == messages {
                part.push(soa(9));
            }
            let message = answer(&question, &part);
            // The client may have given up.
            let _ = stream.write_u16(message.len() as u16).await;
            let _ = stream.write_all(&message).await;
            pauses.sleep(Duration::from_secs(30)).await;
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let order = TransferOrder {
        zone: zone(),
        master: Remote { address, key: None, tls: None },
        how: AXFR,
        limits: Limits::default(),
        path: folder.path().join("example.received"),
        waits: Waits::default(),
    };
    let spec = PoolSpec { name: "test", workers: 1, queue_bound: 16 };
    let means = Means { clock: clock.clone(), pool: WorkerPool::start(spec).unwrap() };
    let result = transfer(&order, &means, &|_| {}).await;
    (result, clock.uptime())
}

#[tokio::test(start_paused = true)]
async fn a_master_that_drips_loses_its_place() {
    // Ten records of 29 octets each in half a minute: within every limit for a single message.
    let (result, length) = ask_slow(10, 1000).await;
    assert!(matches!(result, Err(TransferError::Slow { octets: 900..1100, .. })), "{result:?}");
    assert!(length <= Duration::from_secs(61), "{length:?}");
}

#[test]
fn a_slow_master_that_goes_on_keeps_its_place() {
    let mut pace = Pace { window: Duration::from_secs(60), since: None, octets: 0 };
    for number in 0..200 {
        let now = Duration::from_secs(30 * number);
        assert!(pace.came(18_000, now).is_ok(), "{number}");
    }
    // Then it drips.
    let slow = (200..400).find(|number| pace.came(99, Duration::from_secs(30 * number)).is_err());
    assert!(slow.is_some_and(|number| number <= 203), "{slow:?}");
}
