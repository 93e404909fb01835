//! Requests that are refused for their form alone, and their answers.
//! RFC 1035 §4.1.1, RFC 5936 §2.1, RFC 6891 §6.1.3, RFC 8945 §5.2.
//! In: what is wrong, the request's head. Out: an RCODE and a message, or silence.
//! Never: an answer to a response or to what has no head (two servers would talk for ever).

use hickory_proto::op::OpCode;

use super::{Answer, EdnsOffer, Question};
use crate::RrType;
use crate::transfer::rcode::Rcode;
use crate::transfer::wire::{Head, MESSAGE_OCTETS_MAX};

/// What is wrong with the form of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// Less than a head.
    #[error("{octets} octets are no message")]
    TooShort {
        /// How many there are.
        octets: usize,
    },
    /// QR is set.
    #[error("a response where requests are taken")]
    IsResponse,
    /// An opcode that is not served.
    #[error("opcode {opcode} is not served")]
    Opcode {
        /// Its number.
        opcode: u8,
    },
    /// TC is set.
    #[error("a request that is cut short")]
    Truncated,
    /// Not one question, or records where none belong.
    #[error("a request whose sections have {counts:?} entries")]
    Counts {
        /// The four counts of the head.
        counts: [u16; 4],
    },
    /// It ends early, or its names or records are none.
    #[error("a request that is torn")]
    Undecodable,
    /// Its TSIG is torn or not the last record.
    #[error("a request with a TSIG that is torn or not the last record")]
    Tsig,
    /// A class other than IN.
    #[error("class {class} is not served")]
    Class {
        /// Its number.
        class: u16,
    },
    /// An EDNS version other than 0.
    #[error("EDNS version {version} is not served")]
    EdnsVersion {
        /// Its number.
        version: u8,
    },
    /// IXFR without the SOA of the version that the sender has (RFC 1995 §3).
    #[error("IXFR without a serial")]
    NoSerial,
    /// UPDATE whose zone section is not of type SOA (RFC 2136 §2.3).
    #[error("UPDATE with a zone section of type {}", rtype.0)]
    ZoneType {
        /// The type.
        rtype: RrType,
    },
}

/// A request that is refused for its form.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What is wrong with it.
    pub fault: RequestFault,
    head: Option<Head>,
    question: Option<Question>,
    speaks_edns: bool,
}

impl Refused {
    pub(super) fn unanswered(fault: RequestFault) -> Refused {
        Refused { fault, head: None, question: None, speaks_edns: false }
    }

    pub(super) fn new(fault: RequestFault, head: &Head) -> Refused {
        Refused { fault, head: Some(*head), question: None, speaks_edns: false }
    }

    pub(super) fn asking(
        fault: RequestFault,
        head: &Head,
        question: &Question,
        edns: Option<EdnsOffer>,
    ) -> Refused {
        let speaks_edns = edns.is_some();
        Refused { fault, head: Some(*head), question: Some(question.clone()), speaks_edns }
    }

    /// The response code; `None` when nothing is sent back.
    pub fn rcode(&self) -> Option<Rcode> {
        match self.fault {
            RequestFault::TooShort { .. } | RequestFault::IsResponse => None,
            RequestFault::Opcode { .. } => Some(Rcode::NOTIMP),
            RequestFault::Class { .. } => Some(Rcode::REFUSED),
            RequestFault::EdnsVersion { .. } => Some(Rcode::BADVERS),
            RequestFault::Truncated
            | RequestFault::Counts { .. }
            | RequestFault::Undecodable
            | RequestFault::Tsig
            | RequestFault::NoSerial
            | RequestFault::ZoneType { .. } => Some(Rcode::FORMERR),
        }
    }

    /// The message to send back, if any; never larger than the request could be by UDP.
    pub fn answer(&self) -> Option<Vec<u8>> {
        let (head, rcode) = (self.head?, self.rcode()?);
        let opcode = OpCode::from_u8(head.opcode);
        let mut answer = Answer::bare(head.id, opcode, head.recursion_desired, rcode);
        if let Some(question) = &self.question {
            answer.set_question(question);
        }
        if self.speaks_edns {
            answer.set_edns();
        }
        Some(answer.finish(MESSAGE_OCTETS_MAX))
    }
}
