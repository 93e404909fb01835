//! Asking a master for a zone: RFC 1995 (IXFR), RFC 5936 (AXFR), RFC 7766 (TCP), RFC 8945 (TSIG),
//! RFC 9103 (TLS).
//! In: the zone, the master, what we have. Out: what the master has, its changes, or the whole
//! zone as a file ([`received`]); nothing of a transfer that is not complete.
//! What the messages mean is `dnssec::transfer::reception`'s to say; when to ask is
//! `dnssec::transfer::schedule`'s. Changes, and whether there are any, are asked for by UDP first;
//! what does not fit, or does not come, by TCP. With TLS there is no UDP.
//! Never: anything of a message whose TSIG is wrong; clear text where TLS is asked for.
//! Limits: [`Waits`]; [`OCTETS_LEAST`] in every [`Waits::window`]; records and bytes as the zone's;
//! a block of the file in memory.

mod frames;
pub mod received;
mod slots;
#[cfg(test)]
mod tests;

pub use slots::TransferSlots;

use crate::io::tls::{TlsError, connect};
use crate::runtime::{Clock, WorkerPool};
use dnssec::transfer::message::query;
use dnssec::transfer::peers::Remote;
use dnssec::transfer::rcode::Rcode;
use dnssec::transfer::reception::{Carrier, Fault, Form, Received, Reception, Taken, Wanted};
use dnssec::transfer::schedule::{End, How};
use dnssec::transfer::tsig::{TsigFault, Verifier, sign_request};
use dnssec::transfer::wire::Head;
use dnssec::zone::diff::Difference;
use dnssec::zone::load::Limits;
use dnssec::{Name, Serial};
use frames::Frames;
use received::ReceivedWriter;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use storage::ReplaceError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Messages of a whole zone go to the disk in blocks of so many bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// A master that sends less in a [`Waits::window`] is given up: it would hold its place for hours.
/// Half a kilobyte a second; BIND's `min-transfer-rate-in` is 34 octets.
pub const OCTETS_LEAST: u64 = 30 << 10;

/// How long a master may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For an answer by UDP.
    pub datagram: Duration,
    /// For a connection, with its handshakes.
    pub connection: Duration,
    /// For each message of a stream.
    pub message: Duration,
    /// In which [`OCTETS_LEAST`] have to come, from the first message on.
    pub window: Duration,
    /// For everything together.
    pub transfer: Duration,
}

impl Default for Waits {
    /// OpenDNSSEC's for UDP and TCP; an hour in all.
    fn default() -> Waits {
        Waits {
            datagram: Duration::from_secs(5),
            connection: Duration::from_secs(10),
            message: Duration::from_secs(120),
            window: Duration::from_secs(60),
            transfer: Duration::from_secs(3600),
        }
    }
}

/// What is asked of whom.
#[derive(Clone, Debug)]
pub struct TransferOrder {
    /// The zone.
    pub zone: Name,
    /// The master.
    pub master: Remote,
    /// What for.
    pub how: How,
    /// What the zone may have.
    pub limits: Limits,
    /// Where a whole zone is put.
    pub path: PathBuf,
    /// How long it may take.
    pub waits: Waits,
}

/// What a master gave.
#[derive(Debug)]
pub enum Transfer {
    /// It has what we have.
    UpToDate {
        /// The serial.
        serial: Serial,
    },
    /// It has something older.
    Older {
        /// Its serial.
        serial: Serial,
    },
    /// The whole zone, which is in the file now.
    Whole {
        /// Its serial.
        serial: Serial,
        /// Its records.
        record_count: u64,
        /// RDATA of its SOA.
        soa: Vec<u8>,
    },
    /// Changes.
    Steps {
        /// The serial before them.
        from: Serial,
        /// The serial after them.
        to: Serial,
        /// One from each serial to the next.
        steps: Vec<Difference>,
    },
}

/// Why a master gave nothing. What we have stays.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// No way there, or it broke.
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// No TLS as it was asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nothing in time.
    #[error("does not answer within {} seconds", .0.as_secs())]
    Silent(Duration),
    /// It sends, but so little that it would hold its place for hours.
    #[error("is too slow: {octets} octets in {} seconds", length.as_secs())]
    Slow {
        /// What came in a while.
        octets: u64,
        /// How long that was.
        length: Duration,
    },
    /// The connection ended before the transfer did.
    #[error("closed the connection before the transfer was complete")]
    Incomplete,
    /// No, or something wrong.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Something that is not proved to be its own.
    #[error("bad TSIG: {0}")]
    Tsig(#[from] TsigFault),
    /// Our own disk.
    #[error("the transfer could not be kept: {0}")]
    Disk(#[from] ReplaceError),
    /// Our own workers.
    #[error("the transfer could not be kept: {0}")]
    Busy(String),
    /// No random id.
    #[error("cannot be asked: no random numbers ({0})")]
    Random(getrandom::Error),
}

impl TransferError {
    /// What this means for the question who is asked next.
    pub fn end(&self, how: How) -> End {
        let is_ixfr = matches!(how, How::Ixfr { .. });
        match self {
            TransferError::Fault(Fault::Refused { rcode }) => {
                // A server that knows no IXFR says so; others just do not give us the zone.
                match *rcode {
                    Rcode::NOTIMP | Rcode::FORMERR if is_ixfr => End::IxfrRefused,
                    _ => End::Failed,
                }
            }
            TransferError::Fault(_) if is_ixfr => End::IxfrRefused,
            TransferError::Fault(_) => End::Violated,
            _ => End::Failed,
        }
    }

    /// Whether the answer itself was wrong, and not that there was none.
    pub fn is_bad_packet(&self) -> bool {
        matches!(self, TransferError::Fault(_) | TransferError::Tsig(_))
    }
}

/// What an exchange needs beside its order.
#[derive(Clone, Debug)]
pub struct Means {
    /// The time, for TSIG.
    pub clock: Clock,
    /// Writes to the disk.
    pub pool: WorkerPool,
}

/// Asks a master. `say` gets the lines that OpenDNSSEC writes meanwhile, without the zone's name.
pub async fn transfer(
    order: &TransferOrder,
    means: &Means,
    say: &dyn Fn(String),
) -> Result<Transfer, TransferError> {
    let whole = order.waits.transfer;
    let asked = ask(order, means, say);
    timeout(whole, asked).await.unwrap_or(Err(TransferError::Silent(whole)))
}

async fn ask(
    order: &TransferOrder,
    means: &Means,
    say: &dyn Fn(String),
) -> Result<Transfer, TransferError> {
    let address = order.master.address.ip();
    let by_datagram = order.master.tls.is_none();
    match order.how {
        How::Ixfr { from } => {
            let wanted = Wanted::Ixfr { from };
            if by_datagram {
                say(format!("request udp/ixfr={from} to {address}"));
                if let Some(answer) = datagram(order, means, wanted, say).await? {
                    return Ok(answer);
                }
            }
            say(format!("request tcp/ixfr={from} to {address}"));
            stream(order, means, wanted).await
        }
        How::Axfr { have } => {
            // Whether there is anything to fetch is asked first, as long as that is cheap.
            if have.is_some() && by_datagram {
                let soa = Wanted::Soa { have };
                if let Some(answer) = datagram(order, means, soa, say).await? {
                    return Ok(answer);
                }
            }
            say(format!("request axfr to {address}"));
            stream(order, means, Wanted::Axfr { have }).await
        }
    }
}

/// A question that is ready to be sent, and what reads the answer.
struct Exchange {
    octets: Vec<u8>,
    verifier: Option<Verifier>,
    reception: Reception,
}

impl Exchange {
    fn new(
        order: &TransferOrder,
        means: &Means,
        wanted: Wanted,
        carrier: Carrier,
    ) -> Result<Exchange, TransferError> {
        let mut id = [0; 2];
        getrandom::fill(&mut id).map_err(TransferError::Random)?;
        let id = u16::from_be_bytes(id);
        let from = wanted.have().filter(|_| matches!(wanted, Wanted::Ixfr { .. }));
        let mut octets = query(id, &order.zone, wanted.rtype(), from).octets;
        let key = order.master.key.as_ref();
        let verifier = key.map(|key| sign_request(key, &mut octets, means.clock.now()));
        let reception = Reception::new(&order.zone, id, wanted, carrier, order.limits);
        Ok(Exchange { octets, verifier, reception })
    }

    /// Takes a message of the answer: TSIG first.
    fn take(&mut self, message: &[u8], clock: &Clock) -> Result<Taken, TransferError> {
        if let Some(verifier) = &mut self.verifier {
            let verified = verifier.verify(message, clock.now());
            // A refusal may come unsigned; it is no more than a word, and is passed on as such.
            let refused = matches!(verified, Err(TsigFault::Missing { .. }))
                && Head::read(message).is_some_and(|head| head.rcode != 0);
            if !refused {
                verified?;
            }
        }
        let taken = self.reception.take(message)?;
        if let (Some(verifier), true) = (&self.verifier, taken != Taken::More) {
            verifier.finish()?;
        }
        Ok(taken)
    }
}

/// Asks by UDP; `None`: it has to be asked by stream.
async fn datagram(
    order: &TransferOrder,
    means: &Means,
    wanted: Wanted,
    say: &dyn Fn(String),
) -> Result<Option<Transfer>, TransferError> {
    let address = order.master.address;
    let mut exchange = Exchange::new(order, means, wanted, Carrier::Datagram)?;
    let own: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own).await?;
    let mut octets = vec![0; usize::from(u16::MAX)];
    let answered = async {
        // Connected, so that only the master is heard.
        socket.connect(address).await?;
        socket.send(&exchange.octets).await?;
        socket.recv(&mut octets).await
    };
    let ip = address.ip();
    // Nothing comes by UDP, or the way there is closed: it may be open for TCP.
    let Ok(Ok(length)) = timeout(order.waits.datagram, answered).await else { return Ok(None) };
    match exchange.take(&octets[..length], &means.clock) {
        Ok(Taken::OverStream { is_truncated: true }) => {
            say(format!("received tc from {ip}, retry tcp"));
            Ok(None)
        }
        Ok(Taken::OverStream { is_truncated: false }) => {
            say(format!("received too short udp reply from {ip}, retry tcp"));
            Ok(None)
        }
        Ok(Taken::UpToDate { serial }) => Ok(Some(Transfer::UpToDate { serial })),
        Ok(Taken::Older { serial }) => Ok(Some(Transfer::Older { serial })),
        Ok(Taken::More | Taken::Newer { .. }) => Ok(None),
        Ok(Taken::Complete) => {
            let message = &octets[..length];
            let framed = [&(length as u16).to_be_bytes()[..], message].concat();
            let keeping = Keeping { order, means, block: framed, writer: None };
            complete(exchange.reception, keeping).await.map(Some)
        }
        // What is wrong may be anybody's, and some servers refuse by UDP what they give by TCP.
        Err(_) => Ok(None),
    }
}

/// Asks by TCP or TLS.
async fn stream(
    order: &TransferOrder,
    means: &Means,
    wanted: Wanted,
) -> Result<Transfer, TransferError> {
    let wait = order.waits.connection;
    let connected = timeout(wait, TcpStream::connect(order.master.address)).await;
    let tcp = connected.map_err(|_| TransferError::Silent(wait))??;
    // A question is one small segment, and is not to wait for another.
    tcp.set_nodelay(true)?;
    match &order.master.tls {
        None => converse(order, means, wanted, &mut Frames::new(tcp)).await,
        Some(tls) => {
            let secured = timeout(wait, connect(tcp, tls, order.master.address.ip())).await;
            let mut frames = Frames::new(secured.map_err(|_| TransferError::Silent(wait))??);
            if let (Wanted::Axfr { have }, true) = (wanted, wanted.have().is_some()) {
                match converse(order, means, Wanted::Soa { have }, &mut frames).await? {
                    Transfer::Whole { .. } | Transfer::Steps { .. } => {}
                    nothing_new => return Ok(nothing_new),
                }
            }
            converse(order, means, wanted, &mut frames).await
        }
    }
}

/// One question on a stream, and all messages of the answer. A newer SOA is told as a zone of no
/// records.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    order: &TransferOrder,
    means: &Means,
    wanted: Wanted,
    frames: &mut Frames<S>,
) -> Result<Transfer, TransferError> {
    let mut exchange = Exchange::new(order, means, wanted, Carrier::Stream)?;
    frames.send(&exchange.octets).await?;
    let mut keeping = Keeping { order, means, block: Vec::new(), writer: None };
    let wait = order.waits.message;
    let mut pace = Pace { window: order.waits.window, since: None, octets: 0 };
    loop {
        let next = timeout(wait, frames.next()).await;
        let framed = next.map_err(|_| TransferError::Silent(wait))??;
        let framed = framed.ok_or(TransferError::Incomplete)?;
        pace.came(framed.len(), means.clock.uptime())?;
        let taken = exchange.take(&framed[2..], &means.clock)?;
        match exchange.reception.form() {
            Form::Unknown | Form::Whole => keeping.keep(framed).await?,
            Form::Steps => keeping.block.clear(),
        }
        match taken {
            Taken::More => {}
            Taken::UpToDate { serial } => return Ok(Transfer::UpToDate { serial }),
            Taken::Older { serial } => return Ok(Transfer::Older { serial }),
            Taken::Newer { serial } => {
                return Ok(Transfer::Whole { serial, record_count: 0, soa: Vec::new() });
            }
            Taken::OverStream { .. } => return Err(Fault::TruncatedStream.into()),
            Taken::Complete => return complete(exchange.reception, keeping).await,
        }
    }
}

/// How fast the messages of a stream come.
struct Pace {
    window: Duration,
    /// When the window began; `None`: nothing came yet.
    since: Option<Duration>,
    /// What came in it.
    octets: u64,
}

impl Pace {
    fn came(&mut self, octets: usize, now: Duration) -> Result<(), TransferError> {
        let since = *self.since.get_or_insert(now);
        self.octets += octets as u64;
        let length = now.saturating_sub(since);
        if length < self.window {
            return Ok(());
        }
        let octets = std::mem::take(&mut self.octets);
        self.since = Some(now);
        match octets < OCTETS_LEAST {
            true => Err(TransferError::Slow { octets, length }),
            false => Ok(()),
        }
    }
}

async fn complete(reception: Reception, keeping: Keeping<'_>) -> Result<Transfer, TransferError> {
    match reception.finish().ok_or(TransferError::Incomplete)? {
        Received::Steps { from, to, steps } => Ok(Transfer::Steps { from, to, steps }),
        Received::Whole { serial, record_count, soa } => {
            keeping.commit().await?;
            Ok(Transfer::Whole { serial, record_count, soa })
        }
    }
}

/// The messages of a whole zone on their way to the disk. The file begins with the first block:
/// what turns out to be changes makes none.
struct Keeping<'a> {
    order: &'a TransferOrder,
    means: &'a Means,
    block: Vec<u8>,
    writer: Option<ReceivedWriter>,
}

impl Keeping<'_> {
    async fn keep(&mut self, framed: &[u8]) -> Result<(), TransferError> {
        self.block.extend_from_slice(framed);
        match self.block.len() >= BLOCK_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), TransferError> {
        let block = std::mem::take(&mut self.block);
        let (writer, path) = (self.writer.take(), self.order.path.clone());
        let write = move || {
            let mut writer = match writer {
                Some(writer) => writer,
                None => ReceivedWriter::create(&path)?,
            };
            writer.write(&block)?;
            Ok(writer)
        };
        self.writer = Some(self.on_worker(write).await?);
        Ok(())
    }

    async fn commit(mut self) -> Result<(), TransferError> {
        self.flush().await?;
        match self.writer.take() {
            Some(writer) => self.on_worker(move || writer.commit()).await,
            None => Ok(()),
        }
    }

    async fn on_worker<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, ReplaceError> + Send + 'static,
    ) -> Result<T, TransferError> {
        let busy = |error: String| TransferError::Busy(error);
        let answer = self.means.pool.run(job).map_err(|error| busy(error.to_string()))?;
        Ok(answer.await.map_err(|error| busy(error.to_string()))??)
    }
}
