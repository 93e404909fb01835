//! DNS UPDATE: what a message asks to be changed in an unsigned zone. RFC 2136 §2 and §3.
//! In: an update whose sender may do so (§3.3 is the caller's: key and address), and the version
//! that it is for. Out: the version after it and the [`Difference`] that leads there, all of it or,
//! with an [`UpdateFault`], nothing. An update that changes nothing has no difference. The serial
//! rises by one when the update does not set it itself (§3.6).
//! Never: what a signer makes (RRSIG, NSEC, NSEC3, NSEC3PARAM; at the apex DNSKEY, CDS, CDNSKEY and
//! ZONEMD), who may do what; I/O.
//! Cost: by the message, not by the zone. Limit: what fits into a message.

mod draft;
mod fault;

pub use fault::UpdateFault;

use std::collections::{BTreeMap, BTreeSet};

use draft::Draft;

use crate::rdata::{self, TypeStatus};
use crate::rrtype::CLASS_IN;
use crate::transfer::Rcode;
use crate::transfer::wire::{Head, read_name, record_at, skip_questions};
use crate::zone::ZoneVersion;
use crate::zone::chunk::OwnerView;
use crate::zone::diff::Difference;
use crate::zone::key::push_owner_key;
use crate::zone::patch;
use crate::{Name, RrType, Ttl};

/// Not this, in prerequisites and deletions (§2.4, §2.5).
const CLASS_NONE: u16 = 254;
/// Whatever there is, in prerequisites and deletions.
const CLASS_ANY: u16 = 255;
/// What the signer alone has at the apex.
const APEX_TYPES_OF_SIGNER: [RrType; 4] =
    [RrType::DNSKEY, RrType::CDS, RrType::CDNSKEY, RrType::ZONEMD];
/// Every type (§2.4.4).
const TYPE_ANY: RrType = RrType(255);

/// What an update makes of a zone.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The version after it.
    pub version: ZoneVersion,
    /// What leads there.
    pub difference: Difference,
}

/// Does an update to `version`; `None`: nothing changes. `message` is the whole request, whose zone
/// section names the zone of the version.
pub fn updated(message: &[u8], version: &ZoneVersion) -> Result<Option<Updated>, UpdateFault> {
    let difference = difference(message, version)?;
    if difference.is_empty() {
        return Ok(None);
    }
    // What comes out has to be a zone that could have been loaded.
    let version = patch::apply(version, &difference).map_err(UpdateFault::Unfit)?;
    Ok(Some(Updated { version, difference }))
}

/// What an update changes, whether or not a zone comes out.
fn difference(message: &[u8], version: &ZoneVersion) -> Result<Difference, UpdateFault> {
    let head = Head::read(message).ok_or(UpdateFault::Malformed)?;
    let at = skip_questions(message, &head).ok_or(UpdateFault::Malformed)?;
    let [_, prerequisites, updates, _] = head.counts;
    let (prerequisites, at) = records(message, at, prerequisites, version)?;
    let (updates, _) = records(message, at, updates, version)?;
    check_prerequisites(&prerequisites, version)?;
    // All of them, before the first is done (§3.4.1).
    updates.iter().try_for_each(check_update)?;
    let mut draft = Draft::new(version);
    for update in &updates {
        match update.class {
            CLASS_ANY if update.rtype == TYPE_ANY => draft.delete_name(update),
            CLASS_ANY => draft.delete_rrset(update),
            CLASS_NONE => draft.delete_record(update),
            _ => draft.add(update),
        }
    }
    Ok(draft.finish())
}

/// A record of one of the two sections.
struct Entry {
    owner: Name,
    /// Of the owner, in the zone.
    key: Vec<u8>,
    rtype: RrType,
    class: u16,
    ttl: Ttl,
    /// Without compression; as it stands in the message when it is empty.
    rdata: Vec<u8>,
}

/// The records of a section, and the place after it.
fn records(
    message: &[u8],
    at: usize,
    count: u16,
    version: &ZoneVersion,
) -> Result<(Vec<Entry>, usize), UpdateFault> {
    let (mut entries, mut at) = (Vec::new(), at);
    for _ in 0..count {
        let place = record_at(message, at).ok_or(UpdateFault::Malformed)?;
        let (owner, _) = read_name(message, place.owner).ok_or(UpdateFault::Malformed)?;
        let mut key = Vec::new();
        if !push_owner_key(&version.apex, &owner, &mut key) {
            return Err(UpdateFault::NotInZone { owner });
        }
        let (rtype, class) = (place.rtype, place.class);
        at = place.rdata.end;
        let mut rdata = Vec::new();
        if !place.rdata.is_empty() {
            rdata::expand(rtype, message, place.rdata, &mut rdata)
                .map_err(|cause| UpdateFault::BadRdata { owner: owner.clone(), rtype, cause })?;
        }
        let ttl = Ttl(place.ttl);
        entries.push(Entry { owner, key, rtype, class, ttl, rdata });
    }
    Ok((entries, at))
}

/// The form that two RDATAs are compared in.
fn canonical(rtype: RrType, rdata: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rdata::canonicalise(rtype, rdata, &mut out);
    out
}

/// The RRset that is to be there as a whole: its first record, and the data of all in canonical
/// form.
type Wanted<'e> = (&'e Entry, BTreeSet<Vec<u8>>);

/// §3.2: all of them hold, or nothing is done.
fn check_prerequisites(entries: &[Entry], version: &ZoneVersion) -> Result<(), UpdateFault> {
    let mut wanted = BTreeMap::<(&[u8], RrType), Wanted<'_>>::new();
    for entry in entries {
        if entry.ttl != Ttl(0) {
            return Err(entry.malformed());
        }
        let owner = version.find(&entry.key);
        let has_rrset = owner.is_some_and(|owner| owner.rrset(entry.rtype).is_some());
        let (holds, rcode) = match (entry.class, entry.rtype == TYPE_ANY) {
            (CLASS_ANY, true) => (owner.is_some(), Rcode::NXDOMAIN),
            (CLASS_ANY, false) => (has_rrset, Rcode::NXRRSET),
            (CLASS_NONE, true) => (owner.is_none(), Rcode::YXDOMAIN),
            (CLASS_NONE, false) => (!has_rrset, Rcode::YXRRSET),
            (CLASS_IN, false) => {
                let rrset = wanted.entry((&entry.key, entry.rtype));
                let (_, rdatas) = rrset.or_insert_with(|| (entry, BTreeSet::new()));
                rdatas.insert(canonical(entry.rtype, &entry.rdata));
                continue;
            }
            _ => return Err(entry.malformed()),
        };
        if !entry.rdata.is_empty() {
            return Err(entry.malformed());
        }
        if !holds {
            return Err(entry.fails(rcode));
        }
    }
    // Value dependent (§3.2.3): the whole RRset is as given, TTLs apart.
    for (entry, rdatas) in wanted.into_values() {
        let own = version.find(&entry.key);
        let own = own.and_then(|owner: OwnerView<'_>| owner.rrset(entry.rtype));
        let own: BTreeSet<Vec<u8>> = own
            .iter()
            .flat_map(|rrset| rrset.rdatas())
            .map(|rdata| canonical(entry.rtype, rdata))
            .collect();
        if own != rdatas {
            return Err(entry.fails(Rcode::NXRRSET));
        }
    }
    Ok(())
}

/// §3.4.1: whether an update has a meaning.
fn check_update(entry: &Entry) -> Result<(), UpdateFault> {
    let status = rdata::status(entry.rtype);
    let is_plain = !matches!(status, TypeStatus::Meta | TypeStatus::Obsolete);
    let is_empty = entry.rdata.is_empty();
    let is_right = match entry.class {
        CLASS_IN => is_plain,
        CLASS_ANY => (is_plain || entry.rtype == TYPE_ANY) && is_empty && entry.ttl == Ttl(0),
        CLASS_NONE => is_plain && entry.ttl == Ttl(0),
        _ => false,
    };
    if !is_right {
        return Err(entry.malformed());
    }
    if entry.class != CLASS_ANY && is_empty {
        // A record whose type allows no data at all; or a data type without its data.
        rdata::check(entry.rtype, &[]).map_err(|cause| UpdateFault::BadRdata {
            owner: entry.owner.clone(),
            rtype: entry.rtype,
            cause,
        })?;
    }
    // RFC 3007 §3.1.1 and §4: what the signer makes, and the keys of the zone, are none of the
    // requestor's; whoever could add a key of its own could sign for the zone.
    let is_signers = status == TypeStatus::Dnssec
        || entry.key.is_empty() && APEX_TYPES_OF_SIGNER.contains(&entry.rtype);
    match is_signers {
        true => Err(UpdateFault::SignersType { owner: entry.owner.clone(), rtype: entry.rtype }),
        false => Ok(()),
    }
}

impl Entry {
    fn malformed(&self) -> UpdateFault {
        UpdateFault::Meaningless { owner: self.owner.clone(), rtype: self.rtype, class: self.class }
    }

    fn fails(&self, rcode: Rcode) -> UpdateFault {
        UpdateFault::Prerequisite { owner: self.owner.clone(), rtype: self.rtype, rcode }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
