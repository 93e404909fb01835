//! The TSIG record of a message: finding it, checking it as a server, appending one.
//! RFC 8945 §4.2 (form), §4.3 (what is digested), §5.2 (a server's checks, in their order).
//! In: a message from outside. Out: the record's fields, or what is wrong.
//! Never: a TSIG that is not the last record, or is followed by anything.

use std::sync::Arc;

use super::algorithm::Context;
use super::stream::Signer;
use super::{FUDGE_SECONDS, Rejected, Rejection, TsigKey};
use crate::transfer::rcode::Rcode;
use crate::transfer::wire::{self, HEADER_OCTETS, Head};
use crate::{Name, RrType, Timestamp};

const TSIG: RrType = RrType(250);
const CLASS_ANY: u16 = 255;

/// The octets have a TSIG where none may be, one that is torn, or are no message at all: FORMERR
/// (RFC 8945 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is torn or its TSIG is not where and what RFC 8945 wants")]
pub struct MalformedTsig;

/// The TSIG record of one message; nothing in it is to be trusted before it is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct TsigRecord {
    /// Where it begins: the message without it ends here.
    pub(super) start: usize,
    pub(super) key_name: Name,
    pub(super) algorithm: Name,
    pub(super) time_signed: Timestamp,
    pub(super) fudge_seconds: u16,
    pub(super) mac: Vec<u8>,
    pub(super) original_id: u16,
    pub(super) error: Rcode,
    pub(super) other: Vec<u8>,
}

impl TsigRecord {
    /// The TSIG of `message`, or none. Walks over all records before it, unless the additional
    /// section is empty.
    pub fn find(message: &[u8]) -> Result<Option<TsigRecord>, MalformedTsig> {
        let head = Head::read(message).ok_or(MalformedTsig)?;
        if head.counts[3] == 0 {
            return Ok(None);
        }
        let record_count: u32 = head.counts[1..].iter().map(|count| u32::from(*count)).sum();
        let mut at = wire::skip_questions(message, &head).ok_or(MalformedTsig)?;
        for index in 1..=record_count {
            let place = wire::record_at(message, at).ok_or(MalformedTsig)?;
            if place.rtype == TSIG {
                let is_last = index == record_count && place.rdata.end == message.len();
                let is_meta = place.class == CLASS_ANY && place.ttl == 0;
                let record = TsigRecord::read(message, at, &message[place.rdata]);
                return record.filter(|_| is_last && is_meta).map(Some).ok_or(MalformedTsig);
            }
            at = place.rdata.end;
        }
        Ok(None)
    }

    fn read(message: &[u8], start: usize, rdata: &[u8]) -> Option<TsigRecord> {
        let (key_name, _) = wire::read_name(message, start)?;
        // Not compressed (RFC 3597 §4).
        let (algorithm, length) = Name::from_wire(rdata).ok()?;
        let ([t0, t1, t2, t3, t4, t5, f0, f1, m0, m1], rest) =
            rdata[length..].split_first_chunk()?;
        let (mac, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*m0, *m1])))?;
        let ([i0, i1, e0, e1, o0, o1], other) = rest.split_first_chunk()?;
        if other.len() != usize::from(u16::from_be_bytes([*o0, *o1])) {
            return None;
        }
        Some(TsigRecord {
            start,
            key_name,
            algorithm,
            time_signed: Timestamp(u64::from_be_bytes([0, 0, *t0, *t1, *t2, *t3, *t4, *t5])),
            fudge_seconds: u16::from_be_bytes([*f0, *f1]),
            mac: mac.to_vec(),
            original_id: u16::from_be_bytes([*i0, *i1]),
            error: Rcode(u16::from_be_bytes([*e0, *e1])),
            other: other.to_vec(),
        })
    }

    /// Name of the key the sender says it used.
    pub fn key_name(&self) -> &Name {
        &self.key_name
    }

    /// Checks the TSIG of the request `message`, which this record was found in, in the order of
    /// RFC 8945 §5.2: key, MAC, time, truncation. `key` is the one of this record's
    /// [`key_name`](Self::key_name), if it is known. Yields the signer of the answers.
    pub fn verify(
        &self,
        message: &[u8],
        key: Option<&Arc<TsigKey>>,
        now: Timestamp,
    ) -> Result<Signer, Rejected> {
        let reject = |reason, signer| Err(Rejected::new(reason, self, signer));
        let key = key.filter(|key| self.is_of(key));
        let Some(key) = key else {
            let algorithm = Box::new(self.algorithm.clone());
            return reject(Rejection::BadKey { key: self.key_name.clone(), algorithm }, None);
        };
        let key_name = self.key_name.clone();
        let (whole, given) = (key.algorithm.mac_octets(), self.mac.len());
        if given > whole || given < 10.max(whole / 2) {
            return reject(Rejection::MacLength { key: key_name, octets: given }, None);
        }
        let mut context = key.context();
        self.digest_message(&mut context, message);
        self.digest_variables(&mut context);
        let signer = Signer::new(Arc::clone(key), self.mac.clone());
        if given < whole {
            let mac = context.finish();
            return match is_prefix(&self.mac, &mac) {
                false => reject(Rejection::BadSignature { key: key_name }, None),
                true => {
                    let reason = Rejection::BadTruncation { key: key_name, octets: given };
                    reject(reason, Some(signer))
                }
            };
        }
        if !context.verifies(&self.mac) {
            return reject(Rejection::BadSignature { key: key_name }, None);
        }
        if !self.is_timely(now) {
            let signed = self.time_signed;
            return reject(Rejection::BadTime { key: key_name, signed, now }, Some(signer));
        }
        Ok(signer)
    }

    /// Whether it says it was made with `key`.
    pub(super) fn is_of(&self, key: &TsigKey) -> bool {
        self.key_name == key.name && self.algorithm == key.algorithm.wire_name()
    }

    /// Whether the sender's clock is within its fudge of ours (RFC 8945 §5.2.3).
    pub(super) fn is_timely(&self, now: Timestamp) -> bool {
        self.time_signed.0.abs_diff(now.0) <= u64::from(self.fudge_seconds)
    }

    /// The message as it was before the TSIG was put on it (RFC 8945 §4.3.2).
    pub(super) fn digest_message(&self, context: &mut Context, message: &[u8]) {
        let mut head = [0; HEADER_OCTETS];
        head.copy_from_slice(&message[..HEADER_OCTETS]);
        head[..2].copy_from_slice(&self.original_id.to_be_bytes());
        let count = u16::from_be_bytes([head[10], head[11]]) - 1; // the TSIG is in it
        head[10..].copy_from_slice(&count.to_be_bytes());
        context.update(&head);
        context.update(&message[HEADER_OCTETS..self.start]);
    }

    /// The TSIG variables (RFC 8945 §4.3.3).
    pub(super) fn digest_variables(&self, context: &mut Context) {
        context.update(self.key_name.to_lowercase().as_wire());
        context.update(&CLASS_ANY.to_be_bytes());
        context.update(&0_u32.to_be_bytes());
        context.update(self.algorithm.to_lowercase().as_wire());
        self.digest_timers(context);
        context.update(&self.error.0.to_be_bytes());
        context.update(&(self.other.len() as u16).to_be_bytes());
        context.update(&self.other);
    }

    /// What stands for the variables after the first message of a stream (RFC 8945 §5.3.1).
    pub(super) fn digest_timers(&self, context: &mut Context) {
        context.update(&self.time_signed.0.to_be_bytes()[2..]);
        context.update(&self.fudge_seconds.to_be_bytes());
    }

    /// A record without a MAC yet, for `message` of ours.
    pub(super) fn blank(key_name: Name, algorithm: Name, message: &[u8], at: Timestamp) -> Self {
        TsigRecord {
            start: message.len(),
            key_name,
            algorithm,
            time_signed: at,
            fudge_seconds: FUDGE_SECONDS,
            mac: Vec::new(),
            original_id: u16::from_be_bytes([message[0], message[1]]),
            error: Rcode::NOERROR,
            other: Vec::new(),
        }
    }

    /// Puts the record at the end of `message`, which is one of ours: whole, with room for it.
    pub(super) fn append_to(&self, message: &mut Vec<u8>) {
        count_additional(message);
        message.extend(self.key_name.as_wire());
        message.extend(TSIG.0.to_be_bytes());
        message.extend(CLASS_ANY.to_be_bytes());
        message.extend(0_u32.to_be_bytes());
        let algorithm = self.algorithm.as_wire();
        let length = algorithm.len() + 16 + self.mac.len() + self.other.len();
        message.extend((length as u16).to_be_bytes());
        message.extend(algorithm);
        message.extend(&self.time_signed.0.to_be_bytes()[2..]);
        message.extend(self.fudge_seconds.to_be_bytes());
        message.extend((self.mac.len() as u16).to_be_bytes());
        message.extend(&self.mac);
        message.extend(self.original_id.to_be_bytes());
        message.extend(self.error.0.to_be_bytes());
        message.extend((self.other.len() as u16).to_be_bytes());
        message.extend(&self.other);
    }
}

/// Counts one more record of the additional section.
pub(super) fn count_additional(message: &mut [u8]) {
    let count = u16::from_be_bytes([message[10], message[11]]) + 1;
    message[10..HEADER_OCTETS].copy_from_slice(&count.to_be_bytes());
}

/// Whether `mac` begins with `cut`, in the same time wherever they differ.
fn is_prefix(cut: &[u8], mac: &[u8]) -> bool {
    let differing = cut.iter().zip(mac).fold(0, |bits, (a, b)| bits | (a ^ b));
    cut.len() <= mac.len() && differing == 0
}

impl std::fmt::Debug for TsigRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TsigRecord({} {} at {})", self.key_name, self.algorithm, self.time_signed.0)
    }
}
