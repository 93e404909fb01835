//! One request: who asks, whether he may, what he gets. RFC 5936 §2.2, RFC 1995 §4, RFC 1996 §3,
//! RFC 2136 §3, RFC 8945 §5.2; the behaviour of OpenDNSSEC's listener where those leave a choice.
//! In: a message from outside. Out: silence, a message, or a transfer to be sent.
//! Nothing of a request is acted on before its TSIG is verified and its sender found in the zone's
//! list. Forms of names, types and messages are `dnssec::transfer`'s.
//! Never: sockets. Limit: differences for one message by UDP are looked at up to
//! [`UDP_DIFFERENCE_OCTETS`] octets.

use super::hearing::Heard;
use super::publications::{Publications, Published};
use super::tally::AnsweredUpdate;
use super::updates::{PendingUpdate, UpdateJob, Updates};
use crate::runtime::Clock;
use crate::settings::zone_text;
use crate::zone::gate::ServedSerials;
use dnssec::transfer::Rcode;
use dnssec::transfer::ixfr::Ixfr;
use dnssec::transfer::message::{Answer, Opcode, Request};
use dnssec::transfer::packing::writer::Heading;
use dnssec::transfer::peers::{Peer, key_named, permits};
use dnssec::transfer::serving::{Shape, Wanted, apex_answer, expires_in, is_behind, soa_answer};
use dnssec::transfer::tsig::{Rejected, Signer};
use dnssec::transfer::wire::MESSAGE_OCTETS_MAX;
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::{Name, Serial};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Differences with more octets are not even tried to be sent by UDP.
const UDP_DIFFERENCE_OCTETS: usize = 64 << 10;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram, whose sender may be another than it says.
    Udp,
    /// In a connection.
    Tcp,
}

/// What a request is answered with.
#[derive(Debug)]
pub enum Reply {
    /// Nothing.
    Silence,
    /// A message that gives nothing away: not worth more than a few a second by UDP.
    Refusal(Vec<u8>),
    /// A message.
    Message(Vec<u8>),
    /// A transfer; only in a connection.
    Transfer(Box<Outgoing>),
    /// A message, when the zone has done an update or not.
    Update(Box<PendingUpdate>),
}

/// A transfer that may be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// The zone.
    pub zone: Name,
    /// Serial of the version.
    pub serial: Serial,
    /// Where it goes.
    pub peer: SocketAddr,
    /// What is sent.
    pub content: Content,
    /// What its messages have in common.
    pub heading: Heading,
    /// What signs them.
    pub signer: Option<Signer>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Content {
    /// A whole version.
    Whole(Arc<ZoneVersion>),
    /// The steps to the version, which is sent whole where they are larger.
    Steps {
        /// The serial that the secondary has.
        from: Serial,
        /// Each step.
        steps: Vec<Arc<Difference>>,
        /// The version.
        version: Arc<ZoneVersion>,
        /// Its octets.
        octets: usize,
    },
}

/// What requests are answered from.
#[derive(Clone)]
pub struct Desk {
    /// What is served.
    pub publications: Arc<Publications>,
    /// Serials that secondaries show by asking.
    pub served: Arc<ServedSerials>,
    /// Where NOTIFYs go.
    pub heard: Arc<Heard>,
    /// Where updates go.
    pub updates: Arc<Updates>,
    /// The time.
    pub clock: Clock,
}

/// A request that is understood, and where it came from.
struct Asked<'a> {
    request: Request,
    octets: &'a [u8],
    peer: SocketAddr,
    transport: Transport,
}

impl Asked<'_> {
    fn zone(&self) -> &Name {
        &self.request.question.name
    }

    fn text(&self) -> String {
        zone_text(self.zone())
    }

    /// Most octets of an answer in one message, with room for the TSIG.
    fn octets_max(&self, signer: Option<&Signer>) -> usize {
        let most = match self.transport {
            Transport::Udp => self.request.udp_octets_max(),
            Transport::Tcp => MESSAGE_OCTETS_MAX,
        };
        most - signer.map_or(0, |signer| signer.key().record_octets())
    }
}

impl Desk {
    /// Answers one message.
    pub fn reply(&self, octets: &[u8], peer: SocketAddr, transport: Transport) -> Reply {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let request = match Request::decode(octets) {
            Ok(request) => request,
            Err(refused) => {
                tracing::debug!(target: "query", %peer, "{peer}: {}", refused.fault);
                return refused.answer().map_or(Reply::Silence, Reply::Refusal);
            }
        };
        let asked = Asked { request, octets, peer, transport };
        match asked.request.opcode {
            Opcode::Query => self.query(&asked),
            Opcode::Notify => self.notify(&asked),
            Opcode::Update => self.update(&asked),
        }
    }

    fn query(&self, asked: &Asked<'_>) -> Reply {
        let Some(published) = self.publications.get(asked.zone()) else {
            return refusal(asked, Rcode::SERVFAIL);
        };
        let peers = published.outbound.as_ref().map(|outbound| &outbound.provide_transfer[..]);
        let signer = match self.admitted(asked, peers.unwrap_or_default()) {
            Ok(signer) => signer,
            Err(Refusal::Tsig(rejected)) => return self.rejection(asked, *rejected),
            Err(Refusal::Unlisted) => {
                tracing::debug!(target: "query", "zone {} acl query refused for {}", asked.text(),
                    asked.peer.ip());
                return refusal(asked, Rcode::REFUSED);
            }
        };
        let Some(version) = self.served(asked, &published) else {
            let answer = Answer::new(&asked.request, Rcode::SERVFAIL).finish(MESSAGE_OCTETS_MAX);
            return self.signed(answer, signer);
        };
        self.content(asked, &published, version, signer)
    }

    /// The version that is served, unless there is none or it has expired.
    fn served(&self, asked: &Asked<'_>, published: &Published) -> Option<Arc<ZoneVersion>> {
        let is_expired = |moment| self.clock.now() >= moment;
        if published.expires.is_some_and(is_expired) {
            tracing::warn!(target: "query", zone = %asked.text(),
                "zone {} expired, not transferring zone", asked.text());
            return None;
        }
        published.version.clone()
    }

    fn content(
        &self,
        asked: &Asked<'_>,
        published: &Published,
        version: Arc<ZoneVersion>,
        signer: Option<Signer>,
    ) -> Reply {
        let Some(ours) = version.serial() else { return Reply::Silence };
        let octets_max = asked.octets_max(signer.as_ref());
        let expire = expires_in(&asked.request, &version, published.expires, self.clock.now());
        let shape = Shape { octets_max, expire };
        let content = match Wanted::by(&asked.request) {
            Wanted::Unserved => {
                let answer = Answer::new(&asked.request, Rcode::NOTIMP).finish(octets_max);
                return self.signed(answer, signer);
            }
            Wanted::Apex => {
                return self.signed(apex_answer(&asked.request, &version, shape), signer);
            }
            Wanted::Axfr => Content::Whole(version.clone()),
            Wanted::Ixfr { since } => {
                let now = self.clock.now();
                self.served.note(asked.zone(), asked.peer.ip(), since, now);
                if !is_behind(since, ours) {
                    return self.signed(soa_answer(&asked.request, &version, shape), signer);
                }
                match self.publications.since(asked.zone(), since, &version) {
                    Some(steps) => {
                        let (version, octets) = (version.clone(), published.octets);
                        Content::Steps { from: since, steps, version, octets }
                    }
                    None => {
                        tracing::info!(target: "axfr", zone = %asked.text(),
                            "axfr fallback zone {}: nothing is known of serial {since}, which {} \
                             has", asked.text(), asked.peer.ip());
                        Content::Whole(version.clone())
                    }
                }
            }
        };
        match asked.transport {
            Transport::Udp => {
                let message = by_udp(asked, &content, shape)
                    .unwrap_or_else(|| soa_answer(&asked.request, &version, shape));
                self.signed(message, signer)
            }
            Transport::Tcp => Reply::Transfer(Box::new(Outgoing {
                zone: version.apex.clone(),
                serial: ours,
                peer: asked.peer,
                content,
                heading: Heading::of(&asked.request).expiring_in(expire),
                signer,
            })),
        }
    }

    fn notify(&self, asked: &Asked<'_>) -> Reply {
        let published = self.publications.get(asked.zone());
        let inbound = published.and_then(|published| published.inbound);
        let peers = inbound.as_ref().map(|inbound| &inbound.allow_notify[..]);
        let address = asked.peer.ip();
        let signer = match self.admitted(asked, peers.unwrap_or_default()) {
            Ok(signer) => signer,
            Err(Refusal::Tsig(rejected)) => return self.rejection(asked, *rejected),
            Err(Refusal::Unlisted) => {
                tracing::info!(target: "query", zone = %asked.text(),
                    "unauthorized notify for zone {} from {address}", asked.text());
                return refusal(asked, Rcode::NOTAUTH);
            }
        };
        self.heard.take(asked.zone(), address, asked.request.serial);
        let answer = Answer::new(&asked.request, Rcode::NOERROR).authoritative();
        self.signed(answer.finish(MESSAGE_OCTETS_MAX), signer)
    }

    /// Hands an update to its zone. One of a zone with masters is not forwarded to them, which
    /// RFC 2136 §6 leaves open: nobody is listed there.
    fn update(&self, asked: &Asked<'_>) -> Reply {
        let (zone, from) = (asked.text(), asked.peer.ip());
        let Some(published) = self.publications.get(asked.zone()) else {
            tracing::debug!(target: "query", "update of {zone} from {from}: no zone of ours");
            return refusal(asked, Rcode::NOTAUTH);
        };
        let peers = published.inbound.as_ref().map(|inbound| &inbound.allow_update[..]);
        let note = |rcode| {
            let key = asked.request.tsig.as_ref().map(|record| record.key_name().clone());
            let answered = AnsweredUpdate { at: self.clock.now(), from, key, rcode };
            self.publications.note_update(asked.zone(), answered);
        };
        let signer = match self.admitted(asked, peers.unwrap_or_default()) {
            Err(Refusal::Tsig(rejected)) => {
                note(rejected.rcode());
                return self.rejection(asked, *rejected);
            }
            // Each peer has a key, so that there is no request without one.
            Ok(None) | Err(Refusal::Unlisted) => {
                tracing::info!(target: "query", %zone, "unauthorized update for zone {zone} from \
                    {from}");
                note(Rcode::REFUSED);
                return refusal(asked, Rcode::REFUSED);
            }
            Ok(Some(signer)) => signer,
        };
        let (reply, answer) = crate::runtime::Reply::channel();
        let (message, key) = (asked.octets.to_vec(), signer.key().name().clone());
        match self.updates.put(asked.zone(), UpdateJob { message, from, key, reply }) {
            Ok(()) => {
                let (request, clock) = (asked.request.clone(), self.clock.clone());
                let publications = self.publications.clone();
                let pending = PendingUpdate { request, signer, answer, clock, publications, from };
                Reply::Update(Box::new(pending))
            }
            Err(error) => {
                tracing::warn!(target: "query", %zone, "update for zone {zone} from {from} is \
                    answered SERVFAIL: {error}");
                note(Rcode::SERVFAIL);
                let answer = Answer::new(&asked.request, Rcode::SERVFAIL);
                self.signed(answer.finish(MESSAGE_OCTETS_MAX), Some(signer))
            }
        }
    }

    /// What signs the answers, where the request was signed; or why it is not answered.
    fn admitted(&self, asked: &Asked<'_>, peers: &[Peer]) -> Result<Option<Signer>, Refusal> {
        let signer = match &asked.request.tsig {
            None => None,
            Some(record) => {
                let key = key_named(peers, record.key_name());
                // To strangers keys are not even looked up: it tells them which there are.
                if !peers.iter().any(|peer| may_come_from(peer, asked.peer.ip())) {
                    return Err(Refusal::Unlisted);
                }
                let verified = record.verify(asked.octets, key, self.clock.now());
                Some(verified.map_err(|rejected| Refusal::Tsig(Box::new(rejected)))?)
            }
        };
        let key = signer.as_ref().map(|signer| signer.key().name());
        match permits(peers, asked.peer.ip(), key) {
            true => Ok(signer),
            false => Err(Refusal::Unlisted),
        }
    }

    fn rejection(&self, asked: &Asked<'_>, rejected: Rejected) -> Reply {
        tracing::warn!(target: "query", zone = %asked.text(), "zone {}: request of {} refused: {}",
            asked.text(), asked.peer.ip(), rejected.reason());
        let mut answer = Answer::new(&asked.request, rejected.rcode()).finish(MESSAGE_OCTETS_MAX);
        rejected.append_to(&mut answer, self.clock.now());
        Reply::Refusal(answer)
    }

    fn signed(&self, mut message: Vec<u8>, signer: Option<Signer>) -> Reply {
        if let Some(mut signer) = signer {
            signer.sign(&mut message, self.clock.now());
        }
        Reply::Message(message)
    }
}

/// Why a request is not answered with what it wants.
enum Refusal {
    /// Its TSIG is wrong.
    Tsig(Box<Rejected>),
    /// Nobody lists its sender.
    Unlisted,
}

fn may_come_from(peer: &Peer, address: IpAddr) -> bool {
    peer.prefix.is_none_or(|prefix| prefix.contains(address))
}

/// The transfer as one datagram, where it fits; RFC 1995 §2 wants the SOA alone otherwise.
fn by_udp(asked: &Asked<'_>, content: &Content, shape: Shape) -> Option<Vec<u8>> {
    let Content::Steps { steps, version, octets, .. } = content else {
        tracing::info!(target: "axfr", zone = %asked.text(), "axfr udp overflow zone {}",
            asked.text());
        return None;
    };
    let size = |step: &Arc<Difference>| step.removed.len() + step.added.len();
    let is_tried = steps.iter().map(size).sum::<usize>() <= UDP_DIFFERENCE_OCTETS;
    let ixfr = is_tried.then(|| Ixfr::new(&version.apex, steps, *octets).ok()).flatten();
    let heading = Heading::of(&asked.request).expiring_in(shape.expire);
    // A record that fits no message does not fit a datagram either.
    let message = ixfr.and_then(|ixfr| ixfr.single(&heading, shape.octets_max).ok().flatten());
    if message.is_none() {
        tracing::info!(target: "axfr", zone = %asked.text(), "ixfr udp overflow zone {}",
            asked.text());
    }
    message
}

fn refusal(asked: &Asked<'_>, rcode: Rcode) -> Reply {
    Reply::Refusal(Answer::new(&asked.request, rcode).finish(MESSAGE_OCTETS_MAX))
}
