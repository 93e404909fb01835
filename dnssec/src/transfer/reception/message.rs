//! The records of one message of a transfer. RFC 1035 §4.1.
//! Own code and not the message library's: millions of records pass here, most of which are only
//! stepped over, and types that the library does not know, or takes for others, have to come
//! through byte for byte.
//! In: a message that is not trusted. Out: records of the answer section; what follows them (OPT,
//! TSIG) is not looked at.

use super::Fault;
use crate::rrtype::CLASS_IN;
use crate::transfer::wire::{Head, RecordPlace, read_name, record_at, skip_questions};
use crate::{Name, RrType, Ttl, rdata};

/// Reads the header of an answer to the question with this id.
pub(super) fn read_head(message: &[u8], id: u16) -> Result<Head, Fault> {
    let head = Head::read(message).ok_or(Fault::Malformed { at: message.len() })?;
    match head.is_response && head.id == id && head.opcode == 0 {
        true => Ok(head),
        false => Err(Fault::NotTheAnswer),
    }
}

/// The answer section of a message, record by record.
pub(super) struct Answer<'a> {
    message: &'a [u8],
    at: usize,
    left: u16,
}

impl<'a> Answer<'a> {
    /// The answer to a question about this name and type. Messages after the first may leave out
    /// the question (RFC 5936 §2.2.1), and so may errors.
    pub(super) fn to_question(
        message: &'a [u8],
        head: &Head,
        apex: &Name,
        rtype: RrType,
    ) -> Result<Answer<'a>, Fault> {
        let start = crate::transfer::wire::HEADER_OCTETS;
        match head.counts[0] {
            0 => {}
            1 => {
                let malformed = Fault::Malformed { at: start };
                let (name, end) = read_name(message, start).ok_or(malformed)?;
                let asked = [rtype.0.to_be_bytes(), CLASS_IN.to_be_bytes()].concat();
                if name != *apex || message.get(end..end + 4) != Some(&asked[..]) {
                    return Err(Fault::NotTheAnswer);
                }
            }
            _ => return Err(Fault::NotTheAnswer),
        }
        Answer::of(message, head)
    }

    /// The answer to whatever the message's question is.
    fn of(message: &'a [u8], head: &Head) -> Result<Answer<'a>, Fault> {
        let malformed = Fault::Malformed { at: crate::transfer::wire::HEADER_OCTETS };
        let at = skip_questions(message, head).ok_or(malformed)?;
        Ok(Answer { message, at, left: head.counts[1] })
    }

    /// The next record, of class IN.
    pub(super) fn next_record(&mut self) -> Result<Option<RawRecord<'a>>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let malformed = Fault::Malformed { at: self.at };
        let place = record_at(self.message, self.at).ok_or(malformed)?;
        if place.class != CLASS_IN {
            return Err(Fault::ClassNotIn { class: place.class });
        }
        (self.at, self.left) = (place.rdata.end, self.left - 1);
        Ok(Some(RawRecord { message: self.message, rtype: place.rtype, place }))
    }
}

/// A record where it lies in its message.
pub(super) struct RawRecord<'a> {
    message: &'a [u8],
    place: RecordPlace,
    pub(super) rtype: RrType,
}

impl RawRecord<'_> {
    /// Where it begins.
    pub(super) fn at(&self) -> usize {
        self.place.owner
    }

    /// Its owner.
    pub(super) fn owner(&self) -> Result<Name, Fault> {
        let malformed = Fault::Malformed { at: self.at() };
        read_name(self.message, self.place.owner).map(|(name, _)| name).ok_or(malformed)
    }

    /// Its TTL; one with the highest bit set is 0 (RFC 2181 §8).
    fn ttl(&self) -> Ttl {
        Some(Ttl(self.place.ttl)).filter(|ttl| *ttl <= Ttl::MAX).unwrap_or_default()
    }

    /// Its RDATA, without compression.
    pub(super) fn rdata(&self) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::with_capacity(self.place.rdata.len());
        self.push_rdata(&mut out)?;
        Ok(out)
    }

    fn push_rdata(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let expanded = rdata::expand(self.rtype, self.message, self.place.rdata.clone(), out);
        expanded.map_err(|cause| match self.owner() {
            Ok(owner) => Fault::BadRdata { owner, rtype: self.rtype, cause },
            Err(fault) => fault,
        })
    }

    /// Appends the record in wire form without compression.
    pub(super) fn unpack(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.extend(self.owner()?.as_wire());
        out.extend(self.rtype.0.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(self.ttl().0.to_be_bytes());
        let length_at = out.len();
        out.extend([0, 0]);
        self.push_rdata(out)?;
        // It may have become too long by losing its pointers.
        let length = u16::try_from(out.len() - length_at - 2);
        let length = length.map_err(|_| Fault::Malformed { at: self.at() })?;
        out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// Why the records of a message could not all be handed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError<E: std::error::Error + 'static> {
    /// The message.
    #[error(transparent)]
    Message(Box<Fault>),
    /// Whoever takes the records.
    #[error(transparent)]
    Taker(E),
}

impl<E: std::error::Error + 'static> From<Fault> for RecordError<E> {
    fn from(fault: Fault) -> RecordError<E> {
        RecordError::Message(Box::new(fault))
    }
}

/// Calls `record` for each record of the answer section of a message of a transfer: owner, type,
/// TTL, RDATA without compression and with the structure of its type. The message was taken by a
/// [`super::Reception`], or is not trusted at all: id and question are not looked at again.
pub fn each_record<E: std::error::Error + 'static>(
    message: &[u8],
    mut record: impl FnMut(&Name, RrType, Ttl, &[u8]) -> Result<(), E>,
) -> Result<(), RecordError<E>> {
    let head = Head::read(message).ok_or(Fault::Malformed { at: message.len() })?;
    let mut answer = Answer::of(message, &head)?;
    let mut rdata = Vec::new();
    while let Some(raw) = answer.next_record()? {
        rdata.clear();
        raw.push_rdata(&mut rdata)?;
        record(&raw.owner()?, raw.rtype, raw.ttl(), &rdata).map_err(RecordError::Taker)?;
    }
    Ok(())
}
