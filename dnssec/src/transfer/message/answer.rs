//! Short answers: SOA, apex data, refusals, acknowledgements. RFC 1035 §4.1, RFC 6891 §6.1.1,
//! RFC 7314 §3.2 (EXPIRE).
//! In: the request, record data of the zone. Out: octets to send, before any TSIG.
//! Never: transfers, which `packing` writes; a record that the caller did not bring.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{self, RData, RecordType};

use super::{EXPIRE, Question, Request, to_hickory};
use crate::transfer::rcode::Rcode;
use crate::{Name, RrType, Seconds, Ttl};

/// Octets by UDP that we send at most, and say that we take: passes everywhere in one piece.
pub const EDNS_OCTETS: u16 = 1232;

/// A record to send, its data in wire form with whole names.
#[derive(Clone, Copy, Debug)]
pub struct RecordData<'a> {
    /// Owner name.
    pub owner: &'a Name,
    /// Type.
    pub rtype: RrType,
    /// TTL.
    pub ttl: Ttl,
    /// Data.
    pub rdata: &'a [u8],
}

impl RecordData<'_> {
    pub(super) fn to_hickory(self) -> rr::Record {
        let rdata = NULL::with(self.rdata.to_vec());
        let data = RData::Unknown { code: RecordType::from(self.rtype.0), rdata };
        rr::Record::from_rdata(to_hickory(self.owner), self.ttl.0, data)
    }
}

/// An answer being put together.
#[derive(Clone, Debug)]
pub struct Answer {
    message: Message,
}

impl Answer {
    /// An answer to `request` without records: head, question, EDNS if the request had it.
    pub fn new(request: &Request, rcode: Rcode) -> Answer {
        let opcode = OpCode::from_u8(request.opcode.to_wire());
        let mut answer = Answer::bare(request.id, opcode, request.recursion_desired, rcode);
        answer.set_question(&request.question);
        if request.edns.is_some() {
            answer.set_edns();
        }
        answer
    }

    pub(super) fn bare(id: u16, opcode: OpCode, recursion_desired: bool, rcode: Rcode) -> Answer {
        let mut message = Message::new(id, MessageType::Response, opcode);
        message.metadata.recursion_desired = recursion_desired;
        message.metadata.response_code = rcode.0.into();
        Answer { message }
    }

    pub(super) fn set_question(&mut self, question: &Question) {
        let rtype = RecordType::from(question.rtype.0);
        self.message.add_query(Query::query(to_hickory(&question.name), rtype));
    }

    pub(super) fn set_edns(&mut self) {
        let mut edns = Edns::new();
        edns.set_max_payload(EDNS_OCTETS);
        self.message.set_edns(edns);
    }

    /// Tells in how many seconds the zone is too old to be served (RFC 7314 §3.2), where the
    /// request wants to know.
    pub fn expiring_in(mut self, length: Option<Seconds>) -> Answer {
        if let (Some(edns), Some(length)) = (&mut self.message.edns, length) {
            let seconds = u32::try_from(length.0).unwrap_or(u32::MAX).to_be_bytes();
            edns.options_mut().insert(EdnsOption::Unknown(EXPIRE, seconds.to_vec()));
        }
        self
    }

    /// Sets AA.
    pub fn authoritative(mut self) -> Answer {
        self.message.metadata.authoritative = true;
        self
    }

    /// Adds a record to the answer section.
    pub fn answer(mut self, record: RecordData<'_>) -> Answer {
        self.message.add_answer(record.to_hickory());
        self
    }

    /// Adds a record to the authority section.
    pub fn authority(mut self, record: RecordData<'_>) -> Answer {
        self.message.add_authority(record.to_hickory());
        self
    }

    /// The octets to send; records are left out and TC is set when they are more than `limit`
    /// (RFC 2181 §9). By TCP the limit is 65,535; leave room for a TSIG.
    pub fn finish(mut self, limit: usize) -> Vec<u8> {
        if let Ok(octets) = self.message.to_vec()
            && octets.len() <= limit
        {
            return octets;
        }
        self.message.answers.clear();
        self.message.authorities.clear();
        self.message.metadata.truncation = true;
        encode(&self.message)
    }
}

/// The octets of a message of ours that has a head, a question, OPT and at most one small record.
pub(super) fn encode(message: &Message) -> Vec<u8> {
    // Encoding fails only beyond 65,535 octets or records.
    message.to_vec().expect("a short message")
}
