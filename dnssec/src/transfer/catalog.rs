//! Catalog zones: a zone that lists zones. RFC 9432.
//! In: versions of a catalog zone; lists of zones. Out: [`Catalog`], and the version of a catalog
//! zone that lists zones ([`version_of`]).
//! A catalog with a fault is not used at all (§5.1): what the last good one brought stays. What is
//! to be done about the zones that are there is [`plan`]'s.
//! Never: what a group means; I/O.
//! Limits: [`MEMBER_COUNT_MAX`] members, [`GROUP_COUNT_MAX`] groups of each.

pub mod plan;

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use data_encoding::BASE32_DNSSEC;
use sha2::{Digest, Sha256};

use crate::zone::ZoneVersion;
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::{OwnerKind, OwnerView, RrsetView};
use crate::zone::key::{key_to_name, push_label, push_owner_key};
use crate::zone::replace::owners_from;
use crate::{Name, RrType, Serial, Ttl};

/// Most members of a catalog.
pub const MEMBER_COUNT_MAX: usize = 1_000_000;
/// Most groups of a member.
pub const GROUP_COUNT_MAX: usize = 16;
/// The version of the schema that is read and written (§4.2.1).
const SCHEMA_VERSION: &[u8] = b"2";

/// A catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The name of the catalog zone.
    pub name: Name,
    /// Its members, by their names.
    pub members: BTreeMap<Name, Member>,
}

/// What a catalog says of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The unique label, in lower case: with another one the zone is another zone (§5.4).
    pub label: Vec<u8>,
    /// `group` (§4.3.2), in canonical order; the texts mean what consumers agree on.
    pub groups: Vec<Vec<u8>>,
    /// `coo` (§4.3.1): the catalog that may take the zone over.
    pub moves_to: Option<Name>,
}

/// Why a catalog zone is not used (§5.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogFault {
    /// No NS record: it is not even a zone (§4).
    #[error("catalog zone {catalog} has no NS record")]
    NoServer {
        /// The catalog.
        catalog: Name,
    },
    /// No `version` record, or several.
    #[error("catalog zone {catalog} has {count} TXT records at version.{catalog}; it needs one")]
    VersionCount {
        /// The catalog.
        catalog: Name,
        /// Records there.
        count: usize,
    },
    /// A version that is not ours.
    #[error("catalog zone {catalog} has schema version \"{found}\"; only \"2\" is understood")]
    Version {
        /// The catalog.
        catalog: Name,
        /// What it has, made printable.
        found: String,
    },
    /// A property or member with more records than one.
    #[error("{owner} has {count} PTR records; it may have one")]
    PtrCount {
        /// The owner.
        owner: Name,
        /// Records there.
        count: usize,
    },
    /// A PTR record without a name.
    #[error("the PTR record of {owner} has no name")]
    BadPtr {
        /// The owner.
        owner: Name,
    },
    /// A zone that is listed twice.
    #[error("zone {zone} is listed twice, the second time at {owner}")]
    Twice {
        /// The zone.
        zone: Box<Name>,
        /// Where it is listed again.
        owner: Box<Name>,
    },
    /// Too many members, or groups of one.
    #[error("{owner} has more than {limit} {what}")]
    TooMany {
        /// What of.
        what: &'static str,
        /// Where.
        owner: Name,
        /// Most that are read.
        limit: usize,
    },
}

/// Reads a catalog. What it does not know (other properties, other names) is left alone (§4.2).
pub fn read(version: &ZoneVersion) -> Result<Catalog, CatalogFault> {
    let name = &version.apex;
    if version.find(&[]).and_then(|apex| apex.rrset(RrType::NS)).is_none() {
        return Err(CatalogFault::NoServer { catalog: name.clone() });
    }
    check_version(version)?;
    let mut catalog = Catalog { name: name.clone(), members: BTreeMap::new() };
    let mut zones_key = Vec::new();
    push_label(b"zones", &mut zones_key);
    let mut reader = Reader { catalog: &mut catalog, current: None };
    let owners = owners_from(&version.names, Bound::Excluded(zones_key.as_slice()));
    for owner in owners.take_while(|owner| owner.key().starts_with(&zones_key)) {
        // A key of a version is the key of a name in it.
        let Some(own_name) = key_to_name(name, owner.key()) else { continue };
        reader.take(&own_name, &owner)?;
    }
    Ok(catalog)
}

fn check_version(version: &ZoneVersion) -> Result<(), CatalogFault> {
    let mut key = Vec::new();
    push_label(b"version", &mut key);
    let owner = version.find(&key);
    let rrset = owner.and_then(|owner| owner.rrset(RrType::TXT));
    let texts: Vec<Vec<u8>> = rrset.iter().flat_map(|rrset| rrset.rdatas()).map(text).collect();
    let catalog = version.apex.clone();
    match texts.as_slice() {
        [only] if only == SCHEMA_VERSION => Ok(()),
        [other] => Err(CatalogFault::Version { catalog, found: printable(other) }),
        others => Err(CatalogFault::VersionCount { catalog, count: others.len() }),
    }
}

/// Reads the owners below `zones` in canonical order: a member comes before its properties.
struct Reader<'c> {
    catalog: &'c mut Catalog,
    /// The member that was read last, with its label.
    current: Option<(Vec<u8>, Name)>,
}

impl Reader<'_> {
    fn take(&mut self, own_name: &Name, owner: &OwnerView<'_>) -> Result<(), CatalogFault> {
        // Without those of the apex, and `zones`.
        let count = own_name.label_count() - self.catalog.name.label_count() - 1;
        let mut labels = own_name.labels();
        match (count, labels.next(), labels.next()) {
            (1, Some(label), _) => self.member(label, own_name, owner),
            (2, Some(property), Some(label)) => self.property(property, label, own_name, owner),
            // Properties of properties are nobody's yet.
            _ => Ok(()),
        }
    }

    fn member(
        &mut self,
        label: &[u8],
        own_name: &Name,
        owner: &OwnerView<'_>,
    ) -> Result<(), CatalogFault> {
        let Some(rrset) = owner.rrset(RrType::PTR) else { return Ok(()) };
        let zone = one_name(own_name, &rrset)?;
        if self.catalog.members.len() >= MEMBER_COUNT_MAX {
            let (what, limit) = ("members", MEMBER_COUNT_MAX);
            let owner = self.catalog.name.clone();
            return Err(CatalogFault::TooMany { what, owner, limit });
        }
        let member = Member { label: label.to_vec(), groups: Vec::new(), moves_to: None };
        if self.catalog.members.insert(zone.clone(), member).is_some() {
            let (zone, owner) = (Box::new(zone), Box::new(own_name.clone()));
            return Err(CatalogFault::Twice { zone, owner });
        }
        self.current = Some((label.to_vec(), zone));
        Ok(())
    }

    fn property(
        &mut self,
        property: &[u8],
        label: &[u8],
        own_name: &Name,
        owner: &OwnerView<'_>,
    ) -> Result<(), CatalogFault> {
        let current = self.current.as_ref().filter(|(known, _)| known == label);
        let member = current.and_then(|(_, zone)| self.catalog.members.get_mut(zone));
        // A property of nothing says nothing.
        let Some(member) = member else { return Ok(()) };
        match property {
            b"coo" => {
                let rrset = owner.rrset(RrType::PTR);
                member.moves_to = rrset.map(|rrset| one_name(own_name, &rrset)).transpose()?;
            }
            b"group" => {
                let rrset = owner.rrset(RrType::TXT);
                member.groups = rrset.iter().flat_map(|set| set.rdatas()).map(text).collect();
                if member.groups.len() > GROUP_COUNT_MAX {
                    let (what, owner) = ("groups", own_name.clone());
                    return Err(CatalogFault::TooMany { what, owner, limit: GROUP_COUNT_MAX });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The name in a PTR RRset of one record.
fn one_name(owner: &Name, rrset: &RrsetView<'_>) -> Result<Name, CatalogFault> {
    let mut rdatas = rrset.rdatas();
    match (rdatas.next(), rdatas.next()) {
        (Some(rdata), None) => match Name::from_wire(rdata) {
            Ok((name, taken)) if taken == rdata.len() => Ok(name.to_lowercase()),
            _ => Err(CatalogFault::BadPtr { owner: owner.clone() }),
        },
        _ => {
            let count = usize::from(rrset.record_count);
            Err(CatalogFault::PtrCount { owner: owner.clone(), count })
        }
    }
}

/// The character-strings of a TXT record, one after the other.
fn text(rdata: &[u8]) -> Vec<u8> {
    let (mut text, mut rest) = (Vec::new(), rdata);
    while let Some((length, after)) = rest.split_first() {
        let length = usize::from(*length).min(after.len());
        text.extend_from_slice(&after[..length]);
        rest = &after[length..];
    }
    text
}

/// A text from outside, short enough for a message.
fn printable(text: &[u8]) -> String {
    text.escape_ascii().to_string().chars().take(40).collect()
}

/// Whether the catalog named `new` may take over a zone that belongs to another one, in which it
/// is this member (§4.3.1): only when that one says so.
pub fn may_take_over(member: &Member, new: &Name) -> bool {
    member.moves_to.as_ref() == Some(new)
}

/// A zone to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub zone: Name,
    /// A number that is another one each time the zone is added, such as the moment when it was:
    /// so that consumers see that one which went and came again is new.
    pub era: u64,
    /// Its groups.
    pub groups: Vec<Vec<u8>>,
}

/// Why there is no catalog zone of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    /// No room for the labels of a member.
    #[error("the name {catalog} is too long for a catalog zone")]
    NameTooLong {
        /// The catalog.
        catalog: Name,
    },
    /// A zone that is listed twice, or with a group that no TXT record holds, or with too many.
    #[error("zone {zone} cannot be listed: {why}")]
    Zone {
        /// The zone.
        zone: Name,
        /// Which of the two.
        why: &'static str,
    },
    /// Too many zones.
    #[error("{count} zones are more than the {MEMBER_COUNT_MAX} that a catalog lists")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// Records by owner key; types and RDATA of an owner in canonical order.
type Records = BTreeMap<Vec<u8>, BTreeMap<RrType, Vec<Vec<u8>>>>;

/// The version of the catalog zone `catalog` that lists these zones. Nobody resolves a name in it,
/// so its SOA and NS are those of RFC 9432 §4.
pub fn version_of(
    catalog: &Name,
    serial: Serial,
    zones: &[Listed],
) -> Result<ZoneVersion, ListFault> {
    if zones.len() > MEMBER_COUNT_MAX {
        return Err(ListFault::TooMany { count: zones.len() });
    }
    let mut records = Records::new();
    let invalid = b"\x07invalid\x00";
    let mut soa = [invalid.as_slice(), invalid].concat();
    for number in [serial.0, 3600, 600, 2_147_483_646, 0] {
        soa.extend(number.to_be_bytes());
    }
    let apex = records.entry(Vec::new()).or_default();
    apex.insert(RrType::SOA, vec![soa]);
    apex.insert(RrType::NS, vec![invalid.to_vec()]);
    add(catalog, &[b"version"], RrType::TXT, vec![txt(SCHEMA_VERSION)], &mut records)?;
    let mut seen = HashSet::new();
    for listed in zones {
        let refused = |why| Err(ListFault::Zone { zone: listed.zone.clone(), why });
        if listed.zone == *catalog || !seen.insert(listed.zone.to_lowercase()) {
            return refused("it is listed already, or the catalog itself");
        }
        let is_short = |group: &Vec<u8>| group.len() <= 255;
        if listed.groups.len() > GROUP_COUNT_MAX || !listed.groups.iter().all(is_short) {
            return refused("a zone has 16 groups of 255 octets at most");
        }
        let label = unique_label(&listed.zone, listed.era);
        let zone = listed.zone.as_wire().to_vec();
        add(catalog, &[label.as_bytes(), b"zones"], RrType::PTR, vec![zone], &mut records)?;
        if !listed.groups.is_empty() {
            let mut groups: Vec<Vec<u8>> = listed.groups.iter().map(|group| txt(group)).collect();
            groups.sort_unstable();
            groups.dedup();
            let labels: [&[u8]; 3] = [b"group", label.as_bytes(), b"zones"];
            add(catalog, &labels, RrType::TXT, groups, &mut records)?;
        }
    }
    Ok(built(catalog, &records))
}

/// The unique label of a zone: never that of another one, and the same as long as the zone stays.
fn unique_label(zone: &Name, era: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(era.to_be_bytes());
    hash.update(zone.to_lowercase().as_wire());
    BASE32_DNSSEC.encode(&hash.finalize()[..20])
}

/// The RDATA of a TXT record of one character-string of at most 255 octets.
fn txt(text: &[u8]) -> Vec<u8> {
    let mut rdata = vec![text.len() as u8];
    rdata.extend_from_slice(text);
    rdata
}

/// Adds an RRset at the name of these labels.
fn add(
    catalog: &Name,
    labels: &[&[u8]],
    rtype: RrType,
    rdatas: Vec<Vec<u8>>,
    records: &mut Records,
) -> Result<(), ListFault> {
    let mut wire = Vec::new();
    for label in labels {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.extend_from_slice(catalog.as_wire());
    let too_long = || ListFault::NameTooLong { catalog: catalog.clone() };
    let (owner, _) = Name::from_wire(&wire).map_err(|_| too_long())?;
    let mut key = Vec::new();
    if !push_owner_key(catalog, &owner, &mut key) {
        return Err(too_long());
    }
    records.entry(key).or_default().insert(rtype, rdatas);
    Ok(())
}

fn built(catalog: &Name, records: &Records) -> ZoneVersion {
    let (mut chunks, mut builder) = (Vec::new(), ChunkBuilder::default());
    for (key, rrsets) in records {
        builder.begin_owner(key, None, OwnerKind::Authoritative);
        for (rtype, rdatas) in rrsets {
            builder.begin_rrset(*rtype, Ttl(0));
            for rdata in rdatas {
                // At most 16 groups: never too many for an RRset.
                let _ = builder.push_rdata(rdata);
            }
            builder.end_rrset();
        }
        builder.end_owner();
        if builder.is_full() {
            chunks.push(Arc::new(builder.finish()));
        }
    }
    if !builder.is_empty() {
        chunks.push(Arc::new(builder.finish()));
    }
    ZoneVersion { apex: catalog.clone(), names: chunks.into(), hashes: Arc::new([]) }
}

#[cfg(test)]
mod tests;
