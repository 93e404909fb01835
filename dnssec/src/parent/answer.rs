//! One server's answer to "which DS does this zone have?" (RFC 4035 §3.1.4.1).
//! In: a response whose id and question were compared already. Out: the DS RRset, "none", or why
//! the response says neither.
//! The question has two answers: the parent's, and one of the child's own servers, which do not
//! have a DS RRset and say so with authority. Taken for the parent's, that would mean "gone". So
//! nothing counts that does not show that it comes from above the zone.

use super::rrsig::SIGNER_OFFSET;
use crate::{Name, RrType, Ttl};

/// A response, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// RCODE with its extension (RFC 6891 §6.1.3).
    pub rcode: u16,
    /// AA.
    pub is_authoritative: bool,
    /// The answer section; class IN only.
    pub answers: Vec<AnswerRecord>,
    /// The authority section; class IN only.
    pub authorities: Vec<AnswerRecord>,
}

/// A record of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// Its owner name.
    pub owner: Name,
    /// Its type.
    pub rtype: RrType,
    /// Its TTL.
    pub ttl: Ttl,
    /// Its RDATA in wire form; empty for types that nobody looks into, such as SOA.
    pub rdata: Vec<u8>,
}

/// What one server shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownDs {
    /// RDATA of the DS records; none: the server says that there is none.
    pub records: Vec<Vec<u8>>,
    /// TTL of the RRset; zero where there is none.
    pub ttl: Ttl,
}

impl ShownDs {
    /// Its records, in order.
    pub(super) fn sorted(mut self) -> Vec<Vec<u8>> {
        self.records.sort_unstable();
        self.records
    }
}

/// Why a response says nothing of a zone's DS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// An error.
    #[error("it answers with RCODE {0}")]
    Rcode(u16),
    /// A referral, or a resolver's answer.
    #[error("it is not an authority for the parent")]
    NotAuthoritative,
    /// From a server of the zone itself.
    #[error("it answers for the zone itself, not for its parent")]
    OfTheChild,
    /// The zone's name is an alias.
    #[error("it says that the zone's name is an alias")]
    Alias,
    /// No DS, and no SOA that tells whose answer it is (RFC 2308 §2.2).
    #[error("it shows neither a DS nor the SOA of the parent")]
    NoSoa,
}

const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;

/// What a response to a question for the DS of `zone` says.
pub fn read_response(zone: &Name, response: &Response) -> Result<ShownDs, Unusable> {
    if ![NO_ERROR, NAME_ERROR].contains(&response.rcode) {
        return Err(Unusable::Rcode(response.rcode));
    }
    if !response.is_authoritative {
        return Err(Unusable::NotAuthoritative);
    }
    let is_alias = |record: &AnswerRecord| matches!(record.rtype, RrType::CNAME | RrType::DNAME);
    if response.answers.iter().any(is_alias) {
        return Err(Unusable::Alias);
    }
    let is_zones = |record: &&AnswerRecord| is_same(&record.owner, zone);
    let mut shown = ShownDs::default();
    for record in response.answers.iter().filter(is_zones) {
        match record.rtype {
            RrType::DS => {
                shown.records.push(record.rdata.clone());
                shown.ttl = shown.ttl.max(record.ttl);
            }
            RrType::RRSIG if !is_signed_above(&record.rdata, zone) => {
                return Err(Unusable::OfTheChild);
            }
            _ => {}
        }
    }
    match (shown.records.is_empty(), response.rcode) {
        (false, NAME_ERROR) => Err(Unusable::Rcode(NAME_ERROR)),
        (false, _) => Ok(shown),
        (true, _) => denied(zone, response).map(|()| shown),
    }
}

/// Whether it is the parent that says that there is no DS.
fn denied(zone: &Name, response: &Response) -> Result<(), Unusable> {
    let soas = response.authorities.iter().filter(|record| record.rtype == RrType::SOA);
    let owners: Vec<&Name> = soas.map(|record| &record.owner).collect();
    match owners.as_slice() {
        [owner] if is_above(owner, zone) => Ok(()),
        [owner] if is_same(owner, zone) => Err(Unusable::OfTheChild),
        _ => Err(Unusable::NoSoa),
    }
}

fn is_signed_above(rrsig: &[u8], zone: &Name) -> bool {
    let signer = rrsig.get(SIGNER_OFFSET..).and_then(|rest| Name::from_wire(rest).ok());
    signer.is_some_and(|(signer, _)| is_above(&signer, zone))
}

pub(super) fn is_above(name: &Name, zone: &Name) -> bool {
    zone.is_at_or_below(name) && !is_same(name, zone)
}

pub(super) fn is_same(one: &Name, other: &Name) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
