//! Signing and verifying the messages of one exchange, in their order. RFC 8945 §4.3, §5.3.
//! In: messages, the time. Out: messages with a TSIG; verdicts.
//! Never: a message without TSIG of ours; more than [`UNSIGNED_MESSAGES_MAX`] without of a peer's.

use std::sync::Arc;

use super::TsigKey;
use super::algorithm::Context;
use super::record::TsigRecord;
use crate::transfer::rcode::Rcode;
use crate::{Name, Timestamp};

/// How many messages in a row a peer may leave without TSIG (RFC 8945 §5.3.1).
pub const UNSIGNED_MESSAGES_MAX: u32 = 99;

/// Why a peer's answer, or its stream of answers, is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TsigFault {
    /// The first message, the last one, or a hundred in a row have no TSIG.
    #[error("message {message} of the answer has no TSIG where it needs one")]
    Missing {
        /// Which message, from 1.
        message: u64,
    },
    /// No message, or its TSIG is not in its place.
    #[error("message {message} of the answer is torn, or its TSIG is")]
    Malformed {
        /// Which message, from 1.
        message: u64,
    },
    /// It is signed, but not with the key of the request.
    #[error("message {message} of the answer is signed with {key} ({algorithm})")]
    OtherKey {
        /// Which message, from 1.
        message: u64,
        /// The key it names.
        key: Box<Name>,
        /// The algorithm it names.
        algorithm: Box<Name>,
    },
    /// The MAC is not this message's, or not a whole one.
    #[error("TSIG of message {message} of the answer does not verify")]
    BadSignature {
        /// Which message, from 1.
        message: u64,
    },
    /// The peer's clock is too far from ours.
    #[error("TSIG of message {message} was made at {}, our time is {}", signed.0, now.0)]
    BadTime {
        /// Which message, from 1.
        message: u64,
        /// The peer's time.
        signed: Timestamp,
        /// Ours.
        now: Timestamp,
    },
    /// The peer did not accept our TSIG. BADKEY and BADSIG come unsigned (and NSD's BADTIME):
    /// anybody may have said so.
    #[error("the peer does not accept our TSIG: {}", error.tsig_name())]
    Refused {
        /// The code in its TSIG.
        error: Rcode,
        /// Its time, if it says so (BADTIME).
        peer_time: Option<Timestamp>,
    },
}

/// Signs the messages of one exchange from our side: all of them.
#[derive(Clone, Debug)]
pub struct Signer {
    key: Arc<TsigKey>,
    /// MAC of what came before: the request's, then that of our last message.
    prior_mac: Vec<u8>,
    is_first: bool,
}

impl Signer {
    pub(super) fn new(key: Arc<TsigKey>, request_mac: Vec<u8>) -> Signer {
        Signer { key, prior_mac: request_mac, is_first: true }
    }

    /// The key that the request was signed with.
    pub fn key(&self) -> &Arc<TsigKey> {
        &self.key
    }

    #[cfg(test)]
    pub(super) fn prior_mac(&self) -> &[u8] {
        &self.prior_mac
    }

    /// Puts a TSIG on the next message of the answer: whole, with its final id, and with
    /// [`TsigKey::record_octets`] of room left.
    pub fn sign(&mut self, message: &mut Vec<u8>, now: Timestamp) {
        let algorithm = self.key.algorithm.wire_name();
        let record = TsigRecord::blank(self.key.name.clone(), algorithm, message, now);
        self.append(record, message);
    }

    /// Puts `record` on `message`, with its MAC.
    pub(super) fn append(&mut self, mut record: TsigRecord, message: &mut Vec<u8>) {
        let mut context = self.key.context();
        digest_mac(&mut context, &self.prior_mac);
        context.update(message);
        match self.is_first {
            true => record.digest_variables(&mut context),
            false => record.digest_timers(&mut context),
        }
        record.mac = context.finish();
        record.append_to(message);
        self.is_first = false;
        self.prior_mac = record.mac;
    }
}

/// Puts a TSIG on the request `message`, which has its final id and room for it, and yields what
/// checks the answers.
pub fn sign_request(key: &Arc<TsigKey>, message: &mut Vec<u8>, now: Timestamp) -> Verifier {
    let algorithm = key.algorithm.wire_name();
    let mut record = TsigRecord::blank(key.name.clone(), algorithm, message, now);
    let mut context = key.context();
    context.update(message);
    record.digest_variables(&mut context);
    record.mac = context.finish();
    record.append_to(message);
    Verifier::new(Arc::clone(key), &record.mac)
}

/// Checks the answers to one signed request, message by message in their order.
#[derive(Clone)]
pub struct Verifier {
    key: Arc<TsigKey>,
    /// What was digested since the last TSIG.
    context: Context,
    message_count: u64,
    /// Messages without TSIG since the last one with.
    unsigned_count: u32,
}

impl Verifier {
    fn new(key: Arc<TsigKey>, request_mac: &[u8]) -> Verifier {
        let mut context = key.context();
        digest_mac(&mut context, request_mac);
        Verifier { key, context, message_count: 0, unsigned_count: 0 }
    }

    /// The next message. What an unsigned one says counts only when a later one has verified: see
    /// [`finish`](Self::finish). After a fault the exchange is over.
    pub fn verify(&mut self, message: &[u8], now: Timestamp) -> Result<(), TsigFault> {
        self.message_count += 1;
        let number = self.message_count;
        let found = TsigRecord::find(message);
        let record = found.map_err(|_| TsigFault::Malformed { message: number })?;
        let Some(record) = record else { return self.take_unsigned(message) };
        if !record.is_of(&self.key) {
            let (key, algorithm) = (Box::new(record.key_name), Box::new(record.algorithm));
            return Err(TsigFault::OtherKey { message: number, key, algorithm });
        }
        if record.error != Rcode::NOERROR && record.mac.is_empty() {
            return Err(refused(&record));
        }
        let mut context = std::mem::replace(&mut self.context, self.key.context());
        record.digest_message(&mut context, message);
        match number {
            1 => record.digest_variables(&mut context),
            _ => record.digest_timers(&mut context),
        }
        if !context.verifies(&record.mac) {
            return Err(TsigFault::BadSignature { message: number });
        }
        digest_mac(&mut self.context, &record.mac);
        self.unsigned_count = 0;
        verdict(&record, number, now)
    }

    fn take_unsigned(&mut self, message: &[u8]) -> Result<(), TsigFault> {
        self.unsigned_count += 1;
        if self.message_count == 1 || self.unsigned_count > UNSIGNED_MESSAGES_MAX {
            return Err(TsigFault::Missing { message: self.message_count });
        }
        self.context.update(message);
        Ok(())
    }

    /// There is no further message: the last one has to have been signed.
    pub fn finish(&self) -> Result<(), TsigFault> {
        match self.message_count > 0 && self.unsigned_count == 0 {
            true => Ok(()),
            false => Err(TsigFault::Missing { message: self.message_count }),
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({:?} after {} messages)", self.key, self.message_count)
    }
}

/// What an authentic record says.
fn verdict(record: &TsigRecord, message: u64, now: Timestamp) -> Result<(), TsigFault> {
    if record.error != Rcode::NOERROR {
        return Err(refused(record));
    }
    match record.is_timely(now) {
        true => Ok(()),
        false => Err(TsigFault::BadTime { message, signed: record.time_signed, now }),
    }
}

fn refused(record: &TsigRecord) -> TsigFault {
    let time = record.other.as_slice().try_into().ok();
    let peer_time = time
        .map(|[a, b, c, d, e, f]: [u8; 6]| Timestamp(u64::from_be_bytes([0, 0, a, b, c, d, e, f])));
    TsigFault::Refused { error: record.error, peer_time }
}

/// The MAC before, as it goes into the next digest: with its length (RFC 8945 §4.3.1).
pub(super) fn digest_mac(context: &mut Context, mac: &[u8]) {
    context.update(&(mac.len() as u16).to_be_bytes());
    context.update(mac);
}
