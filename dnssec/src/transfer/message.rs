//! Requests and answers of transfers: decoded, judged by their form, and made.
//! RFC 1035 §4, RFC 1995 §3, RFC 1996 §3, RFC 5936 §2, RFC 2136 §2 (head and zone only), RFC 6891,
//! RFC 7314 §2 (EXPIRE).
//! In: octets of a message, record data. Out: a [`Request`], or the [`Refused`] that answers it;
//! messages to send. hickory-proto takes messages apart and puts them together; streams of records
//! it has no part in.
//! Never: classes other than IN, opcodes other than QUERY, NOTIFY and UPDATE, a response to a
//! response; trust: the TSIG found here is yet to be verified.
//! Limits: one question; records by [`COUNTS_MAX`] before anything is allocated.

mod answer;
mod query;
mod refusal;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsCode;
use hickory_proto::rr::{self, RData};

pub use answer::{Answer, EDNS_OCTETS, RecordData};
pub use query::{Asked, NotTheAnswer, Response, notify, query};
pub use refusal::{Refused, RequestFault};

use super::tsig::TsigRecord;
use super::wire::{self, Head};
use crate::zone::soa_serial;
use crate::{Name, RrType, Serial};

/// Kinds of requests that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A question (RFC 1035).
    Query,
    /// "The zone has changed" (RFC 1996).
    Notify,
    /// "Change the zone" (RFC 2136).
    Update,
}

impl Opcode {
    fn from_wire(opcode: u8) -> Option<Opcode> {
        match opcode {
            0 => Some(Opcode::Query),
            4 => Some(Opcode::Notify),
            5 => Some(Opcode::Update),
            _ => None,
        }
    }

    fn to_wire(self) -> u8 {
        match self {
            Opcode::Query => 0,
            Opcode::Notify => 4,
            Opcode::Update => 5,
        }
    }

    /// Most records that the answer, authority and additional section of a request may have.
    fn counts_max(self) -> [u16; 3] {
        match self {
            Opcode::Query => COUNTS_MAX[0],
            Opcode::Notify => COUNTS_MAX[1],
            Opcode::Update => COUNTS_MAX[2],
        }
    }
}

/// Most records of the three sections after the question: of QUERY (an SOA of IXFR; OPT, TSIG),
/// NOTIFY (what changed), UPDATE (as many as fit).
pub const COUNTS_MAX: [[u16; 3]; 3] = [[0, 1, 4], [8, 8, 8], [u16::MAX, u16::MAX, u16::MAX]];

/// AXFR as a question's type (RFC 5936).
pub const AXFR: RrType = RrType(252);
/// IXFR as a question's type (RFC 1995).
pub const IXFR: RrType = RrType(251);

/// OPT (RFC 6891).
pub(super) const OPT: RrType = RrType(41);
/// EXPIRE among the options of OPT (RFC 7314 §2).
pub(super) const EXPIRE: u16 = 9;

/// The question; its class is IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, in the case in which it was asked for. The zone, for NOTIFY and UPDATE.
    pub name: Name,
    /// The type.
    pub rtype: RrType,
}

/// What an OPT record said (RFC 6891 §6.1.2), version 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdnsOffer {
    /// Octets of an answer by UDP that the sender can take; at least 512.
    pub udp_octets: u16,
    /// DO.
    pub dnssec_ok: bool,
    /// EXPIRE: the sender wants to know when the zone is too old (RFC 7314 §2).
    pub wants_expire: bool,
}

/// A well-formed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: u16,
    /// What it wants.
    pub opcode: Opcode,
    /// About what.
    pub question: Question,
    /// RD, which an answer repeats.
    pub recursion_desired: bool,
    /// The serial the sender has (IXFR), or speaks of (NOTIFY; only a hint).
    pub serial: Option<Serial>,
    /// EDNS, if the sender speaks it: then the answer does, too.
    pub edns: Option<EdnsOffer>,
    /// TSIG, not yet verified.
    pub tsig: Option<TsigRecord>,
}

impl Request {
    /// Takes a request apart. An UPDATE's records stay in `octets`, for the reader of updates.
    pub fn decode(octets: &[u8]) -> Result<Request, Refused> {
        let Some(head) = Head::read(octets) else {
            return Err(Refused::unanswered(RequestFault::TooShort { octets: octets.len() }));
        };
        if head.is_response {
            return Err(Refused::unanswered(RequestFault::IsResponse));
        }
        let refuse = |fault| Err(Refused::new(fault, &head));
        let Some(opcode) = Opcode::from_wire(head.opcode) else {
            return refuse(RequestFault::Opcode { opcode: head.opcode });
        };
        if head.is_truncated {
            return refuse(RequestFault::Truncated);
        }
        let [questions, records @ ..] = head.counts;
        let over = records.iter().zip(opcode.counts_max()).any(|(count, most)| *count > most);
        if questions != 1 || over {
            return refuse(RequestFault::Counts { counts: head.counts });
        }
        let Ok(tsig) = TsigRecord::find(octets) else { return refuse(RequestFault::Tsig) };
        match opcode {
            Opcode::Update => Request::of_update(octets, &head, tsig),
            Opcode::Query | Opcode::Notify => Request::of_query(octets, &head, opcode, tsig),
        }
    }

    fn of_query(
        octets: &[u8],
        head: &Head,
        opcode: Opcode,
        tsig: Option<TsigRecord>,
    ) -> Result<Request, Refused> {
        let decoded = Message::from_vec(octets);
        let message = decoded.map_err(|_| Refused::new(RequestFault::Undecodable, head))?;
        // There is one question: it was counted before.
        let query = message.queries.first();
        let named = query.and_then(|query| Some((query, from_hickory(query.name())?)));
        let (query, name) = named.ok_or_else(|| Refused::new(RequestFault::Undecodable, head))?;
        let question = Question { name, rtype: RrType(query.query_type().into()) };
        let class = u16::from(query.query_class());
        let edns = message.edns.as_ref().map(|edns| EdnsOffer {
            udp_octets: edns.max_payload().max(512),
            dnssec_ok: edns.flags().dnssec_ok,
            wants_expire: edns.option(EdnsCode::Expire).is_some(),
        });
        let refuse = |fault| Err(Refused::asking(fault, head, &question, edns));
        if class != crate::rrtype::CLASS_IN {
            return refuse(RequestFault::Class { class });
        }
        if let Some(version) = message.edns.as_ref().map(|edns| edns.version())
            && version != 0
        {
            return refuse(RequestFault::EdnsVersion { version });
        }
        let section = match opcode {
            Opcode::Notify => &message.answers,
            Opcode::Query | Opcode::Update => &message.authorities,
        };
        let serial = section.iter().find_map(|record| serial_of(record, &question.name));
        if question.rtype == IXFR && serial.is_none() {
            return refuse(RequestFault::NoSerial);
        }
        Ok(Request {
            id: head.id,
            opcode,
            question,
            recursion_desired: head.recursion_desired,
            serial,
            edns,
            tsig,
        })
    }

    fn of_update(octets: &[u8], head: &Head, tsig: Option<TsigRecord>) -> Result<Request, Refused> {
        let undecodable = || Refused::new(RequestFault::Undecodable, head);
        let (name, at) = wire::read_name(octets, wire::HEADER_OCTETS).ok_or_else(undecodable)?;
        let fixed = octets.get(at..).and_then(|rest| rest.first_chunk::<4>());
        let [t0, t1, c0, c1] = *fixed.ok_or_else(undecodable)?;
        let question = Question { name, rtype: RrType(u16::from_be_bytes([t0, t1])) };
        let class = u16::from_be_bytes([c0, c1]);
        let opt = wire::additional_of_type(octets, head, OPT);
        // RFC 6891 §6.1.3: the TTL field has the version and the flags, the class the size.
        let edns = opt.as_ref().map(|opt| EdnsOffer {
            udp_octets: opt.class.max(512),
            dnssec_ok: opt.ttl & 0x8000 != 0,
            wants_expire: false,
        });
        let refuse = |fault| Err(Refused::asking(fault, head, &question, edns));
        if class != crate::rrtype::CLASS_IN {
            return refuse(RequestFault::Class { class });
        }
        let version = opt.map_or(0, |opt| opt.ttl.to_be_bytes()[1]);
        if version != 0 {
            return refuse(RequestFault::EdnsVersion { version });
        }
        if question.rtype != RrType::SOA {
            return refuse(RequestFault::ZoneType { rtype: question.rtype });
        }
        Ok(Request {
            id: head.id,
            opcode: Opcode::Update,
            question,
            recursion_desired: head.recursion_desired,
            serial: None,
            edns,
            tsig,
        })
    }

    /// Whether `octets` of an answer by UDP are few enough for the sender; what is larger than
    /// [`EDNS_OCTETS`] is not sent whatever the sender says, since it would be fragmented.
    pub fn udp_octets_max(&self) -> usize {
        let offered = self.edns.map_or(512, |edns| edns.udp_octets.min(EDNS_OCTETS));
        usize::from(offered)
    }
}

/// The serial of `record` when it is the SOA of `zone`.
fn serial_of(record: &rr::Record, zone: &Name) -> Option<Serial> {
    if from_hickory(&record.name)? != *zone {
        return None;
    }
    match &record.data {
        RData::SOA(soa) => Some(Serial(soa.serial)),
        RData::Unknown { rdata, .. } if record.record_type() == rr::RecordType::SOA => {
            soa_serial(&rdata.anything)
        }
        _ => None,
    }
}

fn from_hickory(name: &rr::Name) -> Option<Name> {
    let mut wire = Vec::with_capacity(name.len());
    for label in name.iter() {
        wire.push(u8::try_from(label.len()).ok()?);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire).ok().map(|(name, _)| name)
}

fn to_hickory(name: &Name) -> rr::Name {
    // Labels of a name that is one already.
    let mut wire = rr::Name::from_labels(name.labels()).expect("labels of a name");
    wire.set_fqdn(true);
    wire
}

#[cfg(test)]
mod tests;
