//! Sends a transfer: units are rendered on workers ahead of the socket, signed in their order, and
//! written as fast as the reader takes them. RFC 5936 §2.2, RFC 8945 §5.3.1.
//! In: a transfer, a way to write. Out: octets, and how many.
//! A reader that is slow costs the units that wait for it, [`WINDOW_UNITS`] at most, and no more
//! than one while others use up [`AHEAD_UNITS_MAX`]; versions made meanwhile do not wait.
//! What one secondary is sent, others that lack the same are sent as well: it is there once.
//! Never: a zone in memory twice; a message of ours without TSIG where the request had one.

use super::requests::{Content, Outgoing};
use crate::io::dns_server::pace::Paced;
use crate::runtime::{Clock, JobAnswer, JobError, SubmitError, WorkerPool};
use crate::settings::zone_text;
use dnssec::transfer::ixfr::{Ixfr, WholeInstead};
use dnssec::transfer::packing::writer::RecordTooLong;
use dnssec::transfer::packing::{Axfr, Transfer};
use dnssec::transfer::tsig::Signer;
use dnssec::transfer::wire::MESSAGE_OCTETS_MAX;
use dnssec::zone::ZoneVersion;
use dnssec::{Name, Serial};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::io::AsyncWrite;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

/// Units of one transfer that are rendered or wait for the socket.
const WINDOW_UNITS: usize = 4;
/// Units of all transfers beyond the first of each.
const AHEAD_UNITS_MAX: usize = 256;

/// Why a transfer ended early.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The reader is gone, too slow, or the system refuses.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// A record that no message holds.
    #[error(transparent)]
    Record(Box<RecordTooLong>),
    /// No worker.
    #[error(transparent)]
    Busy(#[from] SubmitError),
    /// A bug.
    #[error(transparent)]
    Crashed(#[from] JobError),
    /// A version that is not one.
    #[error("the version has no SOA")]
    NoSoa,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Octets, lengths of messages included.
    pub octets: u64,
}

/// A unit that is rendered or waits for the socket.
struct Ahead {
    unit: JobAnswer<Result<Vec<u8>, RecordTooLong>>,
    /// Given back when the unit is sent.
    _room: Option<OwnedSemaphorePermit>,
}

/// Steps as one difference, or why they are none.
type Condensed = OnceCell<Result<Arc<Transfer>, WholeInstead>>;
/// A difference: zone, first serial and last.
type Span = (Name, u32, u32);

/// Renders and sends; clones share the limits.
#[derive(Clone)]
pub struct Sender {
    pool: WorkerPool,
    clock: Clock,
    ahead: Arc<Semaphore>,
    /// Differences that are being sent.
    condensed: Arc<Mutex<BTreeMap<Span, Weak<Condensed>>>>,
}

impl Sender {
    /// A sender that renders on `pool`.
    pub fn new(pool: WorkerPool, clock: Clock) -> Sender {
        let ahead = Arc::new(Semaphore::new(AHEAD_UNITS_MAX));
        Sender { pool, clock, ahead, condensed: Arc::default() }
    }

    /// Sends a transfer to its end.
    pub async fn send<W: AsyncWrite + Unpin>(
        &self,
        outgoing: Outgoing,
        to: &mut Paced<W>,
    ) -> Result<Sent, StreamError> {
        let Outgoing { zone, serial, peer, content, heading, mut signer } = outgoing;
        // What is shared is kept to the end, for others to find.
        let (transfer, _shared) = self.transfer(content, (&zone, serial), peer).await?;
        let heading = Arc::new(heading);
        let count = transfer.unit_count();
        let mut sent = Sent::default();
        let mut ahead = VecDeque::new();
        let mut next = 0;
        loop {
            while next < count && ahead.len() < WINDOW_UNITS {
                let room = match ahead.is_empty() {
                    true => None,
                    false => match self.ahead.clone().try_acquire_owned() {
                        Ok(room) => Some(room),
                        Err(_) => break,
                    },
                };
                let (transfer, heading, index) = (transfer.clone(), heading.clone(), next);
                let unit = self.pool.run(move || transfer.render(index, &heading))?;
                ahead.push_back(Ahead { unit, _room: room });
                next += 1;
            }
            let Some(first) = ahead.pop_front() else { return Ok(sent) };
            let rendered = first.unit.await?;
            let octets = rendered.map_err(|cause| StreamError::Record(Box::new(cause)))?;
            let (octets, messages) = self.signed(octets, signer.as_mut());
            to.write(&octets).await?;
            sent.messages += messages;
            sent.octets += octets.len() as u64;
        }
    }

    /// What is to be sent: a condensed difference, with its place, or the whole version.
    async fn transfer(
        &self,
        content: Content,
        (zone, serial): (&Name, Serial),
        peer: SocketAddr,
    ) -> Result<(Arc<Transfer>, Option<Arc<Condensed>>), StreamError> {
        let (from, steps, version, octets) = match content {
            Content::Whole(version) => return Ok((whole(version)?, None)),
            Content::Steps { from, steps, version, octets } => (from, steps, version, octets),
        };
        let shared = self.shared((zone.clone(), from.0, serial.0));
        let condense = async {
            let apex = zone.clone();
            let made = self.pool.run(move || Ixfr::new(&apex, &steps, octets))?.await?;
            Ok::<_, StreamError>(made.map(|ixfr| Arc::new(Transfer::Ixfr(ixfr))))
        };
        match shared.get_or_try_init(|| condense).await? {
            Ok(transfer) => Ok((transfer.clone(), Some(shared))),
            Err(instead) => {
                let (text, address) = (zone_text(zone), peer.ip());
                tracing::info!(target: "axfr", zone = %text,
                    "axfr fallback zone {text}: {address} has serial {from}, since when {instead}");
                Ok((whole(version)?, None))
            }
        }
    }

    /// The place of a difference, which all share that send it.
    fn shared(&self, key: Span) -> Arc<Condensed> {
        let mut known = self.condensed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.get(&key).and_then(Weak::upgrade) {
            return shared;
        }
        known.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::<Condensed>::default();
        known.insert(key, Arc::downgrade(&shared));
        shared
    }

    /// The messages of a unit, each with its TSIG, and their number.
    fn signed(&self, octets: Vec<u8>, signer: Option<&mut Signer>) -> (Vec<u8>, u64) {
        let mut count = 0;
        let mut rest = octets.as_slice();
        let Some(signer) = signer else {
            while let Some((_, after)) = split_message(rest) {
                rest = after;
                count += 1;
            }
            return (octets, count);
        };
        let mut signed = Vec::with_capacity(octets.len() + octets.len() / 32);
        let mut message = Vec::with_capacity(MESSAGE_OCTETS_MAX);
        while let Some((plain, after)) = split_message(rest) {
            message.clear();
            message.extend(plain);
            signer.sign(&mut message, self.clock.now());
            // Messages are rendered with room for it.
            signed.extend((message.len() as u16).to_be_bytes());
            signed.extend(&message);
            rest = after;
            count += 1;
        }
        (signed, count)
    }
}

fn whole(version: Arc<ZoneVersion>) -> Result<Arc<Transfer>, StreamError> {
    Axfr::new(version).map(|axfr| Arc::new(Transfer::Axfr(axfr))).ok_or(StreamError::NoSoa)
}

/// Splits off the first message, which stands behind its length.
fn split_message(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
