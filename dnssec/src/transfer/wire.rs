//! Names and records of a message by their place in it, without taking the message apart: what
//! finding a TSIG and reading a stream of records need. RFC 1035 §4.1.
//! In: a message from outside. Out: places and names, or `None` where the octets are no message.
//! Never panics. Limits: a compression pointer goes back only, and a name has 255 octets at most,
//! so a name costs at most 128 jumps.

use std::ops::Range;

use crate::name::{LABEL_LENGTH_MAX, NAME_LENGTH_MAX};
use crate::{Name, RrType};

/// Length of a header (RFC 1035 §4.1.1).
pub const HEADER_OCTETS: usize = 12;
/// Longest message there is: its length is told in 16 bits (RFC 1035 §4.2.2).
pub const MESSAGE_OCTETS_MAX: usize = 65_535;

/// The fixed beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Id of the exchange.
    pub id: u16,
    /// QR: an answer, not a question.
    pub is_response: bool,
    /// Kind of message; 0 QUERY, 4 NOTIFY, 5 UPDATE.
    pub opcode: u8,
    /// AA.
    pub is_authoritative: bool,
    /// TC.
    pub is_truncated: bool,
    /// RD.
    pub recursion_desired: bool,
    /// The lower four bits of the response code.
    pub rcode: u8,
    /// Records of the question, answer, authority and additional section.
    pub counts: [u16; 4],
}

impl Head {
    /// Reads the header; `None` when there are fewer than twelve octets.
    pub fn read(message: &[u8]) -> Option<Head> {
        let head = message.first_chunk::<HEADER_OCTETS>()?;
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        Some(Head {
            id: number(0),
            is_response: head[2] & 0x80 != 0,
            opcode: head[2] >> 3 & 0x0F,
            is_authoritative: head[2] & 0x04 != 0,
            is_truncated: head[2] & 0x02 != 0,
            recursion_desired: head[2] & 0x01 != 0,
            rcode: head[3] & 0x0F,
            counts: [number(4), number(6), number(8), number(10)],
        })
    }
}

/// Where a record of a message is and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Where its owner name begins, which may be compressed: see [`read_name`].
    pub owner: usize,
    /// Type.
    pub rtype: RrType,
    /// Class.
    pub class: u16,
    /// TTL as it stands there.
    pub ttl: u32,
    /// The octets of its rdata.
    pub rdata: Range<usize>,
}

/// The place after the name that begins at `at`, which may be compressed.
pub fn skip_name(message: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return Some(at + 1),
            1..=LABEL_LENGTH_MAX => at += 1 + length,
            0xC0.. => return (at + 1 < message.len()).then_some(at + 2),
            _ => return None,
        }
    }
}

/// Reads the name that begins at `at`, compressed or not, and the place after it.
pub fn read_name(message: &[u8], at: usize) -> Option<(Name, usize)> {
    let mut wire = [0; NAME_LENGTH_MAX];
    let mut length = 0;
    let mut position = at;
    // Every pointer has to go before where the labels after the last one began: no loops.
    let mut run_start = at;
    let mut after = None;
    loop {
        let octet = *message.get(position)?;
        match usize::from(octet) {
            0 => break,
            label @ 1..=LABEL_LENGTH_MAX => {
                let octets = message.get(position..position + 1 + label)?;
                // The root's octet has to fit behind.
                let room = wire
                    .get_mut(length..length + octets.len())
                    .filter(|room| length + room.len() < NAME_LENGTH_MAX)?;
                room.copy_from_slice(octets);
                length += octets.len();
                position += octets.len();
            }
            0xC0.. => {
                let low = *message.get(position + 1)?;
                after.get_or_insert(position + 2);
                let target = usize::from(u16::from_be_bytes([octet & 0x3F, low]));
                if target >= run_start {
                    return None;
                }
                position = target;
                run_start = target;
            }
            _ => return None,
        }
    }
    let (name, _) = Name::from_wire(&wire[..length + 1]).ok()?;
    Some((name, after.unwrap_or(position + 1)))
}

/// The record whose owner name begins at `at`; the next one begins where its rdata ends.
pub fn record_at(message: &[u8], at: usize) -> Option<RecordPlace> {
    let fixed = skip_name(message, at)?;
    let octets = message.get(fixed..)?.first_chunk::<10>()?;
    let [t0, t1, c0, c1, l0, l1, l2, l3, r0, r1] = *octets;
    let start = fixed + octets.len();
    let end = start + usize::from(u16::from_be_bytes([r0, r1]));
    (end <= message.len()).then_some(RecordPlace {
        owner: at,
        rtype: RrType(u16::from_be_bytes([t0, t1])),
        class: u16::from_be_bytes([c0, c1]),
        ttl: u32::from_be_bytes([l0, l1, l2, l3]),
        rdata: start..end,
    })
}

/// The place after the question section.
pub fn skip_questions(message: &[u8], head: &Head) -> Option<usize> {
    (0..head.counts[0]).try_fold(HEADER_OCTETS, |at, _| {
        let end = skip_name(message, at)? + 4;
        (end <= message.len()).then_some(end)
    })
}

/// The first record of a type in the additional section; `None` also when a record before it is
/// torn.
pub fn additional_of_type(message: &[u8], head: &Head, rtype: RrType) -> Option<RecordPlace> {
    let mut at = skip_questions(message, head)?;
    let [_, answers, authorities, additionals] = head.counts.map(u32::from);
    for number in 0..answers + authorities + additionals {
        let record = record_at(message, at)?;
        if number >= answers + authorities && record.rtype == rtype {
            return Some(record);
        }
        at = record.rdata.end;
    }
    None
}

#[cfg(test)]
mod tests;
