//! A request whose TSIG a server does not accept, and the TSIG that says so. RFC 8945 §5.2.
//! In: the reason, the request's record. Out: an RCODE and a record for the answer.
//! Never: a signed answer to somebody who did not know the key.

use super::record::TsigRecord;
use super::stream::Signer;
use crate::transfer::rcode::Rcode;
use crate::{Name, Timestamp};

/// Why a request's TSIG is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such key here, or it is of another algorithm (§5.2.1).
    #[error("TSIG key {key} with algorithm {algorithm} is not known")]
    BadKey {
        /// The name in the request.
        key: Name,
        /// The algorithm in the request.
        algorithm: Box<Name>,
    },
    /// The MAC is not the message's (§5.2.2).
    #[error("TSIG of key {key} does not verify")]
    BadSignature {
        /// The key.
        key: Name,
    },
    /// The sender's clock is too far from ours (§5.2.3).
    #[error("TSIG of key {key} was made at {}, which is too far from our {}", signed.0, now.0)]
    BadTime {
        /// The key.
        key: Name,
        /// The sender's time.
        signed: Timestamp,
        /// Ours.
        now: Timestamp,
    },
    /// The MAC is right but cut shorter than whole, which our policy does not take (§5.2.4).
    #[error("TSIG of key {key} is cut to {octets} octets")]
    BadTruncation {
        /// The key.
        key: Name,
        /// Length of the MAC.
        octets: usize,
    },
    /// The MAC is longer than its algorithm's, or shorter than §5.2.2.1 allows at all.
    #[error("TSIG of key {key} has a MAC of {octets} octets")]
    MacLength {
        /// The key.
        key: Name,
        /// Length of the MAC.
        octets: usize,
    },
}

/// A request that is not accepted, with what its answer needs.
#[derive(Debug)]
pub struct Rejected {
    reason: Rejection,
    record: Box<TsigRecord>,
    /// For answers to those who know the key.
    signer: Option<Signer>,
}

impl Rejected {
    pub(super) fn new(reason: Rejection, record: &TsigRecord, signer: Option<Signer>) -> Rejected {
        Rejected { reason, record: Box::new(record.clone()), signer }
    }

    /// Why.
    pub fn reason(&self) -> &Rejection {
        &self.reason
    }

    /// The response code of the answer.
    pub fn rcode(&self) -> Rcode {
        match self.reason {
            Rejection::MacLength { .. } => Rcode::FORMERR,
            _ => Rcode::NOTAUTH,
        }
    }

    /// The code in the TSIG of the answer; none where the answer has no TSIG.
    pub fn tsig_error(&self) -> Option<Rcode> {
        match self.reason {
            Rejection::BadKey { .. } => Some(Rcode::BADKEY),
            Rejection::BadSignature { .. } => Some(Rcode::BADSIG),
            Rejection::BadTime { .. } => Some(Rcode::BADTIME),
            Rejection::BadTruncation { .. } => Some(Rcode::BADTRUNC),
            Rejection::MacLength { .. } => None,
        }
    }

    /// Puts the TSIG that tells the reason on the answer `message`: signed for those who know the
    /// key, and for BADTIME with our time and under theirs (§5.2.3).
    pub fn append_to(self, message: &mut Vec<u8>, now: Timestamp) {
        let Some(error) = self.tsig_error() else { return };
        let is_of_time = matches!(self.reason, Rejection::BadTime { .. });
        let at = if is_of_time { self.record.time_signed } else { now };
        let TsigRecord { key_name, algorithm, .. } = *self.record;
        let mut record = TsigRecord::blank(key_name, algorithm, message, at);
        record.error = error;
        if is_of_time {
            record.other = now.0.to_be_bytes()[2..].to_vec();
        }
        match self.signer {
            Some(mut signer) => signer.append(record, message),
            None => record.append_to(message),
        }
    }
}
