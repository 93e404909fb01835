//! The owners that an update touches, as they were and as they become. RFC 2136 §3.4.2.
//! In: updates that have a meaning, in their order. Out: the records that go and come.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, canonical};
use crate::rrtype::CLASS_IN;
use crate::zone::ZoneVersion;
use crate::zone::diff::Difference;
use crate::zone::key::key_to_wire;
use crate::zone::soa_serial;
use crate::{RrType, Serial, Ttl};

/// A version with changes to some owners.
pub(super) struct Draft<'v> {
    version: &'v ZoneVersion,
    owners: BTreeMap<Vec<u8>, Owner>,
}

/// An owner that is touched.
struct Owner {
    /// Its name as it is written.
    wire: Vec<u8>,
    before: Sets,
    now: Sets,
}

type Sets = BTreeMap<RrType, Set>;

#[derive(Clone, Default, PartialEq, Eq)]
struct Set {
    ttl: Ttl,
    rdatas: Vec<Vec<u8>>,
}

/// Types of which an owner has one record only.
fn is_single(rtype: RrType) -> bool {
    matches!(rtype, RrType::CNAME | RrType::SOA | RrType::DNAME)
}

impl<'v> Draft<'v> {
    pub(super) fn new(version: &'v ZoneVersion) -> Draft<'v> {
        Draft { version, owners: BTreeMap::new() }
    }

    /// The owner with this key; `wire` is its name where the zone does not have it.
    fn owner(&mut self, key: &[u8], wire: &[u8]) -> &mut Owner {
        let version = self.version;
        self.owners.entry(key.to_vec()).or_insert_with(|| {
            let Some(known) = version.find(key) else {
                return Owner { wire: wire.to_vec(), before: Sets::new(), now: Sets::new() };
            };
            let mut own_wire = known.given_case().map(<[u8]>::to_vec).unwrap_or_default();
            if own_wire.is_empty() {
                key_to_wire(&version.apex, key, &mut own_wire);
            }
            let before: Sets = known
                .rrsets()
                .map(|rrset| {
                    let rdatas = rrset.rdatas().map(<[u8]>::to_vec).collect();
                    (rrset.rtype, Set { ttl: rrset.ttl, rdatas })
                })
                .collect();
            Owner { wire: own_wire, now: before.clone(), before }
        })
    }

    fn owner_of(&mut self, entry: &Entry) -> &mut Owner {
        self.owner(&entry.key, entry.owner.as_wire())
    }

    /// Adds a record, or replaces the one that it is instead of (§3.4.2.2). The TTL is that of the
    /// whole RRset from then on (RFC 2181 §5.2).
    pub(super) fn add(&mut self, entry: &Entry) {
        let rtype = entry.rtype;
        let owner = self.owner_of(entry);
        let others = owner.now.keys().any(|other| *other != RrType::CNAME);
        let is_idle = match rtype {
            RrType::CNAME => others,
            RrType::SOA => !owner.takes_soa(&entry.rdata),
            _ => owner.now.contains_key(&RrType::CNAME),
        };
        if is_idle {
            return;
        }
        let set = owner.now.entry(rtype).or_default();
        set.ttl = entry.ttl;
        if is_single(rtype) {
            set.rdatas = vec![entry.rdata.clone()];
            return;
        }
        let own = canonical(rtype, &entry.rdata);
        if !set.rdatas.iter().any(|rdata| canonical(rtype, rdata) == own) {
            set.rdatas.push(entry.rdata.clone());
        }
    }

    /// Deletes all of a name; of the apex all but SOA and NS (§3.4.2.3).
    pub(super) fn delete_name(&mut self, entry: &Entry) {
        let is_apex = entry.key.is_empty();
        let stays = |rtype: &RrType| is_apex && matches!(*rtype, RrType::SOA | RrType::NS);
        self.owner_of(entry).now.retain(|rtype, _| stays(rtype));
    }

    /// Deletes an RRset; not SOA and NS of the apex (§3.4.2.3).
    pub(super) fn delete_rrset(&mut self, entry: &Entry) {
        let is_kept = matches!(entry.rtype, RrType::SOA | RrType::NS);
        if !(entry.key.is_empty() && is_kept) {
            self.owner_of(entry).now.remove(&entry.rtype);
        }
    }

    /// Deletes a record; not the SOA, and not the last NS of the apex (§3.4.2.4).
    pub(super) fn delete_record(&mut self, entry: &Entry) {
        let (rtype, is_apex) = (entry.rtype, entry.key.is_empty());
        let owner = self.owner_of(entry);
        let Some(set) = owner.now.get_mut(&rtype) else { return };
        let is_last_server = rtype == RrType::NS && is_apex && set.rdatas.len() == 1;
        if rtype == RrType::SOA || is_last_server {
            return;
        }
        let own = canonical(rtype, &entry.rdata);
        set.rdatas.retain(|rdata| canonical(rtype, rdata) != own);
        if set.rdatas.is_empty() {
            owner.now.remove(&rtype);
        }
    }

    /// What all of it comes to.
    pub(super) fn finish(mut self) -> Difference {
        if self.owners.values().all(Owner::is_unchanged) {
            return Difference::default();
        }
        let apex = self.version.apex.clone();
        self.owner(&[], apex.as_wire()).raise_serial();
        let mut difference = Difference::default();
        for owner in self.owners.values() {
            let (before, now) = (owner.records(&owner.before), owner.records(&owner.now));
            before.difference(&now).for_each(|record| difference.removed.extend(record));
            now.difference(&before).for_each(|record| difference.added.extend(record));
        }
        difference
    }
}

impl Owner {
    fn is_unchanged(&self) -> bool {
        self.before == self.now
    }

    fn serial(sets: &Sets) -> Option<Serial> {
        soa_serial(sets.get(&RrType::SOA)?.rdatas.first()?)
    }

    /// Whether a SOA takes the place of the one that is there: one that is not older (§3.4.2.2).
    fn takes_soa(&self, rdata: &[u8]) -> bool {
        match (Owner::serial(&self.now), soa_serial(rdata)) {
            (Some(own), Some(new)) => new == own || new.is_after(own),
            _ => false,
        }
    }

    /// The serial is another one than before, whoever saw to it (§3.6).
    fn raise_serial(&mut self) {
        let (before, now) = (Owner::serial(&self.before), Owner::serial(&self.now));
        let Some(serial) = now.filter(|_| before == now) else { return };
        let Some(rdata) = self.now.get_mut(&RrType::SOA).and_then(|set| set.rdatas.first_mut())
        else {
            return;
        };
        // The serial is the first of the five numbers at the end.
        if let Some(at) = rdata.len().checked_sub(20) {
            rdata[at..at + 4].copy_from_slice(&serial.plus(1).0.to_be_bytes());
        }
    }

    /// These records in wire form.
    fn records(&self, sets: &Sets) -> BTreeSet<Vec<u8>> {
        let record = |rtype: RrType, ttl: Ttl, rdata: &Vec<u8>| {
            let mut wire = self.wire.clone();
            wire.extend(rtype.0.to_be_bytes());
            wire.extend(CLASS_IN.to_be_bytes());
            wire.extend(ttl.0.to_be_bytes());
            // What stood in a message is no longer than a length field says.
            wire.extend((rdata.len() as u16).to_be_bytes());
            wire.extend(rdata);
            wire
        };
        let records = |(rtype, set): (&RrType, &Set)| {
            let one = |rdata| record(*rtype, set.ttl, rdata);
            set.rdatas.iter().map(one).collect::<Vec<_>>()
        };
        sets.iter().flat_map(records).collect()
    }
}
