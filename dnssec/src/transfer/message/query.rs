//! What we ask and tell others: SOA, AXFR and IXFR queries, NOTIFY; and whether a message is the
//! answer. RFC 1995 §3, RFC 1996 §3, RFC 5936 §2.1, RFC 6891.
//! In: a random id from the caller, a zone, a serial. Out: octets to send, before any TSIG; what a
//! short answer says.
//! Never: streams of records, which `reception` reads.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{self, DNSClass, RData, RecordType};

use super::answer::encode;
use super::{EDNS_OCTETS, IXFR, Opcode, RecordData, from_hickory, serial_of, to_hickory};
use crate::transfer::rcode::Rcode;
use crate::transfer::wire::Head;
use crate::{Name, RrType, Serial};

/// A request of ours, and what its answer has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Random.
    pub id: u16,
    /// What kind of request.
    pub opcode: Opcode,
    /// The zone.
    pub zone: Name,
    /// SOA, [`AXFR`](super::AXFR) or [`IXFR`].
    pub rtype: RrType,
    /// The message, to be sent after an optional TSIG.
    pub octets: Vec<u8>,
}

/// What a short answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Response code.
    pub rcode: Rcode,
    /// AA.
    pub is_authoritative: bool,
    /// TC: to be asked again by TCP.
    pub is_truncated: bool,
    /// The serial of the zone's SOA in its answer section.
    pub serial: Option<Serial>,
}

/// Why a message is not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTheAnswer {
    /// No message.
    #[error("it is no message")]
    Torn,
    /// Another id, opcode, or no response at all.
    #[error("it answers something else")]
    OtherExchange,
    /// Another name, type or class.
    #[error("it answers another question")]
    OtherQuestion,
}

/// A query for `zone`: SOA, AXFR, or IXFR from the version `serial` on. With EDNS, which says what
/// fits by UDP.
pub fn query(id: u16, zone: &Name, rtype: RrType, serial: Option<Serial>) -> Asked {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    if let Some(serial) = serial.filter(|_| rtype == IXFR) {
        // Only the serial counts (RFC 1995 §3).
        let root = rr::Name::root;
        let soa = rr::rdata::SOA::new(root(), root(), serial.0, 0, 0, 0, 0);
        message.add_authority(rr::Record::from_rdata(to_hickory(zone), 0, RData::SOA(soa)));
    }
    let mut edns = Edns::new();
    edns.set_max_payload(EDNS_OCTETS);
    message.set_edns(edns);
    asked(message, Opcode::Query, zone, rtype)
}

/// "`zone` has changed" (RFC 1996 §3.7), with the SOA of the new version as a hint. Without EDNS,
/// which old secondaries do not know here.
pub fn notify(id: u16, zone: &Name, soa: Option<RecordData<'_>>) -> Asked {
    let mut message = Message::new(id, MessageType::Query, OpCode::Notify);
    message.metadata.authoritative = true;
    if let Some(soa) = soa {
        message.add_answer(soa.to_hickory());
    }
    asked(message, Opcode::Notify, zone, RrType::SOA)
}

fn asked(mut message: Message, opcode: Opcode, zone: &Name, rtype: RrType) -> Asked {
    message.add_query(Query::query(to_hickory(zone), RecordType::from(rtype.0)));
    let octets = encode(&message);
    Asked { id: message.metadata.id, opcode, zone: zone.clone(), rtype, octets }
}

impl Asked {
    /// Whether the head of a message is that of an answer to this.
    pub fn is_answered_by(&self, head: &Head) -> bool {
        head.is_response && head.id == self.id && head.opcode == self.opcode.to_wire()
    }

    /// What `octets` answer, when they are the answer; to be called after the TSIG was verified.
    /// An answer without question passes for errors and NOTIFY, as real servers send it.
    pub fn response(&self, octets: &[u8]) -> Result<Response, NotTheAnswer> {
        let head = Head::read(octets).ok_or(NotTheAnswer::Torn)?;
        if !self.is_answered_by(&head) {
            return Err(NotTheAnswer::OtherExchange);
        }
        if head.counts[0] > 1 {
            return Err(NotTheAnswer::OtherQuestion);
        }
        let message = Message::from_vec(octets).map_err(|_| NotTheAnswer::Torn)?;
        let rcode = Rcode(message.metadata.response_code.into());
        let is_ours = match message.queries.first() {
            None => rcode != Rcode::NOERROR || self.opcode == Opcode::Notify,
            Some(query) => {
                u16::from(query.query_type()) == self.rtype.0
                    && query.query_class() == DNSClass::IN
                    && from_hickory(query.name()).as_ref() == Some(&self.zone)
            }
        };
        if !is_ours {
            return Err(NotTheAnswer::OtherQuestion);
        }
        let serial = message.answers.iter().find_map(|record| serial_of(record, &self.zone));
        Ok(Response {
            rcode,
            is_authoritative: head.is_authoritative,
            is_truncated: head.is_truncated,
            serial,
        })
    }
}
