//! Reads the wire records of a difference and sorts them by list and owner.
//! In: bytes that are not trusted. Out: changes by owner key, each record sound in itself.

use super::super::ZoneVersion;
use super::super::chunk::{read_u16, read_u32};
use super::super::diff::Difference;
use super::super::key::{KEY_LENGTH_MAX, push_owner_key};
use super::error::{Part, PatchError};
use crate::denial::foreign::is_signed_elsewhere;
use crate::denial::nsec3::HASH_LENGTH;
use crate::rdata::{self, TypeStatus};
use crate::rrtype::CLASS_IN;
use crate::{Name, RrType, Ttl};
use data_encoding::BASE32_DNSSEC;
use std::collections::BTreeMap;

/// Type, class, TTL, RDLENGTH.
const HEADER_LENGTH: usize = 10;

/// A record without its owner.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) rtype: RrType,
    pub(super) ttl: Ttl,
    pub(super) rdata: &'a [u8],
}

impl Record<'_> {
    /// The RRset that it belongs to. The RDATA is sound.
    pub(super) fn rrset(&self, rrsigs: Rrsigs) -> RrsetKey {
        match (self.rtype, rrsigs) {
            (RrType::RRSIG, Rrsigs::OfRrsets) => {
                rrset_key(RrType(read_u16(self.rdata, 0)), self.ttl)
            }
            (rtype, _) => rrset_key(rtype, self.ttl),
        }
    }
}

/// How a version has its RRSIGs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rrsigs {
    /// As signatures of the RRsets that they cover, with NSEC3 in a list of its own: a version that
    /// we sign.
    OfRrsets,
    /// As records beside the others, with NSEC3 among the names: one that somebody else signed,
    /// as the loader keeps it.
    Records,
}

impl Rrsigs {
    /// As a version has them that is signed at its apex; one that is not signed at all has neither.
    pub fn of(version: &ZoneVersion) -> Rrsigs {
        match is_signed_elsewhere(version) {
            true => Rrsigs::Records,
            false => Rrsigs::OfRrsets,
        }
    }
}

/// What tells the RRsets of an owner apart: an RRSIG has the TTL of what it covers (RFC 4034 §3),
/// so that RRSIGs that are records are an RRset for each TTL.
pub(super) type RrsetKey = (RrType, Ttl);

pub(super) fn rrset_key(rtype: RrType, ttl: Ttl) -> RrsetKey {
    (rtype, if rtype == RrType::RRSIG { ttl } else { Ttl(0) })
}

/// What happens to one owner.
#[derive(Default)]
pub(super) struct OwnerChange<'a> {
    pub(super) removed: Vec<Record<'a>>,
    pub(super) added: Vec<Record<'a>>,
    /// The owner in wire form, in the case of the first added record.
    pub(super) added_as: Option<&'a [u8]>,
}

/// Changes by owner key.
pub(super) type Changes<'a> = BTreeMap<Vec<u8>, OwnerChange<'a>>;

/// The changes to the two lists of a version.
#[derive(Default)]
pub(super) struct SortedChanges<'a> {
    pub(super) names: Changes<'a>,
    /// NSEC3 records, and the RRSIGs over them.
    pub(super) hashes: Changes<'a>,
}

/// Reads both lists of a difference.
pub(super) fn sort_changes<'a>(
    apex: &Name,
    difference: &'a Difference,
    rrsigs: Rrsigs,
) -> Result<SortedChanges<'a>, PatchError> {
    let mut changes = SortedChanges::default();
    let mut key = Vec::with_capacity(KEY_LENGTH_MAX);
    for part in [Part::Removed, Part::Added] {
        each_record(part, difference, |owner, whole, record| {
            check(apex, part, &owner, &record)?;
            let rtype = record.rtype;
            key.clear();
            if !push_owner_key(apex, &owner, &mut key) {
                return Err(PatchError::OutOfZone { part, owner, rtype });
            }
            let is_of_nsec3 = record.rrset(rrsigs).0 == RrType::NSEC3;
            let is_hash = is_of_nsec3 && rrsigs == Rrsigs::OfRrsets;
            if is_hash && !is_hash_key(&key) {
                return Err(PatchError::NotHashed { owner });
            }
            let list = if is_hash { &mut changes.hashes } else { &mut changes.names };
            if !list.contains_key(&key) {
                list.insert(key.clone(), OwnerChange::default());
            }
            let Some(change) = list.get_mut(&key) else { return Ok(()) };
            match part {
                Part::Removed => change.removed.push(record),
                Part::Added => {
                    change.added_as.get_or_insert(&whole[..owner.as_wire().len()]);
                    change.added.push(record);
                }
            }
            Ok(())
        })?;
    }
    Ok(changes)
}

/// The difference without what a signer makes: the records that the loader drops too, with
/// [`super::super::load::LoadWarning::DnssecData`]. For the unsigned version of a zone whose master
/// sends it signed.
pub fn without_dnssec(apex: &Name, difference: &Difference) -> Result<Difference, PatchError> {
    let mut kept = Difference::default();
    for (part, kept) in [(Part::Removed, &mut kept.removed), (Part::Added, &mut kept.added)] {
        each_record(part, difference, |owner, whole, record| {
            let is_dnssec = rdata::status(record.rtype) == TypeStatus::Dnssec
                || record.rtype == RrType::ZONEMD && owner == *apex;
            if !is_dnssec {
                kept.extend(whole);
            }
            Ok(())
        })?;
    }
    Ok(kept)
}

/// Whether the difference adds a record of this type at the apex.
pub fn adds_at_apex(
    apex: &Name,
    difference: &Difference,
    rtype: RrType,
) -> Result<bool, PatchError> {
    let mut adds = false;
    each_record(Part::Added, difference, |owner, _, record| {
        adds |= record.rtype == rtype && owner == *apex;
        Ok(())
    })?;
    Ok(adds)
}

/// One difference for several that follow one another: what comes in one and goes in a later one
/// is in neither list (RFC 1995 §5, condensation). Its cost is theirs, however large the zone.
pub fn composed<'a>(
    differences: impl IntoIterator<Item = &'a Difference>,
) -> Result<Difference, PatchError> {
    // How often each record comes, less how often it goes.
    let mut balance: BTreeMap<&[u8], i64> = BTreeMap::new();
    for difference in differences {
        for (part, step) in [(Part::Removed, -1), (Part::Added, 1)] {
            each_record(part, difference, |_, whole, _| {
                *balance.entry(whole).or_default() += step;
                Ok(())
            })?;
        }
    }
    let mut composed = Difference::default();
    for (record, sum) in balance {
        let list = if sum < 0 { &mut composed.removed } else { &mut composed.added };
        // More than one is an error, which is found when the difference is applied.
        (0..sum.abs()).for_each(|_| list.extend(record));
    }
    Ok(composed)
}

/// Calls `record` for each record of a part: owner, the whole record, the parts of it.
fn each_record<'a>(
    part: Part,
    difference: &'a Difference,
    mut record: impl FnMut(Name, &'a [u8], Record<'a>) -> Result<(), PatchError>,
) -> Result<(), PatchError> {
    let bytes = part.of(difference);
    let mut rest = bytes;
    while !rest.is_empty() {
        let malformed = PatchError::Malformed { part, at: bytes.len() - rest.len() };
        let Ok((owner, owner_length)) = Name::from_wire(rest) else { return Err(malformed) };
        let Some((head, tail)) = rest[owner_length..].split_at_checked(HEADER_LENGTH) else {
            return Err(malformed);
        };
        let Some((rdata, tail)) = tail.split_at_checked(usize::from(read_u16(head, 8))) else {
            return Err(malformed);
        };
        let (rtype, class) = (RrType(read_u16(head, 0)), read_u16(head, 2));
        if class != CLASS_IN {
            return Err(PatchError::ClassNotIn { part, owner, rtype, class });
        }
        let whole = &rest[..rest.len() - tail.len()];
        record(owner, whole, Record { rtype, ttl: Ttl(read_u32(head, 4)), rdata })?;
        rest = tail;
    }
    Ok(())
}

/// Checks what can be told of a record alone. A removed one has only to be like one that is there,
/// but RRSIGs are taken apart in any case.
fn check(apex: &Name, part: Part, owner: &Name, record: &Record<'_>) -> Result<(), PatchError> {
    let rtype = record.rtype;
    if part == Part::Added {
        if matches!(rdata::status(rtype), TypeStatus::Obsolete | TypeStatus::Meta) {
            return Err(PatchError::TypeRefused { owner: owner.clone(), rtype });
        }
        if rtype == RrType::SOA && owner != apex && owner.is_at_or_below(apex) {
            return Err(PatchError::SoaBelowApex { owner: owner.clone() });
        }
    }
    if part == Part::Added || rtype == RrType::RRSIG {
        let bad = |cause| PatchError::BadRdata { part, owner: owner.clone(), rtype, cause };
        rdata::check(rtype, record.rdata).map_err(bad)?;
    }
    Ok(())
}

/// Whether a key is one label that is a hash in base32 (RFC 5155 §3).
fn is_hash_key(key: &[u8]) -> bool {
    let Some(label) = key.strip_suffix(&[0]) else { return false };
    BASE32_DNSSEC.decode(label).is_ok_and(|hash| hash.len() == HASH_LENGTH)
}
