//! A master that sends what a test wants, and our client that asks it.
//! In: what it sends on a connection. Out: what our client made of that, what it left on disk, and
//! what the reader of received zones says of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actors::io::transfer_client::{Means, Transfer, TransferError, TransferOrder, Waits, transfer};
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::stages::sort::{Sort, SortInput, SortSource};
use actors::stages::{Stage, StageError};
use dnssec::Name;
use dnssec::transfer::peers::Remote;
use dnssec::transfer::schedule::How;
use dnssec::transfer::tsig::TsigKey;
use dnssec::zone::load::{DnssecRecords, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// What a connection gets.
pub(crate) enum Sends {
    /// These octets, then the end of the connection.
    Once(Vec<u8>),
    /// These octets, then nothing, and no end.
    AndHangs(Vec<u8>),
    /// The first octets, then the second for ever.
    ForEver(Vec<u8>, Vec<u8>),
    /// These octets, one after the other with a pause between, for ever.
    BitByBit(Vec<u8>, Duration),
    /// One part after the other, made when it is sent; then the end of the connection.
    Parts(Box<dyn Iterator<Item = Vec<u8>> + Send>),
}

/// Longest answer that is waited for in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);
/// Records of a zone that our client takes.
pub(crate) const RECORDS_MAX: u64 = 20_000;

pub(crate) fn zone() -> Name {
    Name::parse(b"example.", None).unwrap()
}

/// `SOA` of the zone with this serial.
pub(crate) fn soa(serial: u32) -> Vec<u8> {
    let numbers = [serial, 3600, 600, 86_400, 60].map(u32::to_be_bytes).concat();
    record(b"\x07example\x00", 6, 1, &[b"\x00\x00", &numbers[..]].concat())
}

/// An address record below the zone.
pub(crate) fn a(number: u16) -> Vec<u8> {
    let label = format!("n{number:05}");
    let owner = [&[label.len() as u8], label.as_bytes(), b"\x07example\x00"].concat();
    record(&owner, 1, 1, &[192, 0, 2, 1])
}

/// A record in wire form.
pub(crate) fn record(owner: &[u8], rtype: u16, class: u16, rdata: &[u8]) -> Vec<u8> {
    let numbers = [rtype, class, 0, 60, rdata.len() as u16].map(u16::to_be_bytes).concat();
    [owner, &numbers, rdata].concat()
}

/// An answer to `question` with these records.
pub(crate) fn answer(question: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let counts = [1, records.len() as u16, 0, 0].map(u16::to_be_bytes).concat();
    // The name of the zone, the type, the class.
    let asked = &question[12..12 + 9 + 4];
    [&question[..2], &[0x84, 0], &counts, asked, &records.concat()].concat()
}

/// Messages as they go over TCP.
pub(crate) fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let frame = |message: &Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    messages.iter().flat_map(frame).collect()
}

/// What came of a transfer.
pub(crate) struct Outcome {
    pub(crate) result: Result<Transfer, TransferError>,
    /// What is on disk.
    pub(crate) files: Vec<String>,
    /// Records of a whole zone that was received, or why they are no zone.
    pub(crate) read: Option<Result<usize, StageError>>,
}

/// Asks a master that answers a question by `script`.
pub(crate) async fn ask(
    how: How,
    key: Option<&Arc<TsigKey>>,
    script: impl Fn(&[u8]) -> Sends + Send + 'static,
) -> Outcome {
    let limits = Limits { record_count_max: RECORDS_MAX, ..Limits::default() };
    let waits = Waits {
        // Nothing listens there by UDP.
        datagram: PATIENCE / 10,
        connection: PATIENCE * 10,
        message: PATIENCE,
        transfer: PATIENCE * 20,
        ..Waits::default()
    };
    ask_within(how, key, (limits, waits), script).await
}

/// The same with other limits.
pub(crate) async fn ask_within(
    how: How,
    key: Option<&Arc<TsigKey>>,
    (limits, waits): (Limits, Waits),
    script: impl Fn(&[u8]) -> Sends + Send + 'static,
) -> Outcome {
    let address = start(script).await;
    let folder = tempfile::tempdir().unwrap();
    let order = TransferOrder {
        zone: zone(),
        master: Remote { address, key: key.cloned(), tls: None },
        how,
        limits,
        path: folder.path().join("example.received"),
        waits,
    };
    let spec = PoolSpec { name: "evil", workers: 1, queue_bound: 16 };
    let means = Means { clock: Clock::system(), pool: WorkerPool::start(spec).unwrap() };
    let result = transfer(&order, &means, &|_| ()).await;
    let read = order.path.exists().then(|| {
        let source = SortSource::Received(order.path.clone());
        let dnssec_records = DnssecRecords::Dropped;
        let (apex, limits) = (zone(), order.limits);
        let input = SortInput { apex, source, limits, dnssec_records, previous: None };
        Sort::run(&means.pool, input).map(|sorted| sorted.version.record_count())
    });
    drop(means);
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    Outcome { result, files: names.collect(), read }
}

async fn start(script: impl Fn(&[u8]) -> Sends + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut question = vec![0; usize::from(length)];
            if stream.read_exact(&mut question).await.is_ok() {
                let sends = script(&question);
                // The client may have had enough before all is sent.
                let _ = send(&mut stream, sends).await;
            }
        }
    });
    address
}

async fn send(stream: &mut TcpStream, sends: Sends) -> std::io::Result<()> {
    match sends {
        Sends::Once(octets) => stream.write_all(&octets).await,
        Sends::AndHangs(octets) => {
            stream.write_all(&octets).await?;
            stream.read_u8().await.map(drop)
        }
        Sends::ForEver(first, again) => {
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&again).await?;
            }
        }
        Sends::Parts(parts) => {
            for part in parts {
                stream.write_all(&part).await?;
            }
            Ok(())
        }
        Sends::BitByBit(octets, pause) => {
            for octet in octets.iter().cycle() {
                stream.write_u8(*octet).await?;
                // Until the client goes, or for a moment.
                if timeout(pause, stream.read_u8()).await.is_ok() {
                    return Ok(());
                }
            }
            Ok(())
        }
    }
}
